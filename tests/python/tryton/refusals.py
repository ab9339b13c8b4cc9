"""Tries in Tryton, over its own JSON-RPC, what Millwright says can or cannot be done.

    refusals.py URL

Prints a list of tries: `entity`; `record`, what it is like (`{"status": "draft"}`); `what` is tried
(`create_with`, `create_without`, `change`, `empty`, `add_line`, `remove_line`, `delete`, or an
`action`); `name`, the unified field or the action; `refused`, Tryton's words, or null when it does it.
Every try has a record of its own, and is made past Millwright: nothing here knows its rules.
"""

import json
import sys

from client import Tryton, decimal

PURCHASE, LINE, SHIPMENT, PARTY = (
    "purchase.purchase",
    "purchase.line",
    "stock.shipment.in",
    "party.party",
)
DAY = {"__class__": "date", "year": 2026, "month": 3, "day": 1}
# How an order gets into each state: what is special about its line, and the buttons.
STATES = {
    "draft": ({}, []),
    "quotation": ({}, ["quote"]),
    # Without an account to book it on, Tryton confirms and does not get further.
    "confirmed": ({"product": None, "unit": None}, ["quote", "confirm"]),
    "processing": ({}, ["quote", "confirm"]),
    # Nothing to wait for.
    "done": ({"quantity": 0.0}, ["quote", "confirm"]),
    "cancelled": ({}, ["cancel"]),
}
ACTIONS = ["quote", "draft", "confirm", "process", "cancel"]
# What the API calls an action, and Tryton's button.
BUTTONS = {"receive": "receive", "complete": "do", "cancel": "cancel"}
SHIPMENTS = {
    "draft": [],
    "received": ["receive"],
    "done": ["receive", "do"],
    "cancelled": ["cancel"],
}


