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

from loaders.delivering.bisection import each_or_refused
from loaders.delivering.work import Work
from loaders.stock.handling import Handling
from loaders.stock.lots import ship_lots
from loaders.stock.parcels import label, name_parcels

LINE, MOVE, PICKING = "sale.order.line", "stock.move", "stock.picking"
_SMALLEST = 0.005  # Odoo keeps quantities to two decimals
_LINE_FIELDS = ("order_id", "qty_delivered", "qty_delivered_method", "product_uom_qty", "state")
_MOVE_FIELDS = (
    "sale_line_id",
    "picking_id",
    "product_uom_qty",
    "quantity",
    "picked",
    "state",
    "location_id",
    "product_id",
)
_AT_ONCE = 50
_CAME_BACK = (
    ["state", "=", "done"],
    ["origin_returned_move_id", "!=", False],
    ["to_refund", "=", True],
    ["location_id.usage", "=", "customer"],
)

Row = dict[str, Any]


@dataclass(kw_only=True, slots=True)
class Leg:
    """One parcel: what the order's lines should have delivered after it in all (by line id), and of which lots, and the transfer
    that it went by.
    """

    record_id: str
    delivered: dict[int, float]
    lots: dict[int, dict[int, float]] = field(default_factory=dict)
    handling: Handling
    picking_id: int | None = None
    picking_ids: set[int] = field(default_factory=set)


@dataclass(kw_only=True, slots=True)
class Transfer:
    """One order's parcels, in order, and what came of them. `is_final`: after them nothing may stay open.

    `refused`: Odoo's words, or why it cannot be. `unsettled`: what Odoo has not done although it did not refuse.
    """

    order_id: int
    is_final: bool
    legs: list[Leg] = field(default_factory=list)
    refused: str | None = None
    unsettled: str | None = None
    acting: Leg | None = None

    @property
    def delivered(self) -> dict[int, float]:
        """What the lines should have delivered in the end."""
        return self.legs[-1].delivered if self.legs else {}

    @property
    def is_well(self) -> bool:
        """Whether nothing has gone wrong with it."""
        return self.refused is None and self.unsettled is None


def carry_out(work: Work, transfers: Sequence[Transfer]) -> None:
    """Bring Odoo to what has been shipped, one parcel after the other; each transfer says what came of it."""
    by_order = {transfer.order_id: transfer for transfer in transfers}
    active = {order_id: one for order_id, one in by_order.items() if one.legs}
    while active:
        plan = _Plan(work, active)
        active = plan.difference()
        plan.relocate()
        plan.write()
        plan.validate()
    _cancel_rest(work, by_order)
    name_parcels(work, [one for one in transfers if one.is_well])


