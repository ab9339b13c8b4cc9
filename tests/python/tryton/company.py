"""Builds the company that the tests connect to, with Tryton's own client.

    company.py FOLDER base               an empty company: currency, chart of accounts, products, vendors
    company.py FOLDER orders BASE.sqlite   the same with 300 purchase orders
    company.py FOLDER parties BASE.sqlite  the same with 5,000 parties
    company.py FOLDER plant BASE.sqlite    the same with 20,000 products and 5,000 purchase orders of them

Leaves `FOLDER/company.sqlite`. The data follows from a fixed seed.
"""

import datetime as dt
import os
import random
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

ORDERS = 300
PARTIES = 5000
PLANT_PRODUCTS = 20_000
PLANT_ORDERS = 5_000
# Orders made in one transaction have one and the same create date: pages must not lose any of them.
BATCH = 50
PASSWORD = "adminpw"
CONFIG = """[database]
uri = sqlite://
path = {folder}
[session]
timeout = 86400
"""
VENDORS = [
    ("Acme Bearings", "1 Main Street", "Springfield"),
    ("Nordlager Süd GmbH", "Hauptstraße 7", "Köln"),
    ("O'Neill & Sons", "12 Quay", "Galway"),
    ("東京ベアリング", "丸の内 1-1", "東京"),
    ("Żuraw Sp. z o.o.", "ul. Długa 3", "Gdańsk"),
    ("Hydraulik Meier", "Werkstrasse 12", "Winterthur"),
    ("Lubricants United", "400 Refinery Road", "Houston"),
    ("Fasteners & More", "9 Bolt Lane", "Sheffield"),
]
PRODUCTS = [
    # name, code, unit, cost price
    ("Bearing 6204", "BRG-6204", "Unit", "4.2000"),
    ("Bearing 6305 2RS", "BRG-6305", "Unit", "7.9050"),
    ("V-belt A42", "BLT-A42", "Unit", "11.3000"),
    ("Steel bar 20 mm", "STL-020", "Meter", "6.7512"),
    ("Copper wire 2.5 mm²", "CUW-025", "Meter", "1.1234"),
    ("Grease EP2", "GRS-EP2", "Kilogram", "12.3456"),
    ("Hydraulic oil HLP 46", "OIL-H46", "Liter", "3.0001"),
    ("Hex bolt M10 × 40", "BLT-M10", "Unit", "0.1875"),
    ("Pump seal kit", "SEAL-77", "Unit", "149.9900"),
    ("Epoxy resin", "EPX-001", "Kilogram", "23.0075"),
]


def admin(folder, *words):
    """Runs Tryton's own administration command."""
    passfile = folder / "pw"
    passfile.write_text(PASSWORD)
    command = Path(sys.executable).with_name("trytond-admin")
    subprocess.run(
        [command, "-c", folder / "trytond.conf", "-d", "company", *words],
        env={**os.environ, "TRYTONPASSFILE": str(passfile)},
        check=True,
    )


def configure(folder):
    (folder / "trytond.conf").write_text(CONFIG.format(folder=folder))


def connect(folder):
    from proteus import Model, config

    context = config.set_trytond(
        database="sqlite:///company", config_file=str(folder / "trytond.conf")
    )
    companies = Model.get("company.company").find([]) if activated(Model) else []
    if companies:
        context._context = Model.get("res.user").get_preferences(True, context.context)
    return context, Model.get


def activated(model):
    return bool(model.get("ir.module").find([("name", "=", "company"), ("state", "=", "activated")]))


def base(folder):
    """What an empty Tryton lacks before a purchase can pass."""
    (folder / "company.sqlite").touch()
    admin(folder, "--all", "--email", "admin@example.com")
    # A second step: the modules cannot be named while the core is being made.
    admin(folder, "-u", "purchase", "production", "--activate-dependencies")
    context, get = connect(folder)
    currency = make_currency(get)
    company = make_company(context, get, currency)
    category = make_accounts(get, company)
    make_products(get, category)
    make_vendors(get)


def make_currency(get):
    currency = get("currency.currency")(
        name="US Dollar", symbol="$", code="USD", numeric_code="840"
    )
    currency.rates.new(rate=Decimal("1"), date=dt.date(2020, 1, 1))
    currency.save()
    return currency


def make_company(context, get, currency):
    from proteus import Wizard

    party = get("party.party")(name="Plant One Inc")
    party.save()
    wizard = Wizard("company.company.config")
    wizard.execute("company")
    wizard.form.party = party
    wizard.form.currency = currency
    wizard.execute("add")
    (company,) = get("company.company").find([])
    context._context = get("res.user").get_preferences(True, context.context)
    return company


