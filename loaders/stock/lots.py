"""Lots and serial numbers of what has been shipped: those of Odoo's that the warehouse named, on the lines of the moves that ship them.

Contract: a lot is found by its name and product, never made: what leaves was received once, and its lot with it. Products that Odoo
does not track have none. A move's lines are replaced by what ships, so that doing it again changes nothing; deleting and making
them are two calls, because in one write Odoo keeps reserved what it deletes (stock/models/stock_move_line.py, unlink).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from loaders.delivering import lookups, references
from loaders.delivering.work import Work
from loaders.stock.handling import Missing
from loaders.stock.shipped import Shipped

LINE, LOT, PRODUCT = "stock.move.line", "stock.lot", "product.product"
_SMALLEST = 0.005

Row = dict[str, Any]
Named = tuple[str, str]  # our code of the product, name of the lot


def find_lots(work: Work, orders: Iterable[Shipped]) -> dict[Named, int | Missing]:
    """Return Odoo's lots that these parcels bring, those of tracked products only."""
    named = {(lot.sku, lot.name) for one in orders for parcel in one.parcels for lot in parcel.lots}
    if not named:
        return {}
    products = references.products_by_sku(work.connection, {sku for sku, _ in named})
    ids = {sku: product.odoo_id for sku, product in products.items() if product.odoo_id is not None}
    rows = work.client.read_by_id(PRODUCT, sorted(set(ids.values())), ["tracking"])
    tracked = {sku: one for sku, one in ids.items() if one in rows and rows[one]["tracking"] != "none"}
    wanted = [(sku, name) for sku, name in sorted(named) if sku in tracked]
    domain = [["product_id", "in", list(tracked.values())], ["name", "in", [name for _, name in wanted]]]
    found = work.client.search_read(LOT, domain, ["product_id", "name"]) if wanted else []
    lots = {(row["product_id"][0], row["name"]): row["id"] for row in reversed(found)}
    return {(sku, name): lots.get((tracked[sku], name)) or _missing(sku, name) for sku, name in wanted}


def _missing(sku: str, name: str) -> Missing:
    return Missing(waits_for=lookups.in_odoo(LOT, name), why=f"Odoo has no lot {name} of {sku}")


def ship_lots(work: Work, moves: Sequence[tuple[Row, float]], lots: Mapping[int, Mapping[int, float]]) -> None:
    """Let these moves ship so much each, of the lots that their order lines are to have shipped in all (line -> lot -> quantity)."""
    if not moves:
        return
    left = _not_shipped(work, lots)
    reserved = work.client.search_read(LINE, [["move_id", "in", [move["id"] for move, _ in moves]]], [])
    if reserved:
        work.client.call(LINE, "unlink", [[row["id"] for row in reserved]])
    values = [
        {
            "move_id": move["id"],
            "picking_id": move["picking_id"][0],
            "product_id": move["product_id"][0],
            "lot_id": lot or False,
            "quantity": some,
            "picked": True,
        }
        for move, quantity in moves
        for lot, some in _taken(left[move["sale_line_id"][0]], quantity)
    ]
    work.client.call(LINE, "create", [values])


def _not_shipped(work: Work, lots: Mapping[int, Mapping[int, float]]) -> dict[int, dict[int, float]]:
    """Return what is left of each line's lots, without what its done deliveries have shipped."""
    left: dict[int, dict[int, float]] = defaultdict(dict) | {line: dict(given) for line, given in lots.items()}
    domain = [
        ["move_id.sale_line_id", "in", sorted(lots)],
        ["state", "=", "done"],
        ["move_id.location_dest_id.usage", "=", "customer"],
    ]
    rows = work.client.search_read(LINE, domain, ["move_id", "lot_id", "quantity"])
    moves = work.client.read_by_id("stock.move", sorted({row["move_id"][0] for row in rows}), ["sale_line_id"])
    for row in rows:
        line = moves[row["move_id"][0]]["sale_line_id"][0]
        if row["lot_id"] and row["lot_id"][0] in left[line]:
            left[line][row["lot_id"][0]] -= row["quantity"]
    return left


def _taken(left: dict[int, float], quantity: float) -> list[tuple[int | None, float]]:
    """Take a quantity from these lots, in order; what no lot is named for has none."""
    taken: list[tuple[int | None, float]] = []
    for lot, there in left.items():
        some = round(min(there, quantity), 2)
        if some >= _SMALLEST:
            taken.append((lot, some))
            left[lot] = there - some
            quantity -= some
    return taken if quantity < _SMALLEST else [*taken, (None, round(quantity, 2))]
