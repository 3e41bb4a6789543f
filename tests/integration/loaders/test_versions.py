"""The lane speaks to each version in its own names: the stand-in's, put into 16's, 17's and 19's between the two.

It shows that the loaders use the names of `loaders.odoo.odoo_versions`, not that these versions behave as 18 does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from loaders.delivering.delivery import Deliverer
from loaders.odoo.client import OdooClient
from loaders.odoo.odoo_versions import Dialect, dialect_of
from tests.fixtures.delivery import OperationalEnd, customer, line, order, product, shipment, shipment_line

# Names that a version does not have, by model; each would be refused by it.
UNKNOWN: dict[int, dict[str, set[str]]] = {
    16: {
        "sale.order": {"locked"},
        "stock.move": {"quantity", "picked"},
        "product.product": {"is_storable"},
        "stock.picking": {"picked"},
    },
    17: {"product.product": {"is_storable"}},
    19: {"sale.order.line": {"tax_id", "product_uom"}, "sale.order": {"order_line/tax_id"}},
}


class OtherOdoo(OdooClient):
    """A client whose Odoo has another version's names: they are refused where they are not known, and put into 18's."""

    major = 18
    used: set[str]

    @property
    def dialect(self) -> Dialect:
        return dialect_of(f"{self.major}.0")

    def call(self, model: str, method: str, args: Sequence[Any], **named: Any) -> Any:
        self._refuse_unknown(model, [*_fields(method, args), *named.get("fields", ())])
        put = [self._put(model, one) for one in args]
        if model == "product.product" and method == "load" and "detailed_type" in args[0]:
            put = _storable(*put)
        if "fields" in named:
            named["fields"] = self._put(model, named["fields"])
        if method == "action_cancel" and self.major == 19:
            named["context"] = {"disable_cancel_warning": True}  # it has no dialog
        result = super().call(model, method, put, **named)
        return [self._told(model, row) for row in result] if method in ("read", "search_read") else result

    def _refuse_unknown(self, model: str, fields: Sequence[str]) -> None:
        names = {part for field in fields for part in field.split("/")} | {field.rpartition("/")[0] for field in fields}
        self.used |= names
        assert not names & UNKNOWN[self.major].get(model, set()), (model, fields)

    def _put(self, model: str, given: Any) -> Any:
        """Values, columns and fields in 18's names."""
        if isinstance(given, Mapping):
            values = {self._name(name): value for name, value in given.items()}
            return {**values, "picked": values["quantity"] > 0} if "quantity_done" in given else values
        if isinstance(given, list) and given and all(isinstance(one, str) for one in given):
            names = [self._name(one) for one in given]
            return [*names, "picked"] if "quantity_done" in given else names
        return given

    def _name(self, field: str) -> str:
        own = {"quantity_done": "quantity", "tax_ids": "tax_id", "detailed_type": "type"}
        return "/".join(own.get(part, part) for part in field.split("/"))

    def _told(self, model: str, row: dict[str, Any]) -> dict[str, Any]:
        if model == "stock.move" and self.dialect.move_picked is None and "quantity" in row:
            row["quantity_done"] = row.pop("quantity") if row.pop("picked") else 0.0
        return row


def _storable(columns: list[str], rows: list[list[str]]) -> list[Any]:
    """A product of the type `product` is 18's storable one."""
    at = columns.index("type")
    kept = ["1" if row[at] == "product" else "" for row in rows]
    typed = [[cell if cell != "product" else "consu" for cell in row] for row in rows]
    return [[*columns, "is_storable"], [[*row, mark] for row, mark in zip(typed, kept, strict=True)]]


def _fields(method: str, args: Sequence[Any]) -> list[str]:
    match method, args:
        case "load", [columns, *_]:
            return list(columns)
        case "read" | "write", [_, fields]:
            return list(fields)
    return []


@pytest.mark.parametrize(
    ("major", "names"),
    [(16, {"quantity_done", "detailed_type"}), (17, {"quantity", "picked", "detailed_type"}), (19, {"tax_ids"})],
)
def test_an_order_is_shipped_in_part_and_another_cancelled_in_each_versions_names(
    lane: OperationalEnd, major: int, names: set[str]
) -> None:
    client = OtherOdoo(lane.odoo_settings)
    client.major, client.used = major, set()
    deliverer = Deliverer(lane.state, lane.odoo_settings, lane.delivery, client)
    lane.deliverer.close()
    lane.deliverer = deliverer
    lane.arrive(customer(), product(), order(), line(quantity="5"), order(key="o2"), line(key="o2-1", order_key="o2"))
    lane.arrive(shipment(), shipment_line(quantity="2"))
    lane.deliver()
    lane.arrive(order(key="o2", status="cancelled"))
    lane.arrive(shipment(key="s2", is_final=True), shipment_line(key="s2-1", shipment_key="s2", quantity="3"))
    lane.deliver()
    assert set(lane.statuses().values()) == {"delivered"}
    assert lane.odoo_rows("SELECT name, state FROM sale_order ORDER BY name") == [
        ("SO-o1", "sale"),
        ("SO-o2", "cancel"),
    ]
    assert lane.odoo_rows("SELECT qty_delivered::int FROM sale_order_line ORDER BY order_id") == [(5,), (0,)]
    assert names <= client.used
