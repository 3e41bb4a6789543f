"""Order lines, as sale.order.line, with explicit price, discount and tax (order_terms).

The price goes with every load: given on create only, Odoo takes it for the list price's and recomputes it with the quantity
(technical_price_unit, sale/models/sale_order_line.py). Odoo adjusts the moves of a confirmed order by itself: it also plans again
what was given up or has come back, so that the order's final shipment is looked at once more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

from loaders.delivering import references
from loaders.delivering.bisection import each_or_refused
from loaders.delivering.claims import Due
from loaders.delivering.load import LoadRow
from loaders.delivering.references import Reference
from loaders.delivering.work import Prepared, Work, load_prepared
from loaders.odoo.named import Missing, context_company
from loaders.sales.line_products import LineProducts
from loaders.sales.order_terms import line_cells

MODEL = "sale.order.line"
ORDER = "order_id/id"


def deliver_lines(work: Work, batch: Sequence[Due]) -> None:
    """Load these lines; those whose order or product is not in Odoo are parked; the deleted ones are taken back."""
    orders = references.records(work.connection, [due.aggregate_id for due in batch])
    own = references.records(work.connection, [due.record_id for due in batch])
    _take_back(work, [due for due in batch if due.is_delete], orders, own)
    live = [due for due in batch if not due.is_delete]
    products = LineProducts(work, [(due.source, due.payload) for due in live])
    substituted = references.substituted(
        work.connection, [record_id for record_id, line in own.items() if line.is_bound]
    )
    prepared = []
    for due in live:
        if _waits(work, due, orders.get(due.aggregate_id), products):
            continue
        order = orders[due.aggregate_id]
        in_order = work.external_id(order.canonical_id, order)
        row = line_row(work, due, in_order, products, substituted.get(due.record_id, Decimal(0)))
        if isinstance(row, Missing):
            work.outcomes.missing(due, row.waits_for, row.why)
            continue
        prepared.append(Prepared(due=due, row=row, bound=own.get(due.record_id)))
    for one, odoo_id in load_prepared(work, MODEL, prepared):
        work.outcomes.delivered(one.due, model=MODEL, odoo_id=odoo_id)
        if one.bound is not None and one.bound.is_bound and not one.unchanged:
            work.outcomes.changed_after_shipping(one.due.aggregate_id)


def line_row(
    work: Work, due: Due, order: str, products: LineProducts, substituted: Decimal = Decimal(0)
) -> LoadRow | Missing:
    """Return what says this line to Odoo, or what it lacks. `order`: its order's external id."""
    terms = line_cells(work, due.source, due.payload)
    if isinstance(terms, Missing):
        return terms
    cells = _cells(work, due, order, products, substituted)
    return LoadRow(cells=cells | terms, company_id=context_company(work, due.source))


def _waits(work: Work, due: Due, order: Reference | None, products: LineProducts) -> bool:
    """Park the line, or settle it with its order; tell whether that was done."""
    if order is not None and order.status == "duplicate":
        work.outcomes.duplicate(due, "its order was sent before by the channel")
        return True
    missing = products.missing(due.source, due.payload)
    if missing is not None:
        work.outcomes.parked(due, missing, f"its product is not in Odoo yet ({missing})")
        return True
    if order is None or not order.is_bound:
        work.outcomes.parked(due, due.aggregate_id, "its order is not in Odoo yet")
        return True
    return False


def _cells(work: Work, due: Due, order: str, products: LineProducts, substituted: Decimal) -> dict[str, str]:
    payload = due.payload
    return {
        "id": work.external_id(due.canonical_id),
        ORDER: order,
        "product_id/id": products.external_id(due.source, payload),
        "name": products.name(due.source, payload),
        "product_uom_qty": str(Decimal(payload["quantity"]) - substituted),
        "discount": payload["discount_percent"],
        "sequence": str(payload["line_number"]),
    } | _freight_mark(work, payload)


def _freight_mark(work: Work, payload: Mapping[str, Any]) -> dict[str, str]:
    """Freight is marked as such where Odoo knows the mark: with its app `delivery` (delivery/models/sale_order_line.py)."""
    if not work.names.has_field(MODEL, "is_delivery"):
        return {}
    return {"is_delivery": "1" if payload["kind"] == "freight" else ""}


def _take_back(
    work: Work, deleted: Sequence[Due], orders: Mapping[str, Reference], own: Mapping[str, Reference]
) -> None:
    """Unlink the lines of a draft; on a confirmed order Odoo allows only the quantity 0. A deleted order's are left alone."""
    acting = [due for due in deleted if own[due.record_id].is_bound and orders[due.aggregate_id].operation == "upsert"]
    ids = {due.record_id: own[due.record_id].odoo_id or 0 for due in acting}
    states = work.client.read_by_id(MODEL, list(ids.values()), ["state", "price_unit"])
    drafts = [
        line_id for line_id in ids.values() if line_id in states and states[line_id]["state"] in ("draft", "sent")
    ]
    is_confirmed = work.client.dialect.is_confirmed
    confirmed = [line_id for line_id in ids.values() if line_id in states and is_confirmed(states[line_id])]
    refused = each_or_refused(lambda some: work.client.call(MODEL, "unlink", [some]), drafts)
    for line_id in confirmed:
        # With its price, which Odoo would recompute otherwise.
        zero = {"product_uom_qty": 0, "price_unit": states[line_id]["price_unit"]}
        refused |= each_or_refused(partial(_write, work, zero), [line_id])
    for due in deleted:
        odoo_id = ids.get(due.record_id)
        if odoo_id in refused:
            work.outcomes.dead(due, refused[odoo_id])
        else:
            work.outcomes.sent(due, "")
            work.outcomes.delivered(due, model=MODEL, odoo_id=odoo_id, cancelled=True)


def _write(work: Work, values: dict[str, float], ids: list[int]) -> None:
    work.client.write(MODEL, ids, values)
