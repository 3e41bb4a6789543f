"""What a channel's policy makes of its orders in Odoo: company, price list, team and warehouse; each line's tax and price.

Contract: looks up what the policy names (named) and never makes any of it. What an order or a line lacks comes back as `Missing`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from loaders.odoo.named import COMPANY, Missing, company_of, named

if TYPE_CHECKING:
    from loaders.delivering.work import Work

TAX = "account.tax"


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
    price_list = channel.currencies.get(currency)
    if channel.currencies and price_list is None:
        words = f"the policies have no price list for {currency} (channels.{source}.currencies)"
        return Missing(waits_for=None, why=words)
    company_id: int | None = None
    cells = {}
    for column, model, name, where in (
        ("company_id", COMPANY, channel.company, ()),
        ("pricelist_id", "product.pricelist", price_list, ("currency_id.name", "=", currency)),
        ("team_id", "crm.team", channel.team, ()),
        ("warehouse_id", "stock.warehouse", channel.warehouse, ()),
    ):
        if name is None:
            continue
        found = named(work, model, name, company_id=company_id, where=where)
        if isinstance(found, Missing):
            return found
        cells[f"{column}/.id"] = str(found)
        company_id = found if model == COMPANY else company_id
    return OrderTerms(cells=cells, company_id=company_id)


def line_cells(work: Work, source: str, payload: Mapping[str, Any]) -> dict[str, str] | Missing:
    """Return the cells of a line's tax and price.

    An empty tax cell keeps Odoo's default tax off the line. Where the tax is in the channel's prices and not in Odoo's, or the
    other way round, the price is converted with the rate that Odoo's tax has.
    """
    price, included = payload["unit_price"], work.channel(source).taxes.prices_include
    column = f"{work.client.dialect.line_tax}/.id"
    tax = _tax(work, source, payload)
    if isinstance(tax, Missing):
        return tax
    if tax is None:
        return {column: "", "price_unit": price}
    if tax["price_include"] != included:
        if tax["amount_type"] != "percent":
            return Missing(waits_for=None, why=f"Odoo's tax {tax['name']} is no percentage: prices cannot be converted")
        factor = 1 + Decimal(str(tax["amount"])) / 100
        price = str(Decimal(price) / factor if included else Decimal(price) * factor)
    return {column: str(tax["id"]), "price_unit": price}


def _tax(work: Work, source: str, payload: Mapping[str, Any]) -> Mapping[str, Any] | Missing | None:
    """Return Odoo's tax for the line's rate; None for no tax. No rate, and a rate of 0 that the policy does not name, are no tax."""
    taxes = work.channel(source).taxes
    rate = Decimal(payload.get("tax_rate") or 0)
    name = taxes.of_rate(rate) if payload.get("tax_rate") is not None else None
    if name is None:
        if rate == 0 or taxes.missing == "none":
            return None
        words = f"the policies have no tax for its rate of {rate.normalize():f} % (channels.{source}.taxes.by_rate)"
        return Missing(waits_for=None, why=words)
    company_id = company_of(work, source)
    if isinstance(company_id, Missing):
        return company_id
    found = named(work, TAX, name, company_id=company_id, where=("type_tax_use", "=", "sale"))
    if isinstance(found, Missing):
        return found
    return work.names.values(TAX, found, ("name", "amount", "amount_type", "price_include"))