class _Plan:
    """The moves to make for the next parcel of each of a batch of orders."""

    def __init__(self, work: Work, by_order: Mapping[int, Transfer]) -> None:
        self._work = work
        self._by_order = by_order
        self._quantities: dict[int, float] = {}  # move -> what it ships
        self._services: dict[float, list[int]] = defaultdict(list)  # delivered quantity -> lines without moves
        self._moves: list[Row] = []
        self._by_line: dict[int, Transfer] = {}

    def difference(self) -> dict[int, Transfer]:
        """Find out which parcels are next, and by which moves they go; return the orders that have one."""
        lines = _lines(self._work, self._by_order)
        acting = {order_id: one for order_id, one in self._by_order.items() if self._choose(one, lines)}
        wanted = {line_id: lines[line_id] for one in acting.values() if one.acting for line_id in one.acting.delivered}
        self._moves = _open_moves(self._work, wanted)
        self._by_line = {line_id: acting[row["order_id"][0]] for line_id, row in wanted.items()}
        _note_concerned(self._work, self._by_line, self._moves)
        open_moves: dict[int, list[Row]] = defaultdict(list)
        for move in self._moves:
            open_moves[move["sale_line_id"][0]].append(move)
        for line_id, transfer in self._by_line.items():
            self._plan_line(transfer, lines[line_id], open_moves[line_id])
        return {order_id: one for order_id, one in acting.items() if one.refused is None}

    def relocate(self) -> None:
        """Let the transfers leave from where their parcels have left: Odoo plans them from the order's warehouse."""
        by_place: dict[int, set[int]] = defaultdict(set)
        for move in self._shipping():
            leg = self._by_line[move["sale_line_id"][0]].acting
            place = leg.handling.place_id if leg else None
            if place is not None and move["location_id"][0] != place:
                by_place[place].add(move["picking_id"][0])
                move["quantity"] = -1.0  # what was reserved is no more
        for place, pickings in by_place.items():
            self._work.client.write(PICKING, sorted(pickings), {"location_id": place})

    def write(self) -> None:
        """Write the moves' quantities, those with the same in one call; mark them as picked."""
        for delivered, lines in self._services.items():
            self._work.client.write(LINE, lines, {"qty_delivered": delivered})
        by_values: dict[tuple[float | None, bool], list[int]] = defaultdict(list)
        by_lot: list[tuple[Row, float]] = []
        shipped_lots: dict[int, dict[int, float]] = {}
        for move in self._of_well_ones():
            quantity = self._quantities.get(move["id"])
            lots = self._lots(move)
            if lots and quantity is not None:
                by_lot.append((move, quantity))
                shipped_lots[move["sale_line_id"][0]] = lots
            elif quantity is None:
                if move["picked"]:
                    by_values[0.0, False].append(move["id"])
            elif abs(move["quantity"] - quantity) >= _SMALLEST:
                by_values[quantity, True].append(move["id"])
            elif not move["picked"]:
                by_values[None, True].append(move["id"])
        for (written, picked), moves in by_values.items():
            values = self._work.client.dialect.move_values(picked=picked, quantity=written)
            self._work.client.write(MOVE, moves, values)
        ship_lots(self._work, by_lot, shipped_lots)

    def validate(self) -> None:
        """Label and validate the transfers that ship something; of a final shipment's nothing stays open."""
        pickings = {move["picking_id"][0]: self._by_line[move["sale_line_id"][0]] for move in self._shipping()}
        label(self._work, {one: transfer.acting.handling for one, transfer in pickings.items() if transfer.acting})
        final = [
            picking
            for picking, transfer in pickings.items()
            if transfer.is_final and transfer.acting is transfer.legs[-1]
        ]
        context = {**self._work.client.dialect.validate, "picking_ids_not_to_backorder": final}
        refused = each_or_refused(
            lambda some: self._work.client.call(PICKING, "button_validate", [some], context=context),
            list(pickings),
            _AT_ONCE,
        )
        for picking, transfer in pickings.items():
            if transfer.acting is not None:
                transfer.acting.picking_ids.add(picking)
            transfer.refused = transfer.refused or refused.get(picking)

    def _choose(self, transfer: Transfer, lines: Mapping[int, Row]) -> bool:
        """Choose an order's first parcel that Odoo has not shipped yet; tell whether there is one."""
        if any(line_id not in lines for line_id in transfer.delivered):
            transfer.refused = "A line of the order is gone from Odoo."
            return False
        tried, transfer.acting = transfer.acting, None
        for line_id, wanted in transfer.delivered.items():
            row = lines[line_id]
            if wanted - row["qty_delivered"] <= -_SMALLEST and row["qty_delivered_method"] != "manual":
                transfer.refused = (
                    "Odoo has delivered more than the warehouse says it has shipped; book a return in Odoo."
                )
                return False
        transfer.acting = next(
            (leg for leg in transfer.legs if _is_missing(leg, lines, leg is transfer.legs[-1])), None
        )
        if transfer.acting is not None and transfer.acting is tried:
            transfer.unsettled = "Odoo has not delivered what was shipped, without saying why."
            return False
        return transfer.acting is not None

    def _lots(self, move: Row) -> dict[int, float]:
        """Return the lots that the move's line should have shipped in all."""
        leg = self._by_line[move["sale_line_id"][0]].acting
        return leg.lots.get(move["sale_line_id"][0], {}) if leg is not None else {}

    def _shipping(self) -> list[Row]:
        """Return the moves that ship something; none of an order with which something is wrong."""
        return [move for move in self._of_well_ones() if move["id"] in self._quantities]

    def _of_well_ones(self) -> list[Row]:
        return [move for move in self._moves if self._by_line[move["sale_line_id"][0]].refused is None]

    def _plan_line(self, transfer: Transfer, line: Row, moves: Sequence[Row]) -> None:
        leg = transfer.acting
        if leg is None or not _is_missing_of_line(leg.delivered[line["id"]], line, leg is transfer.legs[-1]):
            return
        missing = leg.delivered[line["id"]] - line["qty_delivered"]
        if line["qty_delivered_method"] == "manual":
            self._services[leg.delivered[line["id"]]].append(line["id"])
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


