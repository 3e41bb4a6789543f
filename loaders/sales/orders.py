"""Orders, as sale.order. An order goes to Odoo whole or not at all: with a line that cannot follow, it waits.

Contract: a new order is loaded with its lines where all of them are claimed with it (whole_orders); else its header is, and its
lines follow (lines). Then an order stays pending, at the stage 'state' (order_state confirms or cancels it). A deleted order is
cancelled here; its lines have nothing left to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from loaders.delivering import lookups, references
from loaders.delivering.claims import Due
from loaders.delivering.load import LoadRow
from loaders.delivering.references import OrderLine, Reference
from loaders.delivering.work import Prepared, Work, load_prepared
from loaders.odoo.named import Missing, context_company
from loaders.sales.line_products import LineProducts
from loaders.sales.order_state import cancel_in_odoo, ordered_at
from loaders.sales.order_terms import line_cells, order_terms
from loaders.sales.whole_orders import load_whole

ENTITY = "sales_order"
MODEL = "sale.order"


def deliver_orders(work: Work, batch: Sequence[Due]) -> None:
    """Load these orders; park those whose customer, address or lines are not ready; cancel the deleted ones.

    `batch`: orders, and lines that may go with them. The lines that do not stay due.
    """
    orders = [due for due in batch if due.entity == ENTITY]
    claimed = [due for due in batch if due.entity != ENTITY]
    known = references.records(work.connection, _wanted(orders))
    _cancel_deleted(work, [due for due in orders if due.is_delete], known)
    live = [due for due in orders if not due.is_delete]
    lines = _lines(work, [due for due in live if not _is_bound(due, known)])
    blocked = _blocked_by_lines(work, lines)
    prepared = []
    for due in live:
        missing = _missing_partner(due, known) or blocked.get(due.record_id)
        row = missing or _row(work, due, known)
        if isinstance(row, Missing):
            work.outcomes.missing(due, row.waits_for, row.why)
        else:
            prepared.append(Prepared(due=due, row=row, bound=known.get(due.canonical_id)))
    in_odoo = load_whole(work, prepared, claimed, lines)
    for one, _ in load_prepared(work, MODEL, [one for one in prepared if one.due.record_id not in in_odoo]):
        work.outcomes.loaded(one.due)
    settled = work.outcomes.settled_ids
    for due in claimed:
        if due.record_id not in settled:
            work.outcomes.load_again(due)


def _customer(due: Due) -> str:
    return lookups.record("customer", due.source, due.payload["customer_key"])


def _address(due: Due) -> str | None:
    key = due.payload.get("delivery_address_key")
    return lookups.record("customer", due.source, key) if key else None


def _wanted(batch: Sequence[Due]) -> list[str]:
    wanted = [due.canonical_id for due in batch]
    for due in batch:
        if not due.is_delete:
            wanted += [identifier for identifier in (_customer(due), _address(due)) if identifier]
    return wanted


def _is_bound(due: Due, known: Mapping[str, Reference]) -> bool:
    return due.canonical_id in known and known[due.canonical_id].is_bound


def _missing_partner(due: Due, known: Mapping[str, Reference]) -> Missing | None:
    """Return what the order waits for and why, if a partner is not in Odoo."""
    for what, identifier in (("customer", _customer(due)), ("delivery address", _address(due))):
        reference = known.get(identifier) if identifier else None
        if identifier and (reference is None or not reference.is_bound):
            waits_for = reference.canonical_id if reference else identifier
            return Missing(waits_for=waits_for, why=f"its {what} is not in Odoo yet")
    return None


def _lines(work: Work, orders: Sequence[Due]) -> dict[str, list[OrderLine]]:
    return references.order_lines(work.connection, [due.record_id for due in orders]) if orders else {}


def _blocked_by_lines(work: Work, lines: Mapping[str, Sequence[OrderLine]]) -> dict[str, Missing]:
    """Return, by order, what the first line lacks that cannot go to Odoo."""
    products = LineProducts(work, [(line.source, line.payload) for group in lines.values() for line in group])
    blocked = {}
    for order_id, group in lines.items():
        waiting = next(filter(None, (_line_lacks(work, products, line) for line in group)), None)
        if waiting is not None:
            blocked[order_id] = waiting
    return blocked


def _line_lacks(work: Work, products: LineProducts, line: OrderLine) -> Missing | None:
    called = f"its line {line.record_id}"
    if line.status == "dead":
        return Missing(waits_for=line.record_id, why=f"{called} is a dead letter")
    missing = products.missing(line.source, line.payload)
    if missing:
        return Missing(waits_for=missing, why=f"{called} waits for {missing}")
    terms = line_cells(work, line.source, line.payload)
    return Missing(waits_for=terms.waits_for, why=f"{called}: {terms.why}") if isinstance(terms, Missing) else None


def _row(work: Work, due: Due, known: Mapping[str, Reference]) -> LoadRow | Missing:
    cells = _cells(work, due, known)
    if _is_bound(due, known):
        return LoadRow(cells=cells, company_id=context_company(work, due.source))
    terms = order_terms(work, due.source, due.payload["currency"])
    if isinstance(terms, Missing):
        return terms
    return LoadRow(cells=cells, first=terms.cells, company_id=terms.company_id)


def _cells(work: Work, due: Due, known: Mapping[str, Reference]) -> dict[str, str]:
    payload = due.payload
    customer = known[_customer(due)]
    address_id = _address(due)
    address = known[address_id] if address_id else customer
    return {
        "id": work.external_id(due.canonical_id, known.get(due.canonical_id)),
        "name": payload["order_number"],
        "partner_id/id": work.external_id(customer.canonical_id, customer),
        "partner_shipping_id/id": work.external_id(address.canonical_id, address),
        "date_order": ordered_at(payload),
        "client_order_ref": payload.get("client_reference") or payload["order_number"],
        "origin": payload["order_number"],
        "note": payload.get("note") or "",
    }


def _cancel_deleted(work: Work, deleted: Sequence[Due], known: Mapping[str, Reference]) -> None:
    """Cancel what Odoo has of these. Cancelling keeps the trail of what was reserved or shipped; unlink would not."""
    ids = {due.record_id: known[due.canonical_id].odoo_id for due in deleted if _is_bound(due, known)}
    refused = cancel_in_odoo(work, [odoo_id for odoo_id in ids.values() if odoo_id is not None])
    for due in deleted:
        odoo_id = ids.get(due.record_id)
        if odoo_id in refused:
            work.outcomes.dead(due, refused[odoo_id])
        else:
            work.outcomes.sent(due, "")
            work.outcomes.delivered(due, model=MODEL, odoo_id=odoo_id, cancelled=True)
