"""Customers and their addresses, as res.partner. Contacts go before addresses: an address needs its contact's external id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from loaders.arriving.survivorship import survivors
from loaders.delivering import lookups, references
from loaders.delivering.claims import Due
from loaders.delivering.references import Reference
from loaders.delivering.work import Prepared, Work, load_prepared
from loaders.sales.archive import archive_deleted

MODEL = "res.partner"
# Odoo names countries by their ISO codes, but for this one (odoo/addons/base/data/res_country_data.xml).
_COUNTRY_NAMES = {"gb": "uk"}


def deliver_partners(work: Work, batch: Sequence[Due]) -> None:
    """Load these customers. An address whose contact is not in Odoo is parked; a deleted customer is archived."""
    archive_deleted(work, MODEL, [due for due in batch if due.is_delete])
    wanted = [due for due in batch if not due.is_delete]
    parents = {due.record_id: _parent(due) for due in wanted}
    known = references.records(
        work.connection, [*(due.canonical_id for due in wanted), *filter(None, parents.values())]
    )
    prepared = []
    for one in survivors(work, wanted):
        due = one.due
        parent_id = parents[due.record_id]
        parent = known.get(parent_id) if parent_id else None
        if parent_id and (parent is None or not parent.is_bound):
            work.outcomes.parked(due, parent.canonical_id if parent else parent_id, "its customer is not in Odoo yet")
            continue
        bound = known.get(due.canonical_id)
        is_bound = bound is not None and bound.is_bound
        row = one.row(_cells(work, due, parent, bound), is_bound=is_bound)
        prepared.append(Prepared(due=due, row=row, bound=bound))
    for loaded, odoo_id in load_prepared(work, MODEL, prepared):
        work.outcomes.delivered(loaded.due, model=MODEL, odoo_id=odoo_id)


def _parent(due: Due) -> str | None:
    key = due.payload.get("parent_key")
    return lookups.record("customer", due.source, key) if key else None


def _cells(work: Work, due: Due, parent: Reference | None, bound: Reference | None) -> dict[str, str]:
    payload = due.payload
    return {
        "id": work.external_id(due.canonical_id, bound),
        "name": payload["name"],
        "type": payload["kind"],
        "parent_id/id": work.external_id(parent.canonical_id, parent) if parent else "",
        "is_company": "1" if payload["is_company"] else "",
        "email": _text(payload, "email"),
        "vat": _text(payload, "vat"),
        "phone": _text(payload, "phone"),
        "street": _text(payload, "street"),
        "street2": _text(payload, "street2"),
        "city": _text(payload, "city"),
        "zip": _text(payload, "postcode"),
        "country_id/id": _country(payload.get("country_code")),
        "active": "1" if payload["active"] else "",
    }


def _text(payload: Mapping[str, Any], name: str) -> str:
    return payload.get(name) or ""


def _country(code: str | None) -> str:
    if not code:
        return ""
    lower = code.lower()
    return f"base.{_COUNTRY_NAMES.get(lower, lower)}"
