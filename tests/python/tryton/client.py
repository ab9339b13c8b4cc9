"""Does in Tryton what a person would do there, over its own JSON-RPC.

    client.py URL ready                              exit code 0 once it can be logged in to
    client.py URL count MODEL
    client.py URL orders [ID ...]                    orders with their lines
    client.py URL add-order REFERENCE                a draft with two lines
    client.py URL edit-line ORDER QUANTITY PRICE     the order's first line
    client.py URL delete-order ORDER                 cancels it, then deletes it
    client.py URL rename-party PARTY NAME
    client.py URL delete-party PARTY
    client.py URL list MODEL FIELD ...               id and these fields of all
    client.py URL edit MODEL SLICE FIELD VALUE [singly]
                                                     in one transaction, or one for each; the ids
    client.py URL drop MODEL SLICE                   deletes them, orders after cancelling; the ids
    client.py URL add-choices                        a second warehouse, a currency and a unit (Box)
    client.py URL set-password PASSWORD              of the administrator

A SLICE is of all ids in their order, as Python has it: `10:5000:100`. URL names the database:
`http://127.0.0.1:8000/company`. Answers are JSON; decimals and quantities are text, as they stand on the
wire. The password is taken from TRYTON_PASSWORD (default: adminpw).
"""

import base64
import json
import os
import sys
import urllib.request

FIELDS = ["number", "reference", "state", "party", "purchase_date", "description", "currency.code"]
LINE_FIELDS = ["purchase", "sequence", "product", "quantity", "unit_price", "unit", "description"]


class Tryton:
    def __init__(self, url, password):
        self.url = url.rstrip("/") + "/"
        self.header = {}
        user, session, *_ = self.call("common.db.login", "admin", {"password": password}, "en")
        text = f"admin:{user}:{session}"
        self.header = {"Authorization": "Session " + base64.b64encode(text.encode()).decode()}
        self.context = {"company": 1, "companies": [1], "company_filter": "one", "employees": []}

    def call(self, method, *params):
        body = json.dumps({"id": 1, "method": method, "params": params}).encode()
        header = {"Content-Type": "application/json", **self.header}
        request = urllib.request.Request(self.url + "rpc/", body, header)
        with urllib.request.urlopen(request, timeout=600) as answer:
            # Numbers stay as they are written: a float would lose digits.
            told = json.load(answer, parse_float=str, object_hook=plain)
        if not isinstance(told, dict):
            return told
        if told.get("error"):
            sys.exit(f"Tryton refuses {method}: {told['error']}")
        return told["result"]

    def model(self, model, method, *params):
        return self.call(f"model.{model}.{method}", *params, self.context)

    def find(self, model, domain, fields):
        return self.model(model, "search_read", domain, 0, None, [["id", "ASC"]], fields)


def plain(value):
    """Tagged types as text."""
    match value.get("__class__"):
        case "Decimal":
            return value["decimal"]
        case "date":
            return "{year:04}-{month:02}-{day:02}".format(**value)
        case "datetime":
            return "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}".format(**value)
        case _:
            return value


def decimal(text):
    return {"__class__": "Decimal", "decimal": text}


def orders(tryton, *ids):
    chosen = [["id", "in", [int(i) for i in ids]]] if ids else []
    found = tryton.find("purchase.purchase", chosen, FIELDS)
    of = [["purchase", "in", [order["id"] for order in found]]]
    lines = tryton.find("purchase.line", of, LINE_FIELDS)
    for order in found:
        order["currency"] = order.pop("currency.")["code"]
        order["lines"] = [line for line in lines if line["purchase"] == order["id"]]
    return found


