"""Odoo's transfers (stock.picking and its moves), brought to what the warehouse has shipped.

Contract: reads what the order lines have delivered, carries out the difference, reads again. `quantity` is reserved and done in
one, `picked` marks done; when one move of a transfer is picked, the others are left to the backorder. Always without dialogs:
skip_backorder, skip_sms. Source: Odoo 18 stock/models/stock_picking.py (button_validate), stock_move.py (_action_done).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from loaders.bisection import each_or_refused
from loaders.work import Work

LINE, MOVE, PICKING = "sale.order.line", "stock.move", "stock.picking"
_SMALLEST = 0.005  # Odoo keeps quantities to two decimals
_LINE_FIELDS = ("order_id", "qty_delivered", "qty_delivered_method", "product_uom_qty", "state")
_MOVE_FIELDS = ("sale_line_id", "picking_id", "product_uom_qty", "quantity", "picked", "state")
_AT_ONCE = 50
_CAME_BACK = (
    ["state", "=", "done"],
    ["origin_returned_move_id", "!=", False],
    ["to_refund", "=", True],
    ["location_id.usage", "=", "customer"],
)

Row = dict[str, Any]


@dataclass(kw_only=True, slots=True)
class Transfer:
    """What one order's lines should have delivered (by line id), and what came of it.

    `refused`: Odoo's words, or why it cannot be. `unsettled`: what Odoo has not done although it did not refuse.
    """

    order_id: int
    delivered: dict[int, float]
    is_final: bool
    refused: str | None = None
    unsettled: str | None = None
    picking_id: int | None = None
    picking_ids: set[int] = field(default_factory=set)


def carry_out(work: Work, transfers: Sequence[Transfer]) -> dict[int, Transfer]:
    """Bring Odoo to what has been shipped; return the transfers by order id, each with what came of it."""
    by_order = {transfer.order_id: transfer for transfer in transfers}
    if not by_order:
        return by_order
    plan = _Plan(work, by_order)
    plan.difference()
    plan.write()
    plan.validate()
    _cancel_rest(work, by_order)
    _read_back(work, by_order)
    _name_pickings(work, by_order)
    return by_order


class _Plan:
    """The moves to make for a batch of orders."""

    def __init__(self, work: Work, by_order: Mapping[int, Transfer]) -> None:
        self._work = work
        self._by_order = by_order
        self._quantities: dict[int, float] = {}  # move -> what it ships
        self._services: dict[float, list[int]] = defaultdict(list)  # delivered quantity -> lines without moves
        self._moves: list[Row] = []
        self._by_line = {line_id: one for one in by_order.values() for line_id in one.delivered}

    def difference(self) -> None:
        """Find out what is still to be shipped, and by which moves."""
        lines = _lines(self._work, self._by_order)
        self._moves = _open_moves(self._work, lines)
        open_moves: dict[int, list[Row]] = defaultdict(list)
        for move in self._moves:
            open_moves[move["sale_line_id"][0]].append(move)
        for transfer in self._by_order.values():
            for line_id, wanted in transfer.delivered.items():
                self._plan_line(transfer, lines.get(line_id), wanted, open_moves[line_id])

    def write(self) -> None:
        """Write the moves' quantities, those with the same in one call; mark them as picked."""
        for delivered, lines in self._services.items():
            self._work.client.write(LINE, lines, {"qty_delivered": delivered})
        by_values: dict[tuple[float | None, bool], list[int]] = defaultdict(list)
        for move in self._moves:
            quantity = self._quantities.get(move["id"])
            if quantity is None:
                if move["picked"]:
                    by_values[0.0, False].append(move["id"])
            elif abs(move["quantity"] - quantity) >= _SMALLEST:
                by_values[quantity, True].append(move["id"])
            elif not move["picked"]:
                by_values[None, True].append(move["id"])
        for (written, picked), moves in by_values.items():
            values: Row = {"picked": picked} | ({} if written is None else {"quantity": written})
            self._work.client.write(MOVE, moves, values)

    def validate(self) -> None:
        """Validate the transfers that ship something; of a final shipment's nothing stays open."""
        pickings = {
            move["picking_id"][0]: self._by_line[move["sale_line_id"][0]]
            for move in self._moves
            if move["id"] in self._quantities
        }
        final = [picking for picking, transfer in pickings.items() if transfer.is_final]
        context = {"skip_backorder": True, "skip_sms": True, "picking_ids_not_to_backorder": final}
        refused = each_or_refused(
            lambda some: self._work.client.call(PICKING, "button_validate", [some], context=context),
            list(pickings),
            _AT_ONCE,
        )
        for picking, transfer in pickings.items():
            transfer.picking_ids.add(picking)
            transfer.refused = transfer.refused or refused.get(picking)

    def _plan_line(self, transfer: Transfer, line: Row | None, wanted: float, moves: Sequence[Row]) -> None:
        if line is None:
            transfer.refused = "A line of the order is gone from Odoo."
            return
        missing = wanted - line["qty_delivered"]
        if abs(missing) < _SMALLEST:
            return
        if line["qty_delivered_method"] == "manual":
            self._services[wanted].append(line["id"])
        elif missing < 0:
            transfer.refused = "Odoo has delivered more than the warehouse says it has shipped; book a return in Odoo."
        elif line["state"] != "sale":
            transfer.refused = f"The warehouse has shipped an order whose state in Odoo is {line['state']}."
        elif not moves:
            transfer.refused = "The warehouse has shipped more than Odoo's order has open."
        else:
            self._spread(missing, moves)

    def _spread(self, missing: float, moves: Sequence[Row]) -> None:
        """Give the quantity to the open moves, oldest first; the last one takes what is over."""
        for move in moves:
            last = move is moves[-1]
            quantity = missing if last else min(missing, move["product_uom_qty"])
            if quantity >= _SMALLEST:
                self._quantities[move["id"]] = round(quantity, 2)
            missing -= quantity


