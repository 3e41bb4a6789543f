"""Receipts of what comes back, made by Odoo's own wizard over the transfers that shipped it.

Contract: a return's transfers carry its marker from the moment that they exist (the wizard copies the shipped transfer, but for
its tracking reference, for which the context has a default), so a return is received once, whoever dies in between. What they
have received is read; only the difference is made, and read back. A transfer of ours that is open and is not what is missing (a
call of a dead process, or the return has changed) is cancelled. Source: Odoo 18 stock/wizard/stock_picking_return.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from config.errors import ErrorKind
from loaders.delivering.bisection import each_or_refused
from loaders.delivering.work import Work
from loaders.odoo.odoo_errors import OdooError
from loaders.stock.reservation import reserve_arrived
from loaders.stock.scraps import scrap

MOVE, PICKING, WIZARD = "stock.move", "stock.picking", "stock.return.picking"
SMALLEST = 0.005  # Odoo keeps quantities to two decimals
_MOVE_FIELDS = (
    "sale_line_id",
    "picking_id",
    "product_id",
    "product_uom_qty",
    "quantity",
    "state",
    "origin_returned_move_id",
)
_PICKING_FIELDS = ("carrier_tracking_ref", "state", "origin", "picking_type_code")
_OVER = ("done", "cancel")
_AT_ONCE = 50

Row = dict[str, Any]
Lines = tuple[int, ...]  # of one ordered line: Odoo's line of it, and those of its substitutes


@dataclass(kw_only=True, slots=True)
class Receipt:
    """What one return brings back in all (by Odoo's order lines), and what came of it.

    `refused`: Odoo's words, or why it cannot be. `waits`: it has not been shipped yet. `unsettled`: what Odoo has not done
    although it did not refuse.
    """

    marker: str
    origin: str
    scrapped: bool
    wanted: dict[Lines, float]
    refused: str | None = None
    waits: bool = False
    unsettled: str | None = None
    picking_ids: set[int] = field(default_factory=set)

    @property
    def is_open(self) -> bool:
        """Whether there is still something to be done for it."""
        return self.refused is None and not self.waits


def receive(work: Work, receipts: Sequence[Receipt]) -> None:
    """Bring Odoo to what these returns say."""
    if not receipts:
        return
    if not work.names.has_field(PICKING, "carrier_tracking_ref"):
        for receipt in receipts:
            receipt.refused = (
                "Odoo's transfers have no tracking reference to find a return by: install the app Delivery."
            )
        return
    moved = _Moved(work, receipts)
    for receipt in receipts:
        _plan(work, receipt, moved)
    _validate(work, receipts)
    _read_back(work, receipts)
    scrap(work, {picking: one for one in receipts if one.is_open and one.scrapped for picking in one.picking_ids})
    reserve_arrived(work, moved.products)


class _Moved:
    """What has been shipped and has come back of these order lines, as Odoo has it; it shrinks as returns are planned."""

    def __init__(self, work: Work, receipts: Sequence[Receipt]) -> None:
        lines = sorted({line for one in receipts for group in one.wanted for line in group})
        marked = [["carrier_tracking_ref", "in", [one.marker for one in receipts]]]
        mine = work.client.search_read(PICKING, marked, _PICKING_FIELDS)
        domain = ["|", ["sale_line_id", "in", lines], ["picking_id", "in", [row["id"] for row in mine]]]
        self.moves = [
            row
            for row in _moves(work, [*domain, ["state", "not in", ["cancel", "draft"]]])
            if row["picking_id"] and row["sale_line_id"]
        ]
        self.pickings = {row["id"]: row for row in mine}
        others = {move["picking_id"][0] for move in self.moves} - set(self.pickings)
        self.pickings |= work.client.read_by_id(PICKING, sorted(others), _PICKING_FIELDS)
        self.returnable = self._returnable()
        self.products: set[int] = set()

    def marked(self, marker: str) -> list[int]:
        """Return the transfers that carry a marker."""
        return [one for one, row in self.pickings.items() if row["carrier_tracking_ref"] == marker]

    def of_pickings(self, pickings: Sequence[int], lines: Lines) -> float:
        """Return how much of a line these transfers bring back: what they have, or what they are to bring."""
        quantities: list[float] = [
            move["quantity"] if move["state"] == "done" else move["product_uom_qty"]
            for move in self.moves
            if move["picking_id"][0] in pickings and move["sale_line_id"][0] in lines
        ]
        return sum(quantities)

    def give_back(self, pickings: Sequence[int]) -> None:
        """What these transfers were to bring back may be returned by others: they are cancelled."""
        for move in self.moves:
            if move["picking_id"][0] in pickings and move["origin_returned_move_id"]:
                self.returnable[move["origin_returned_move_id"][0]] += move["product_uom_qty"]
        self.moves = [move for move in self.moves if move["picking_id"][0] not in pickings]

    def shipped(self, lines: Lines) -> list[Row]:
        """Return the moves that have shipped a line, the line's own first."""
        return [
            move for line in lines for move in self.moves if move["id"] in self.returnable and move["sale_line_id"][0] == line
        ]  # fmt: skip

    def may_still_ship(self, lines: Lines) -> bool:
        """Tell whether something of a line is still to be delivered."""
        return any(
            move["state"] not in _OVER and move["sale_line_id"][0] in lines and self._is_outgoing(move)
            for move in self.moves
        )

    def _returnable(self) -> dict[int, float]:
        left = {
            move["id"]: move["quantity"] for move in self.moves if move["state"] == "done" and self._is_outgoing(move)
        }
        for move in self.moves:
            origin = move["origin_returned_move_id"]
            if origin and origin[0] in left and not self._is_outgoing(move):
                left[origin[0]] -= move["quantity"] if move["state"] == "done" else move["product_uom_qty"]
        return left

    def _is_outgoing(self, move: Row) -> bool:
        return bool(self.pickings[move["picking_id"][0]]["picking_type_code"] == "outgoing")


def _plan(work: Work, receipt: Receipt, moved: _Moved) -> None:
    """Find out what a return still brings back, and make the transfers for it."""
    mine = moved.marked(receipt.marker)
    done = [one for one in mine if moved.pickings[one]["state"] == "done"]
    waiting = [one for one in mine if moved.pickings[one]["state"] not in _OVER]
    missing = {lines: wanted - moved.of_pickings(done, lines) for lines, wanted in receipt.wanted.items()}
    receipt.picking_ids |= set(done)
    if _taken_back_too_much(receipt, moved, done, missing):
        receipt.refused = "Odoo has taken back more than the channel says has come back; correct it in Odoo."
        return
    planned = {lines: moved.of_pickings(waiting, lines) for lines in missing}
    if any(missing.values()) and all(planned[lines] - missing[lines] < SMALLEST for lines in missing):
        receipt.picking_ids |= set(waiting)
        _make(work, receipt, moved, {lines: missing[lines] - planned[lines] for lines in missing})
    else:
        _withdraw(work, receipt, moved, waiting)
        _make(work, receipt, moved, missing)
    if receipt.is_open:
        _name(work, receipt, moved)
        moved.products |= {
            move["product_id"][0] for lines in missing if missing[lines] >= SMALLEST for move in moved.shipped(lines)
        }


def _taken_back_too_much(receipt: Receipt, moved: _Moved, done: Sequence[int], missing: dict[Lines, float]) -> bool:
    known = {line for lines in receipt.wanted for line in lines}
    strange = any(
        move["picking_id"][0] in done and move["sale_line_id"][0] not in known and move["quantity"] >= SMALLEST
        for move in moved.moves
    )
    return strange or any(quantity <= -SMALLEST for quantity in missing.values())


def _withdraw(work: Work, receipt: Receipt, moved: _Moved, waiting: Sequence[int]) -> None:
    """Cancel what was to be received and is not what comes back."""
    refused = each_or_refused(lambda some: work.client.call(PICKING, "action_cancel", [some]), waiting, _AT_ONCE)
    receipt.refused = next(iter(refused.values()), None)
    moved.give_back(waiting)


def _make(work: Work, receipt: Receipt, moved: _Moved, missing: dict[Lines, float]) -> None:
    """Make one return of each transfer that has shipped something of what is missing, unless there is too little."""
    if receipt.refused is not None:
        return
    taken: dict[int, list[tuple[Row, float]]] = defaultdict(list)
    for lines, quantity in missing.items():
        left = quantity
        for move in moved.shipped(lines):
            some = min(left, moved.returnable[move["id"]])
            if some >= SMALLEST:
                taken[move["picking_id"][0]].append((move, some))
                left -= some
        if left >= SMALLEST:
            _too_little(receipt, moved, lines, left)
            return
    for picking, returned in taken.items():
        for move, some in returned:
            moved.returnable[move["id"]] -= some
        _return(work, receipt, picking, returned)


def _too_little(receipt: Receipt, moved: _Moved, lines: Lines, over: float) -> None:
    if moved.may_still_ship(lines):
        receipt.waits = True
    else:
        receipt.refused = f"More has come back than Odoo has delivered: {over:g} too many of order line {lines[0]}."


def _moves(work: Work, domain: Sequence[Any]) -> list[Row]:
    dialect = work.client.dialect
    return dialect.moves(work.client.search_read(MOVE, domain, dialect.move_fields(_MOVE_FIELDS)))


def _return(work: Work, receipt: Receipt, picking: int, returned: Sequence[tuple[Row, float]]) -> None:
    """Let Odoo's wizard return these quantities of one transfer."""
    lines = [
        [0, 0, {"product_id": move["product_id"][0], "move_id": move["id"], "quantity": some, "to_refund": True}]
        for move, some in returned
    ]
    values = {"picking_id": picking, "product_return_moves": lines}
    try:
        wizard = work.client.call(WIZARD, "create", [values])
        context = {"default_carrier_tracking_ref": receipt.marker}
        made = work.client.call(WIZARD, work.client.dialect.give_back, [[wizard]], context=context)
    except OdooError as error:
        if error.kind is not ErrorKind.REFUSED:
            raise
        receipt.refused = error.message
    else:
        receipt.picking_ids.add(made["res_id"])


def _name(work: Work, receipt: Receipt, moved: _Moved) -> None:
    """Write on a return's transfers what people know it by."""
    unnamed = [
        one for one in sorted(receipt.picking_ids) if moved.pickings.get(one, {}).get("origin") != receipt.origin
    ]
    if unnamed:
        work.client.write(PICKING, unnamed, {"origin": receipt.origin})


def _validate(work: Work, receipts: Sequence[Receipt]) -> None:
    """Validate the transfers that are not done yet."""
    of = {picking: one for one in receipts if one.is_open for picking in one.picking_ids}
    states = work.client.read_by_id(PICKING, sorted(of), ["state"])
    waiting = [picking for picking, row in states.items() if row["state"] != "done"]
    _reserve(work, waiting)
    refused = each_or_refused(
        lambda some: work.client.call(PICKING, "button_validate", [some], context=work.client.dialect.validate),
        waiting,
        _AT_ONCE,
    )
    for picking, words in refused.items():
        of[picking].refused = words


def _reserve(work: Work, waiting: Sequence[int]) -> None:
    """Give these transfers back what they have lost: whoever returns a move again takes it from the returns that are still open.

    Such a transfer is still called assigned; validated with others it is passed over without a word, and alone it is refused.
    Source: stock/wizard/stock_picking_return.py (_create_return), stock/models/stock_picking.py (_compute_state).
    """
    if not waiting:
        return
    domain = [["picking_id", "in", list(waiting)], ["state", "in", ["confirmed", "waiting", "partially_available"]]]
    moves = work.client.search_read(MOVE, domain, ["picking_id"])
    lacking = sorted({move["picking_id"][0] for move in moves})
    each_or_refused(lambda some: work.client.call(PICKING, "action_assign", [some]), lacking, _AT_ONCE)


def _read_back(work: Work, receipts: Sequence[Receipt]) -> None:
    of = {picking: one for one in receipts if one.is_open for picking in one.picking_ids}
    states = work.client.read_by_id(PICKING, sorted(of), ["state"])
    for picking, one in of.items():
        if picking not in states or states[picking]["state"] != "done":
            one.unsettled = "Odoo has not received what came back, without saying why."
