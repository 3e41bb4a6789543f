"""What the policies name, found in Odoo, or why a record has to do without: `Missing`, with what it waits for.

Contract: nothing is made here. `Missing` is for `Outcomes.missing`: with nothing to wait for it is a dead letter, because only the
policies or the channel can mend it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from loaders.delivering import lookups

if TYPE_CHECKING:
    from loaders.delivering.work import Work

COMPANY = "res.company"
_CALLED = {
    COMPANY: "company",
    "account.account": "account",
    "account.journal": "journal",
    "account.tax": "sale tax",
    "crm.team": "sales team",
    "product.pricelist": "price list",
    "res.currency": "active currency",
    "stock.warehouse": "warehouse",
    "uom.uom": "unit of measure",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Missing:
    """Why a record can't go to Odoo. `waits_for` None: waiting does not mend it."""

    waits_for: str | None
    why: str


def named(
    work: Work, model: str, name: str, *, company_id: int | None = None, where: tuple[Any, ...] = ()
) -> int | Missing:
    """Return the id of what the policies call so (OdooNames.find)."""
    odoo_id = work.names.find(model, name, company_id=company_id, where=where)
    if odoo_id is None:
        return Missing(waits_for=lookups.in_odoo(model, name), why=f"Odoo has no {_CALLED[model]} {name}")
    return odoo_id


def company_of(work: Work, source: str) -> int | Missing:
    """Return the company of a channel: the one that its policy names, else the integration user's own."""
    name = work.channel(source).company
    return work.names.home_company_id() if name is None else named(work, COMPANY, name)


def context_company(work: Work, source: str) -> int | None:
    """Return the company that this channel's records are written in; None for the integration user's own, which needs no word."""
    name = work.channel(source).company
    return None if name is None else work.names.find(COMPANY, name)