def _lines(work: Work, order_ids: Iterable[int]) -> dict[int, Row]:
    """Return all lines of these orders by id. What has been shipped and came back has been delivered here: it left once."""
    rows = work.client.search_read(LINE, [["order_id", "in", list(order_ids)]], _LINE_FIELDS)
    lines = {row["id"]: row for row in rows}
    for move in work.client.search_read(MOVE, [["sale_line_id", "in", list(lines)], *_CAME_BACK], _MOVE_FIELDS):
        lines[move["sale_line_id"][0]]["qty_delivered"] += move["quantity"]
    return lines


def _open_moves(work: Work, lines: Mapping[int, Row]) -> list[Row]:
    """Return the open outgoing moves of these lines: a line with a negative quantity has an incoming one."""
    outgoing = [line_id for line_id, row in lines.items() if row["product_uom_qty"] > 0]
    states = ["state", "not in", ["done", "cancel", "draft"]]
    domain = [["sale_line_id", "in", outgoing], ["picking_id", "!=", False], states]
    return work.client.search_read(MOVE, domain, _MOVE_FIELDS) if outgoing else []


def _cancel_rest(work: Work, by_order: Mapping[int, Transfer]) -> None:
    """After an order's final shipment cancel what is still open of it (left by an earlier shipment)."""
    final = {order_id: one for order_id, one in by_order.items() if one.is_final and one.refused is None}
    moves = _open_moves(work, _lines(work, final)) if final else []
    pickings = sorted({move["picking_id"][0] for move in moves})
    each_or_refused(lambda some: work.client.call(PICKING, "action_cancel", [some]), pickings, _AT_ONCE)


def _read_back(work: Work, by_order: Mapping[int, Transfer]) -> None:
    """Compare what the lines have delivered now with what they should have."""
    lines = _lines(work, [order_id for order_id, one in by_order.items() if one.refused is None])
    for transfer in by_order.values():
        for line_id, wanted in transfer.delivered.items():
            found = lines.get(line_id)
            if transfer.refused is None and (found is None or abs(found["qty_delivered"] - wanted) >= _SMALLEST):
                transfer.unsettled = "Odoo has not delivered what was shipped, without saying why."


def _name_pickings(work: Work, by_order: Mapping[int, Transfer]) -> None:
    """Note which transfer shipped it: the one validated now, else the order's latest that is done."""
    unnamed = [order_id for order_id, one in by_order.items() if not one.picking_ids]
    for transfer in by_order.values():
        transfer.picking_id = max(transfer.picking_ids, default=None)
    if unnamed:
        domain = [["sale_id", "in", unnamed], ["state", "=", "done"]]
        for row in work.client.search_read(PICKING, domain, ["sale_id"]):
            by_order[row["sale_id"][0]].picking_id = row["id"]