def _is_missing(leg: Leg, lines: Mapping[int, Row], is_last: bool) -> bool:
    """Tell whether Odoo has still to ship something of a parcel."""
    return any(_is_missing_of_line(wanted, lines[line_id], is_last) for line_id, wanted in leg.delivered.items())


def _is_missing_of_line(wanted: float, line: Row, is_last: bool) -> bool:
    """Likewise of one line. What is delivered by hand may also be lowered, in the end."""
    missing: float = wanted - line["qty_delivered"]
    return missing >= _SMALLEST or (is_last and missing <= -_SMALLEST and line["qty_delivered_method"] == "manual")


def _lines(work: Work, order_ids: Iterable[int]) -> dict[int, Row]:
    """Return all lines of these orders by id. What has been shipped and came back has been delivered here: it left once."""
    rows = work.client.search_read(LINE, [["order_id", "in", list(order_ids)]], _LINE_FIELDS)
    lines = {row["id"]: row for row in rows}
    for move in _moves(work, [["sale_line_id", "in", list(lines)], *_CAME_BACK]):
        lines[move["sale_line_id"][0]]["qty_delivered"] += move["quantity"]
    return lines


def _open_moves(work: Work, lines: Mapping[int, Row]) -> list[Row]:
    """Return the open outgoing moves of these lines: a line with a negative quantity has an incoming one."""
    outgoing = [line_id for line_id, row in lines.items() if row["product_uom_qty"] > 0]
    states = ["state", "not in", ["done", "cancel", "draft"]]
    domain = [["sale_line_id", "in", outgoing], ["picking_id", "!=", False], states]
    return _moves(work, domain) if outgoing else []


def _moves(work: Work, domain: Sequence[Any]) -> list[Row]:
    dialect = work.client.dialect
    return dialect.moves(work.client.search_read(MOVE, domain, dialect.move_fields(_MOVE_FIELDS)))


def _note_concerned(work: Work, by_line: Mapping[int, Transfer], moves: Sequence[Row]) -> None:
    """Say for the audit for which parcel's sake these lines, moves and transfers are written to."""
    parcels = {line_id: (one.acting or one.legs[-1]).record_id for line_id, one in by_line.items() if one.legs}
    for line_id, record_id in parcels.items():
        work.outcomes.concerns(record_id, LINE, [line_id])
    for move in moves:
        record_id = parcels.get(move["sale_line_id"][0], "")
        if record_id:
            work.outcomes.concerns(record_id, MOVE, [move["id"]])
            work.outcomes.concerns(record_id, PICKING, [move["picking_id"][0]])


def _cancel_rest(work: Work, by_order: Mapping[int, Transfer]) -> None:
    """After an order's final shipment cancel what is still open of it (left by an earlier shipment)."""
    final = {order_id: one for order_id, one in by_order.items() if one.is_final and one.is_well}
    moves = _open_moves(work, _lines(work, final)) if final else []
    _note_concerned(work, {line_id: one for one in final.values() for line_id in one.delivered}, moves)
    pickings = sorted({move["picking_id"][0] for move in moves})
    each_or_refused(lambda some: work.client.call(PICKING, "action_cancel", [some]), pickings, _AT_ONCE)