def add_order(tryton, reference):
    party = tryton.find("party.party", [["name", "=", "Acme Bearings"]], ["addresses"])[0]
    products = tryton.find("product.product", [], ["default_uom"])[:2]
    warehouse = tryton.find("stock.location", [["type", "=", "warehouse"]], ["name"])[0]
    lines = [
        {
            "type": "line",
            "product": product["id"],
            "unit": product["default_uom"],
            "quantity": 3.0,
            "unit_price": decimal("12.3456"),
        }
        for product in products
    ]
    order = {
        "party": party["id"],
        "invoice_address": party["addresses"][0],
        "warehouse": warehouse["id"],
        "reference": reference,
        "lines": [["create", lines]],
    }
    return tryton.model("purchase.purchase", "create", [order])[0]


def edit_line(tryton, order, quantity, price):
    line = tryton.find("purchase.line", [["purchase", "=", int(order)]], ["quantity"])[0]["id"]
    change = {"quantity": float(quantity), "unit_price": decimal(price)}
    tryton.model("purchase.line", "write", [line], change)
    return line


def delete_order(tryton, order):
    tryton.model("purchase.purchase", "cancel", [int(order)])
    tryton.model("purchase.purchase", "delete", [int(order)])


def rename_party(tryton, party, name):
    tryton.model("party.party", "write", [int(party)], {"name": name})


def delete_party(tryton, party):
    tryton.model("party.party", "delete", [int(party)])


def everything(tryton, model, *fields):
    return tryton.find(model, [], list(fields))


def ids_in(tryton, model, where):
    ids = tryton.model(model, "search", [], 0, None, [["id", "ASC"]])
    return ids[slice(*(int(part) if part else None for part in where.split(":")))]


def edit(tryton, model, where, field, value, *how):
    ids = ids_in(tryton, model, where)
    for together in [[one] for one in ids] if how else [ids]:
        tryton.model(model, "write", together, {field: value})
    return ids


def drop(tryton, model, where):
    ids = ids_in(tryton, model, where)
    if model == "purchase.purchase":
        tryton.model(model, "cancel", ids)
    tryton.model(model, "delete", ids)
    return ids


def add_choices(tryton):
    """What an order could have in place of what the company has only one of."""
    places = {"input": "storage", "storage": "storage", "output": "storage"}
    places["production"] = "production"
    rooms = [{"name": f"Second {name}", "type": kind} for name, kind in places.items()]
    rooms = tryton.model("stock.location", "create", rooms)
    second = {"name": "Second warehouse", "type": "warehouse"}
    second.update({f"{name}_location": room for name, room in zip(places, rooms)})
    (unit,) = tryton.find("product.uom", [["name", "=", "Unit"]], ["category"])
    box = {"name": "Box", "symbol": "box", "category": unit["category"], "digits": 0}
    box.update({"factor": 10.0, "rate": 0.1, "rounding": 1.0})
    rate = {"date": {"__class__": "date", "year": 2020, "month": 1, "day": 1}, "rate": decimal("0.9")}
    euro = {"name": "Euro", "code": "EUR", "symbol": "€", "rates": [["create", [rate]]]}
    tryton.model("stock.location", "create", [second])
    tryton.model("product.uom", "create", [box])
    tryton.model("currency.currency", "create", [euro])


def set_password(tryton, password):
    users = tryton.find("res.user", [["login", "=", "admin"]], ["login"])
    tryton.model("res.user", "write", [users[0]["id"]], {"password": password})


def main(url, command, *words):
    commands = {
        "ready": lambda tryton: True,
        "count": lambda tryton, model: tryton.model(model, "search_count", []),
        "orders": orders,
        "add-order": add_order,
        "edit-line": edit_line,
        "delete-order": delete_order,
        "rename-party": rename_party,
        "delete-party": delete_party,
        "list": everything,
        "edit": edit,
        "drop": drop,
        "add-choices": add_choices,
        "set-password": set_password,
    }
    tryton = Tryton(url, os.environ.get("TRYTON_PASSWORD", "adminpw"))
    print(json.dumps(commands[command](tryton, *words)))


if __name__ == "__main__":
    main(*sys.argv[1:])
