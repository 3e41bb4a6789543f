"""A delivery step of a domain in shadow mode: compares where the live step would write."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import groupby

from loaders.delivering.claims import Due
from loaders.delivering.work import Work
from loaders.named_sql import statements
from loaders.shadow.masters import compare_customers, compare_products
from loaders.shadow.orders import compare_orders, compare_shipments
from loaders.shadow.verdict import Compared, Verdict
from loaders.state import translated

_COMPARISONS: dict[str, Callable[[Work, Sequence[Due]], list[Compared]]] = {
    "customer": compare_customers,
    "product": compare_products,
    "sales_order": compare_orders,
    "shipment": compare_shipments,
    "shipment_line": compare_shipments,
}


def compare(work: Work, batch: Sequence[Due]) -> None:
    """Compare these records with Odoo's and settle them as shadowed. A line of an order is compared with its order."""
    found: list[Compared] = []
    for entity, group in groupby(sorted(batch, key=lambda due: due.entity), key=lambda due: due.entity):
        its, comparison = list(group), _COMPARISONS.get(entity)
        found += comparison(work, its) if comparison else [_left(due) for due in its]
    _store(work, found)
    for one in found:
        work.outcomes.shadowed(one.due)


def _left(due: Due) -> Compared:
    return Compared(due=due, verdict=Verdict.NOT_COMPARED)


def _store(work: Work, found: Sequence[Compared]) -> None:
    rows = [
        (
            one.due.record_id,
            one.due.entity,
            one.model,
            one.odoo_id,
            one.matched_by,
            one.verdict.value,
            json.dumps(one.differences),
        )
        for one in found
    ]
    if rows:
        with translated("storing a comparison"):
            columns = [list(column) for column in zip(*rows, strict=True)]
            work.connection.execute(statements("shadow/shadow.sql")["store"], columns)
            work.connection.commit()
