"""A customer, two kinds of goods and a service in an Odoo, and orders over them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.contract.client import Odoo, Values

LINE = "order_line/id order_line/product_id/id order_line/product_uom_qty order_line/price_unit order_line/tax_id/id"
_CODES = {"mug": "MUG", "pot": "POT", "freight": "FRT", "stored": "STO"}


@dataclass(frozen=True, kw_only=True)
class Sales:
    """What an order needs, and how to make one."""

    odoo: Odoo

    @classmethod
    def prepared(cls, odoo: Odoo) -> Sales:
        """The customer and the products of one test."""
        odoo.loaded("res.partner", "id name is_company", [odoo.name("customer"), f"Customer {odoo.prefix}", "1"])
        odoo.loaded(
            "product.product",
            "id name default_code type is_storable list_price",
            [odoo.name("mug"), "Mug", f"MUG-{odoo.prefix}", "consu", "", "4.5"],
            [odoo.name("pot"), "Pot", f"POT-{odoo.prefix}", "consu", "", "20"],
            [odoo.name("freight"), "Freight", f"FRT-{odoo.prefix}", "service", "", "5"],
            [odoo.name("stored"), "Stored", f"STO-{odoo.prefix}", "consu", "1", "7"],
        )
        return cls(odoo=odoo)

    def quotation(self, key: str, *lines: tuple[str, str, str], **context: Any) -> int:
        """A quotation of (product, quantity, price) lines; their external ids are `key`_1, `key`_2, ..."""
        name = self.odoo.name
        rows = []
        for number, (product, quantity, price) in enumerate(lines, 1):
            head = [name(key), name("customer"), f"REF-{key}"] if number == 1 else ["", "", ""]
            rows.append([*head, name(f"{key}_{number}"), name(product), quantity, price, ""])
        return self.odoo.loaded("sale.order", f"id partner_id/id client_order_ref {LINE}", *rows, **context)[0]

    def order(self, key: str, *lines: tuple[str, str, str]) -> int:
        """A confirmed order."""
        one = self.quotation(key, *lines)
        assert self.odoo.call("sale.order", "action_confirm", [one]) is True
        return one

    def state(self, order: int) -> Values:
        """The order's state, statuses and total."""
        fields = ("state", "delivery_status", "invoice_status", "amount_total")
        return {name: self.odoo.read("sale.order", order, name)[name] for name in fields}

    def lines(self, order: int, *fields: str) -> list[Values]:
        """The order's lines, in order."""
        return self.odoo.find("sale.order.line", ["order_id", "=", order], fields=fields, order="sequence, id")

    def pickings(self, order: int) -> list[Values]:
        """The order's transfers, oldest first."""
        fields = ("name", "state", "backorder_id", "origin", "date_done", "partner_id")
        return self.odoo.find("stock.picking", ["sale_id", "=", order], fields=fields)

    def moves(self, order: int) -> list[Values]:
        """The order's moves, oldest first."""
        fields = ("product_uom_qty", "quantity", "picked", "state", "picking_id", "sale_line_id")
        return self.odoo.find("stock.move", ["sale_line_id.order_id", "=", order], fields=fields)

    def pick(self, move: int, quantity: float) -> None:
        """Say how much of a move ships."""
        self.odoo.call("stock.move", "write", [move], {"quantity": quantity, "picked": True})

    def validate(self, picking: int, **context: Any) -> Any:
        """Ship a transfer."""
        return self.odoo.call("stock.picking", "button_validate", [picking], context={"skip_sms": True, **context})

    def count(self, product: str, quantity: float) -> None:
        """Count `quantity` of a product in the warehouse."""
        odoo = self.odoo
        place = odoo.find("stock.location", ["complete_name", "=", "WH/Stock"])[0]["id"]
        values = {"product_id": self.product(product), "location_id": place, "inventory_quantity": quantity}
        counted = odoo.call("stock.quant", "create", values, context={"inventory_mode": True})
        assert odoo.call("stock.quant", "action_apply_inventory", [counted]) is None

    def product(self, key: str) -> int:
        """The id of one of the products."""
        code = f"{_CODES[key]}-{self.odoo.prefix}"
        found: int = self.odoo.find("product.product", ["default_code", "=", code])[0]["id"]
        return found