def make_accounts(get, company):
    from proteus import Wizard

    def account(kind, *more):
        domain = [(f"type.{kind}", "=", True), ("company", "=", company.id), *more]
        return get("account.account").find(domain, limit=1)[0]

    (template,) = get("account.account.template").find([("parent", "=", None)], limit=1)
    wizard = Wizard("account.create_chart")
    wizard.execute("account")
    wizard.form.account_template = template
    wizard.form.company = company
    wizard.execute("create_account")
    wizard.form.account_receivable = account("receivable", ("party_required", "=", True))
    wizard.form.account_payable = account("payable", ("party_required", "=", True))
    wizard.execute("create_properties")
    category = get("product.category")(
        name="Parts",
        accounting=True,
        account_expense=account("expense"),
        account_revenue=account("revenue"),
    )
    category.save()
    return category


def make_products(get, category):
    units = {unit.name: unit for unit in get("product.uom").find([])}
    for name, code, unit, cost in PRODUCTS:
        template = get("product.template")(
            name=name,
            code=code,
            default_uom=units[unit],
            type="goods",
            purchasable=True,
            list_price=Decimal("0"),
            account_category=category,
        )
        (product,) = template.products
        product.suffix_code = "A"
        product.cost_price = Decimal(cost)
        template.save()


def make_vendors(get):
    for name, street, city in VENDORS:
        party = get("party.party")(name=name)
        # The client adds one empty address by itself.
        party.addresses[0].street = street
        party.addresses[0].city = city
        party.save()


def orders(folder):
    """300 orders of 1 to 4 lines, most of them drafts, the first ones further on their way."""
    context, get = connect(folder)
    purchase = get("purchase.purchase")
    made = make_orders(context, get, ORDERS, BATCH)
    purchase._proxy.quote(made[:40], context.context)
    # Confirmed orders are taken up for processing at once.
    purchase._proxy.confirm(made[:25], context.context)
    purchase._proxy.cancel(made[-5:], context.context)


def make_orders(context, get, count, batch):
    """Drafts, so many in one transaction; their ids."""
    chance = random.Random(20240229)
    purchase = get("purchase.purchase")
    vendors = get("party.party").find([("name", "in", [name for name, _, _ in VENDORS])])
    products = get("product.product").find([], order=[("id", "ASC")], limit=len(PRODUCTS))
    (warehouse,) = get("stock.location").find([("type", "=", "warehouse")], limit=1)
    wanted = [order(chance, n, vendors, products, warehouse) for n in range(1, count + 1)]
    made = []
    for start in range(0, count, batch):
        made += purchase._proxy.create(wanted[start : start + batch], context.context)
    return made


def plant(folder):
    """20,000 products in transactions of 40 (SQLite takes no more), and 5,000 drafts of orders in transactions of 250."""
    context, get = connect(folder)
    (unit,) = get("product.uom").find([("name", "=", "Unit")])
    (category,) = get("product.category").find([("name", "=", "Parts")])
    template = get("product.template")
    for start in range(0, PLANT_PRODUCTS - len(PRODUCTS), 40):
        numbers = range(start + 1, min(start + 40, PLANT_PRODUCTS - len(PRODUCTS)) + 1)
        batch = [
            {
                "name": f"Spare part {n:05}",
                "code": f"SP-{n:05}",
                "default_uom": unit.id,
                "type": "goods",
                "purchasable": True,
                "purchase_uom": unit.id,
                "list_price": Decimal("0"),
                "account_category": category.id,
                "products": [("create", [{"suffix_code": "A"}])],
            }
            for n in numbers
        ]
        template._proxy.create(batch, context.context)
    make_orders(context, get, PLANT_ORDERS, 250)


def order(chance, number, vendors, products, warehouse):
    vendor = chance.choice(vendors)
    lines = [line(chance, products) for _ in range(chance.randint(1, 4))]
    return {
        "party": vendor.id,
        "warehouse": warehouse.id,
        "invoice_address": vendor.addresses[0].id,
        "purchase_date": dt.date(2024, 1, 1) + dt.timedelta(days=chance.randint(0, 180)),
        "reference": f"REQ-{number:04}",
        "description": chance.choice(["Shutdown spares", "Line 3", "Größe prüfen", None]),
        "lines": [("create", lines)],
    }


def line(chance, products):
    product = chance.choice(products)
    whole = product.default_uom.name == "Unit"
    quantity = chance.randint(1, 200) if whole else chance.randint(1, 20000) / 100
    price = product.cost_price + Decimal(chance.randint(0, 30000)) / 10000
    return {
        "type": "line",
        "product": product.id,
        "unit": product.default_uom.id,
        "quantity": float(quantity),
        "unit_price": price,
        "description": chance.choice([None, f"{product.name}, as agreed"]),
    }


def parties(folder):
    """5,000 parties in transactions of 1,000."""
    context, get = connect(folder)
    party = get("party.party")
    for start in range(0, PARTIES, 1000):
        batch = [
            {
                "name": f"Vendor {n:05}",
                "addresses": [("create", [{"street": f"{n} Mill Road", "city": "Leeds"}])],
            }
            for n in range(start + 1, start + 1001)
        ]
        party._proxy.create(batch, context.context)


def main(folder, what, start=None):
    folder = Path(folder).resolve()
    configure(folder)
    if start:
        shutil.copy(start, folder / "company.sqlite")
    {"base": base, "orders": orders, "parties": parties, "plant": plant}[what](folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
