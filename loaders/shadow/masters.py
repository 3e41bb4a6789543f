"""Customers and products compared with Odoo's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from loaders.delivering.claims import Due
from loaders.delivering.work import Work
from loaders.sales import partners, products
from loaders.shadow.matching import NaturalKey, match
from loaders.shadow.verdict import Compared, Verdict, compared

# Canonical field -> Odoo's.
_CUSTOMER = {
    "name": "name", "email": "email", "vat": "vat", "phone": "phone", "street": "street", "street2": "street2", "city": "city",
    "postcode": "zip", "is_company": "is_company", "active": "active",
}  # fmt: skip
_PRODUCT = {
    "name": "name",
    "barcode": "barcode",
    "list_price": "list_price",
    "cost": "standard_price",
    "active": "active",
}


def compare_customers(work: Work, batch: Sequence[Due]) -> list[Compared]:
    """Contacts by VAT number, then by e-mail. An address has no key that names it alone: it is looked for in the crosswalk only."""
    keys = (
        NaturalKey(
            name="vat", field="vat", value=lambda due: _of_contact(due, "vat"), where=[["parent_id", "=", False]]
        ),
        NaturalKey(
            name="email", field="email", value=lambda due: _of_contact(due, "email"), where=[["parent_id", "=", False]]
        ),
    )
    return _compare(work, partners.MODEL, batch, keys, _CUSTOMER)


def compare_products(work: Work, batch: Sequence[Due]) -> list[Compared]:
    """By barcode, then by our own code, then by the channel's."""
    keys = (
        NaturalKey(name="barcode", field="barcode", value=lambda due: due.payload.get("barcode")),
        NaturalKey(name="sku", field="default_code", value=lambda due: due.payload.get("sku")),
        NaturalKey(name="channel_sku", field="default_code", value=lambda due: due.payload.get("channel_sku")),
    )
    return _compare(work, products.MODEL, batch, keys, _PRODUCT)


def _of_contact(due: Due, name: str) -> str | None:
    return due.payload.get(name) if due.payload.get("kind") == "contact" else None


def _compare(
    work: Work, model: str, batch: Sequence[Due], keys: Sequence[NaturalKey], fields: Mapping[str, str]
) -> list[Compared]:
    matches = match(work, model, batch, keys, list(fields.values()))
    found = []
    for due in batch:
        if due.record_id in matches.ambiguous:
            found.append(Compared(due=due, verdict=Verdict.AMBIGUOUS, model=model))
        else:
            found.append(compared(due, model, matches.found.get(due.record_id), _ours(work, due, fields)))
    return found


def _ours(work: Work, due: Due, fields: Mapping[str, str]) -> dict[str, Any]:
    """What would be written: without the fields that another system owns, and nothing but the archiving of a deleted record."""
    if due.is_delete:
        return {"active": False}
    owners = work.policies.ownership(due.entity)
    return {
        its: due.payload.get(ours)
        for ours, its in fields.items()
        if owners.may_write(due.source, ours) and (ours in due.payload or its == "active")
    }
