"""What Odoo's versions call things: one table of names, so that no loader asks which version it speaks to.

Contract: pure; `dialect_of(version)` gives the names of one version, and a loader uses the names. 18 is tested on a real Odoo; 16, 17 and
19 are from their sources, untested. A version in between (saas~18.3) is taken for its major one, an unknown newer one for 19.

Sources: stock/models/stock_move.py (quantity_done until 16; quantity and picked from 17), stock/wizard/stock_picking_return.py (create_returns
until 17), sale/models/sale_order.py (state done until
16; locked from 17; no cancel wizard from 19), account/wizard/account_move_reversal.py (reverse_moves until 16; refund_moves from 17),
account/models/account_payment.py (ref until 17), sale/wizard/sale_make_invoice_advance.py (consolidated_billing from 17),
sale/models/sale_order_line.py (tax_ids, product_uom_id from 19), product/models/product_template.py (detailed_type until 17).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from config.errors import CausewayError, ErrorKind

_VERSION = re.compile(r"(?:saas~)?(\d+)\.\d+")
OLDEST = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialect:
    """One version's names of fields and methods; None where the version has no such thing.

    line_tax, line_unit: of sale.order.line. move_done: how much of a move is done; move_picked: the mark that it is.
    move_name: the text that a move must have. order_locked: the flag of a locked order; where there is none, the state done says it.
    refund: account.move.reversal's method that makes a credit note. give_back: stock.return.picking's that makes the transfer.
    payment_memo: of account.payment, what it is for. invoice_each: what has sale.advance.payment.inv make an invoice an order; None:
    it makes one of all orders of a buyer.
    storable, service: the cells that make a product one that stock is kept of, or a service. kept: the field that tells which.
    validate, cancel: contexts that keep button_validate and action_cancel from opening a dialog.
    """

    major: int
    line_tax: str = "tax_id"
    line_unit: str = "product_uom"
    move_done: str = "quantity"
    move_picked: str | None = "picked"
    move_name: str | None = "name"
    order_locked: str | None = "locked"
    refund: str = "refund_moves"
    give_back: str = "action_create_returns"
    payment_memo: str = "memo"
    invoice_each: Mapping[str, Any] | None
    valuation_layer: str | None = "stock.valuation.layer"
    storable: Mapping[str, str]
    service: Mapping[str, str]
    kept: str = "is_storable"
    validate: Mapping[str, Any]
    cancel: Mapping[str, Any]

    def is_locked(self, order: Mapping[str, Any]) -> bool:
        """Tell whether an order, read with `state` and `order_locked`, must be unlocked before it can be changed."""
        return bool(order[self.order_locked] if self.order_locked else order["state"] == "done")

    def is_confirmed(self, order: Mapping[str, Any]) -> bool:
        """Tell whether an order or line, read with `state`, is confirmed."""
        return order["state"] == "sale" or (self.order_locked is None and order["state"] == "done")

    @property
    def order_state(self) -> list[str]:
        """The fields that `is_locked` and `is_confirmed` want to have been read."""
        return ["state", self.order_locked] if self.order_locked else ["state"]

    def keeps_stock(self, product: Mapping[str, Any]) -> bool:
        """Tell whether stock is kept of a product that was read with the field `kept`."""
        return product[self.kept] in (True, "product")

    def move_fields(self, fields: Sequence[str]) -> list[str]:
        """Return what to read of moves for these fields, which are called as in 18."""
        own = {"quantity": self.move_done, "picked": self.move_picked}
        return [name for field in fields if (name := own.get(field, field)) is not None]

    def moves(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return moves that were read with `move_fields`, with the fields called as in 18.

        Where there is no mark, what is done of a move is what somebody has said of it, so that it is picked.
        """
        if self.move_picked:
            return [dict(row) for row in rows]
        said = [(row, row.get(self.move_done) or 0.0) for row in rows]
        return [{**row, "quantity": done, "picked": done > 0} for row, done in said]

    def move_values(self, *, picked: bool, quantity: float | None) -> dict[str, Any]:
        """Return what to write on moves to have this much done of them; None: what is reserved."""
        if self.move_picked:
            return {self.move_picked: picked} | ({} if quantity is None else {self.move_done: quantity})
        return {self.move_done: (quantity or 0.0) if picked else 0.0}


_18 = Dialect(
    major=18,
    invoice_each={"consolidated_billing": False},
    storable={"type": "consu", "is_storable": "1"},
    service={"type": "service", "is_storable": ""},
    validate={"skip_backorder": True, "skip_sms": True},
    cancel={"disable_cancel_warning": True},
)
_17 = replace(
    _18,
    major=17,
    storable={"detailed_type": "product"},
    service={"detailed_type": "service"},
    kept="detailed_type",
    give_back="create_returns",
    payment_memo="ref",
)
_16 = replace(
    _17,
    major=16,
    move_done="quantity_done",
    move_picked=None,
    invoice_each=None,
    order_locked=None,
    refund="reverse_moves",
    validate={"skip_backorder": True, "skip_sms": True, "skip_immediate": True},
)
_19 = replace(
    _18, major=19, line_tax="tax_ids", line_unit="product_uom_id", move_name=None, valuation_layer=None, cancel={}
)
_BY_MAJOR = {names.major: names for names in (_16, _17, _18, _19)}


def dialect_of(version: str) -> Dialect:
    """Return the names of a version as Odoo tells it (``18.0``, ``saas~18.3``, ``19.0+e``). Raises CausewayError for one before 16."""
    found = _VERSION.match(version)
    if found is None or int(found[1]) < OLDEST:
        raise CausewayError(
            ErrorKind.SETTINGS,
            f"Odoo {version or 'of an unknown version'} is not supported.",
            hint="Supported are 16 to 19.",
        )
    return _BY_MAJOR[min(int(found[1]), max(_BY_MAJOR))]
