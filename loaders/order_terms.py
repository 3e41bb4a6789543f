"""What a channel's policy makes of its orders in Odoo: company, price list, team and warehouse; each line's tax and price.

Contract: looks up what the policy names (OdooNames) and never makes any of it. What an order or a line lacks comes back as
`Missing`: with what to wait for, or with nothing, where only the policies or the channel can mend it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from loaders import lookups

if TYPE_CHECKING:
    from config.policies import ChannelPolicy
    from loaders.work import Work

TAX, COMPANY, PRICE_LIST, TEAM, WAREHOUSE = (
    "account.tax",
    "res.company",
    "product.pricelist",
    "crm.team",
    "stock.warehouse",
)
_CALLED = {
    TAX: "sale tax",
    COMPANY: "company",
    PRICE_LIST: "price list",
    TEAM: "sales team",
    WAREHOUSE: "warehouse",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Missing:
    """Why an order or a line can't go to Odoo. `waits_for` None: waiting does not mend it."""

    waits_for: str | None
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderTerms:
    """The cells that an order is made with, and the company that it is made in (None: the integration user's)."""

    cells: Mapping[str, str]
    company_id: int | None


def order_terms(work: Work, source: str, currency: str) -> OrderTerms | Missing:
    """Return what an order of this channel is made with.

    A price list can't be written to a confirmed order (sale/models/sale_order.py, write), and the others are people's to change:
    an order is made with them, and they are never written again.
    """
    channel = work.channel(source)
    company_id = _company_id(work, channel)
    if isinstance(company_id, Missing):
        return company_id
    price_list = channel.currencies.get(currency)
    if channel.currencies and price_list is None:
        words = f"the policies have no price list for {currency} (channels.{source}.currencies)"
        return Missing(waits_for=None, why=words)
    cells = {} if company_id is None else {"company_id/.id": str(company_id)}
    for column, model, name, where in (
        ("pricelist_id", PRICE_LIST, price_list, ("currency_id.name", "=", currency)),
        ("team_id", TEAM, channel.team, ()),
        ("warehouse_id", WAREHOUSE, channel.warehouse, ()),
    ):
        if name is None:
            continue
        odoo_id = work.names.find(model, name, company_id=company_id, where=where)
        if odoo_id is None:
            return _not_there(model, f"{name} in {currency}" if model == PRICE_LIST else name, name)
        cells[f"{column}/.id"] = str(odoo_id)
    return OrderTerms(cells=cells, company_id=company_id)


def line_cells(work: Work, source: str, payload: Mapping[str, Any]) -> dict[str, str] | Missing:
    """Return the cells of a line's tax and price.

    An empty tax cell keeps Odoo's default tax off the line. Where the tax is in the channel's prices and not in Odoo's, or the
    other way round, the price is converted with the rate that Odoo's tax has.
    """
    taxes = work.channel(source).taxes
    tax = _tax(work, source, payload)
    if isinstance(tax, Missing):
        return tax
    if tax is None:
        return {"tax_id/.id": "", "price_unit": payload["unit_price"]}
    price = payload["unit_price"]
    if tax["price_include"] != taxes.prices_include:
        if tax["amount_type"] != "percent":
            return Missing(waits_for=None, why=f"Odoo's tax {tax['name']} is no percentage: prices cannot be converted")
        factor = 1 + Decimal(str(tax["amount"])) / 100
        price = str(Decimal(price) / factor if taxes.prices_include else Decimal(price) * factor)
    return {"tax_id/.id": str(tax["id"]), "price_unit": price}


def company_of(work: Work, source: str) -> int | None:
    """Return the company that this channel's records are made in; None for the integration user's, or one that Odoo lacks."""
    name = work.channel(source).company
    return None if name is None else work.names.find(COMPANY, name)


def _company_id(work: Work, channel: ChannelPolicy) -> int | Missing | None:
    if channel.company is None:
        return None
    return work.names.find(COMPANY, channel.company) or _not_there(COMPANY, channel.company)


def _tax(work: Work, source: str, payload: Mapping[str, Any]) -> Mapping[str, Any] | Missing | None:
    """Return Odoo's tax for the line's rate; None for no tax. No rate, and a rate of 0 that the policy does not name, are no tax."""
    channel = work.channel(source)
    rate = Decimal(payload.get("tax_rate") or 0)
    name = channel.taxes.of_rate(rate) if payload.get("tax_rate") is not None else None
    if name is None:
        if rate == 0 or channel.taxes.missing == "none":
            return None
        words = f"the policies have no tax for its rate of {rate.normalize():f} % (channels.{source}.taxes.by_rate)"
        return Missing(waits_for=None, why=words)
    company_id = _company_id(work, channel)
    if isinstance(company_id, Missing):
        return company_id
    company_id = company_id or work.names.home_company_id()
    tax_id = work.names.find(TAX, name, company_id=company_id, where=("type_tax_use", "=", "sale"))
    if tax_id is None:
        return _not_there(TAX, name)
    return work.names.values(TAX, tax_id, ("name", "amount", "amount_type", "price_include"))


def _not_there(model: str, called: str, name: str | None = None) -> Missing:
    return Missing(waits_for=lookups.in_odoo(model, name or called), why=f"Odoo has no {_CALLED[model]} {called}")
