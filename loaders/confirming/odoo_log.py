"""What Odoo's own log is read for: the tables behind the models that we write, and of each the columns that tell what became of it.

Contract: pure. `texts` writes a column's value in one way, whether it comes from the log, from a reply over RPC or from a cell that
was sent: whoever compares two of them compares texts. Columns that an Odoo does not have are left out by the publication.
Source: Odoo 16-19, the models' fields; ir_model_data has a unique index on (module, name).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

NAMES_TABLE = "public.ir_model_data"
NAMES_COLUMNS = ("module", "name", "model", "res_id")
NAMES_KEY = ("module", "name")
WRITER = "write_uid"

_ESCAPED = re.compile(rb"~([0-9A-F]{2})")


class Kind(StrEnum):
    """How two values of a column are compared. Odoo may reword texts and round numbers; a state is a word of its own."""

    TEXT = "text"
    NUMBER = "number"
    FLAG = "flag"
    STATE = "state"


@dataclass(frozen=True, kw_only=True, slots=True)
class OdooTable:
    """One model's table. `columns`: those that a channel may own, or that say how far a document is; `fields`: as the canonical record
    names them, where it does.
    """

    model: str
    columns: Mapping[str, Kind]
    fields: Mapping[str, str]
    more: tuple[str, ...] = ()  # read along, compared with nothing

    @property
    def name(self) -> str:
        """schema.table."""
        return f"public.{self.model.replace('.', '_')}"

    @property
    def published(self) -> tuple[str, ...]:
        """All columns that are read."""
        return ("id", *self.columns, *self.more, WRITER)


_TEXT, _NUMBER, _FLAG, _STATE = Kind.TEXT, Kind.NUMBER, Kind.FLAG, Kind.STATE
_PARTNER = ("name", "email", "vat", "phone", "street", "street2", "city", "zip")
TABLES: Mapping[str, OdooTable] = {
    table.model: table
    for table in (
        OdooTable(
            model="res.partner",
            columns=dict.fromkeys(_PARTNER, _TEXT) | {"active": _FLAG},
            fields={name: name for name in (*_PARTNER, "active")} | {"zip": "postcode"},
        ),
        OdooTable(
            model="product.product",
            columns={"default_code": _TEXT, "barcode": _TEXT, "active": _FLAG},
            fields={"default_code": "sku", "barcode": "barcode", "active": "active"},
        ),
        OdooTable(
            model="sale.order", columns={"state": _STATE}, fields={"state": "status"}, more=("name", "invoice_status")
        ),
        OdooTable(
            model="sale.order.line",
            columns={"product_uom_qty": _NUMBER, "price_unit": _NUMBER, "discount": _NUMBER},
            fields={"product_uom_qty": "quantity", "price_unit": "unit_price", "discount": "discount_percent"},
            more=("order_id", "qty_delivered", "qty_invoiced"),
        ),
        OdooTable(model="stock.picking", columns={"state": _STATE}, fields={"state": "status"}, more=("name",)),
        OdooTable(
            model="account.move",
            columns={"state": _STATE},
            fields={"state": "status"},
            more=("name", "payment_state", "ref"),
        ),
        OdooTable(
            model="account.payment",
            columns={"state": _STATE, "memo": _TEXT},
            fields={"state": "status"},
            more=("name",),
        ),
    )
}
BY_TABLE: Mapping[str, OdooTable] = {table.name: table for table in TABLES.values()}
# What a document is in when it is delivered, where the step that delivers it says nothing else.
_DONE: Mapping[str, str] = {"sale.order": "sale", "stock.picking": "done", "account.move": "posted"}
_CANCELLED: Mapping[str, str] = {"sale.order": "cancel", "stock.picking": "cancel", "account.move": "cancel"}
_ARCHIVED = frozenset({"res.partner", "product.product"})


def expected(model: str | None, cells: Mapping[str, str] | None, *, cancelled: bool) -> dict[str, str | None] | None:
    """Return what Odoo's row must show once a delivery is committed; None where no row can tell.

    cells: what was sent, by column. A thing that was taken back is archived or cancelled; a line that was unlinked tells nothing.
    """
    table = TABLES.get(model or "")
    if table is None:
        return None
    if cancelled:
        state = _CANCELLED.get(table.model)
        return {"state": state} if state else ({"active": "f"} if table.model in _ARCHIVED else None)
    found = texts(table, cells or {})
    if table.model in _DONE:
        found.setdefault("state", _DONE[table.model])
    return found or None


def texts(table: OdooTable, values: Mapping[str, Any]) -> dict[str, str | None]:
    """Return the values of a table's compared columns, each in its one text."""
    return {name: text(kind, values[name]) for name, kind in table.columns.items() if name in values}


def text(kind: Kind, value: Any) -> str | None:
    """Return a value as it is compared. Odoo keeps no empty texts; over RPC a value that is not there is False."""
    if kind is Kind.FLAG:
        return "t" if value in (True, "1", "t", "true", "True") else "f"
    if value is None or value is False or value == "":
        return None
    if kind is Kind.NUMBER:
        try:
            return format(Decimal(str(value)).normalize(), "f")
        except InvalidOperation:
            return str(value)
    return str(value)


def canonical_id(name: str) -> str | None:
    """Return the canonical id that an external id (without its prefix) was made of; None for another name."""
    try:
        return _ESCAPED.sub(lambda match: bytes([int(match[1], 16)]), name.encode()).decode()
    except UnicodeDecodeError:
        return None
