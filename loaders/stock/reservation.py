"""Reserving: transfers of confirmed orders that lacked goods are looked at again when those goods have arrived.

A move that was confirmed before there was stock stays unreserved until somebody asks (stock.picking, action_assign); Odoo's own
scheduler does so once a day.
"""

from __future__ import annotations

from collections.abc import Collection

from loaders.delivering.bisection import each_or_refused
from loaders.delivering.work import Work

_AT_ONCE = 50
_LACKING = ["confirmed", "partially_available"]


def reserve_arrived(work: Work, product_ids: Collection[int]) -> None:
    """Reserve these products for the orders whose transfers wait for them. What Odoo refuses stays as it is."""
    if not product_ids:
        return
    domain = [
        ["product_id", "in", sorted(product_ids)],
        ["state", "in", _LACKING],
        ["sale_line_id", "!=", False],
        ["picking_id", "!=", False],
    ]
    moves = work.client.search_read("stock.move", domain, ["picking_id"])
    pickings = sorted({move["picking_id"][0] for move in moves})
    each_or_refused(lambda some: work.client.call("stock.picking", "action_assign", [some]), pickings, _AT_ONCE)