class World:
    def __init__(self, tryton):
        self.tryton = tryton
        self.tries = []
        parties = tryton.find(PARTY, [["name", "in", ["Acme Bearings", "Hydraulik Meier"]]], ["addresses"])
        self.party, self.other = parties
        unit = [["default_uom.name", "=", "Unit"]]
        self.products = [p["id"] for p in tryton.find("product.product", unit, ["name"])]
        self.unit = tryton.find("product.uom", [["name", "=", "Unit"]], ["name"])[0]["id"]
        fields = ["input_location", "storage_location"]
        self.warehouse = tryton.find("stock.location", [["type", "=", "warehouse"]], fields)[0]
        self.currency = tryton.find("currency.currency", [], ["name"])[0]["id"]

    def refusal(self, model, method, *params):
        try:
            self.tryton.model(model, method, *params)
        except SystemExit as refused:
            return str(refused)
        return None

    def told(self, entity, record, what, name, refused):
        told = {"entity": entity, "record": record, "what": what, "name": name, "refused": refused}
        self.tries.append(told)

    # Purchases

    def line(self, **special):
        line = {
            "type": "line",
            "product": self.products[0],
            "unit": self.unit,
            "quantity": 2.0,
            "unit_price": decimal("1.5"),
            "description": "Sealed",
            "note": "Fragile",
        }
        return {**line, **special}

    def order(self, special=None, count=2):
        return {
            "party": self.party["id"],
            "invoice_address": self.party["addresses"][0],
            "warehouse": self.warehouse["id"],
            "reference": "REQ",
            "description": "Spares",
            "comment": "By rail",
            "lines": [["create", [self.line(**(special or {})) for _ in range(count)]]],
        }

    def orders(self, state, count):
        special, buttons = STATES[state]
        made = self.tryton.model(PURCHASE, "create", [self.order(special)] * count)
        for button in buttons:
            self.tryton.model(PURCHASE, button, made)
        found = self.tryton.find(PURCHASE, [["id", "in", made]], ["state", "lines"])
        assert all(one["state"] == state for one in found), (state, found)
        return found

    def order_changes(self):
        """Unified field, Tryton's record of it, whether it is a line's, another value, and empty."""
        # Tryton's own client changes the address with the party, and unit with the product.
        other = {"party": self.other["id"], "invoice_address": self.other["addresses"][0]}
        box = {"warehouse": self.warehouse["id"]}
        return [
            ("vendorKey", False, other, {"party": None, "invoice_address": None}),
            ("vendorReference", False, {"reference": "R-1"}, {"reference": None}),
            ("description", False, {"description": "Other"}, {"description": None}),
            ("orderDate", False, {"purchase_date": DAY}, {"purchase_date": None}),
            ("dueAt", False, {"delivery_date": DAY}, {"delivery_date": None}),
            ("locationKey", False, box, {"warehouse": None}),
            ("currencyKey", False, {"currency": self.currency}, {"currency": None}),
            ("notes", False, {"comment": "By lorry"}, {"comment": None}),
            ("lineItems.materialKey", True, {"product": self.products[1]}, {"product": None}),
            ("lineItems.quantity", True, {"quantity": 3.0}, {"quantity": None}),
            ("lineItems.price", True, {"unit_price": decimal("2.5")}, {"unit_price": None}),
            ("lineItems.uomKey", True, {"unit": self.unit}, {"unit": None}),
            ("lineItems.description", True, {"description": "Other"}, {"description": None}),
            ("lineItems.notes", True, {"note": "Heavy"}, {"note": None}),
        ]

    def try_orders(self):
        entity = "purchase-orders"
        changes = self.order_changes()
        for state in STATES:
            record = {"status": state}
            left = iter(self.orders(state, 2 * len(changes) + len(ACTIONS) + 3))
            for name, of_line, other, empty in changes:
                for what, values in [("change", other), ("empty", empty)]:
                    order = next(left)
                    if of_line:
                        values = {"lines": [["write", order["lines"][:1], values]]}
                    refused = self.refusal(PURCHASE, "write", [order["id"]], values)
                    self.told(entity, record, what, name, refused)
            for what, command in [("add_line", "create"), ("remove_line", "delete")]:
                order = next(left)
                lines = [self.line()] if command == "create" else order["lines"][:1]
                values = {"lines": [[command, lines]]}
                refused = self.refusal(PURCHASE, "write", [order["id"]], values)
                self.told(entity, record, what, "lineItems", refused)
            for action in ACTIONS:
                refused = self.refusal(PURCHASE, action, [next(left)["id"]])
                self.told(entity, record, "action", action, refused)
            refused = self.refusal(PURCHASE, "delete", [next(left)["id"]])
            self.told(entity, record, "delete", None, refused)
        self.try_new_orders(entity, changes)

    def try_new_orders(self, entity, changes):
        for name, of_line, other, empty in changes:
            for what in ["create_with", "create_without"]:
                order = self.order(count=1)
                record = order["lines"][0][1][0] if of_line else order
                if what == "create_with":
                    record.update(other)
                else:
                    record.pop(next(iter(empty)), None)
                    if name == "vendorKey":
                        del order["invoice_address"]
                self.told(entity, {}, what, name, self.refusal(PURCHASE, "create", [order]))
        order = self.order()
        del order["lines"]
        self.told(entity, {}, "create_without", "lineItems", self.refusal(PURCHASE, "create", [order]))

    # Receivings

    def shipments(self, state, count):
        orders = [order["id"] for order in self.orders("processing", count)]
        moves = self.tryton.find("stock.move", [["purchase", "in", orders]], ["purchase"])
        of = lambda order: [move["id"] for move in moves if move["purchase"] == order]
        wanted = [self.shipment(of(order)) for order in orders]
        made = self.tryton.model(SHIPMENT, "create", wanted)
        for button in SHIPMENTS[state]:
            self.tryton.model(SHIPMENT, button, made)
        found = self.tryton.find(SHIPMENT, [["id", "in", made]], ["state"])
        assert all(one["state"] == state for one in found), (state, found)
        return made

    def shipment(self, moves):
        return {
            "supplier": self.party["id"],
            "warehouse": self.warehouse["id"],
            "warehouse_input": self.warehouse["input_location"],
            "warehouse_storage": self.warehouse["storage_location"],
            "reference": "DN",
            "incoming_moves": [["add", moves]],
        }

    def try_shipments(self):
        entity = "receivings"
        for state in SHIPMENTS:
            record = {"status": state}
            left = iter(self.shipments(state, len(BUTTONS) + 3))
            for what, value in [("change", "DN-1"), ("empty", None)]:
                refused = self.refusal(SHIPMENT, "write", [next(left)], {"reference": value})
                self.told(entity, record, what, "deliveryNoteNo", refused)
            for action, button in BUTTONS.items():
                refused = self.refusal(SHIPMENT, button, [next(left)])
                self.told(entity, record, "action", action, refused)
            refused = self.refusal(SHIPMENT, "delete", [next(left)])
            self.told(entity, record, "delete", None, refused)
        for what, number in [("create_with", "DN"), ("create_without", None)]:
            shipment = {**self.shipment([]), "reference": number}
            refused = self.refusal(SHIPMENT, "create", [shipment])
            self.told(entity, {}, what, "deliveryNoteNo", refused)
        # A receipt's order stands behind its moves and its supplier.
        (order,) = self.orders("processing", 1)
        moves = self.tryton.find("stock.move", [["purchase", "=", order["id"]]], ["purchase"])
        of_order = self.shipment([move["id"] for move in moves])
        without = self.shipment([])
        del without["supplier"]
        for what, shipment in [("create_with", of_order), ("create_without", without)]:
            refused = self.refusal(SHIPMENT, "create", [shipment])
            self.told(entity, {}, what, "purchaseOrderKey", refused)

    # Vendors

    def try_parties(self):
        entity = "vendors"
        addresses = [["create", [{"party_name": "Sales", "street": "1 Main", "city": "Ulm"}]]]
        changes = [
            ("name", {"name": "Other"}, {"name": None}),
            ("code", {"code": "T-1"}, {"code": None}),
        ]
        for active in [True, False]:
            record = {"isActive": active}
            changes_of = [*changes, ("isActive", {"active": not active}, None)]
            changes_of.append(("addresses", {"addresses": addresses}, None))
            for name, other, empty in changes_of:
                for what, values in [("change", other), ("empty", empty)]:
                    if values is None:
                        continue
                    made = self.tryton.model(PARTY, "create", [{"name": "Bolts"}])
                    if not active:
                        self.tryton.model(PARTY, "write", made, {"active": False})
                    refused = self.refusal(PARTY, "write", made, values)
                    self.told(entity, record, what, name, refused)
        whole = {"name": "Bolts", "code": "T-2", "addresses": addresses}
        for name, other in [("name", {}), ("code", {}), ("addresses", {}), ("isActive", {"active": False})]:
            refused = self.refusal(PARTY, "create", [{**whole, "code": f"T-{name}", **other}])
            self.told(entity, {}, "create_with", name, refused)
            rest = {key: value for key, value in whole.items() if key != name}
            if name != "code":
                rest["code"] = f"T-without-{name}"
            self.told(entity, {}, "create_without", name, self.refusal(PARTY, "create", [rest]))


def main(url):
    world = World(Tryton(url, "adminpw"))
    world.try_orders()
    world.try_shipments()
    world.try_parties()
    print(json.dumps(world.tries))


if __name__ == "__main__":
    main(*sys.argv[1:])
