"""`causeway check` on the policies: what they say in words, what they name that Odoo has not, and what can't work together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from config.policies import ChannelPolicy, Domain, DomainPolicy, Mode, Ownership, Policies
from config.settings import Settings
from loaders.odoo.client import OdooClient
from loaders.odoo.odoo_names import OdooNames
from transforms.canonical import ENTITIES

# A domain that writes what refers to another's.
_NEEDS = {
    Domain.ORDERS: (Domain.CUSTOMERS, Domain.PRODUCTS),
    Domain.SHIPMENTS: (Domain.ORDERS,),
    Domain.RETURNS: (Domain.SHIPMENTS,),
    Domain.INVOICES: (Domain.ORDERS,),
    Domain.PAYMENTS: (Domain.INVOICES,),
    Domain.STOCK: (Domain.PRODUCTS,),
}


@dataclass(frozen=True, kw_only=True)
class Said:
    """One thing that the policies say, and whether it can be kept."""

    subject: str
    ok: bool
    message: str


@dataclass(frozen=True, kw_only=True)
class _Named:
    """Something of Odoo's that a policy names. `field`: the policy's, dotted."""

    field: str
    model: str
    name: str
    where: tuple[Any, ...] = ()


def explain(policies: Policies) -> Iterator[Said]:
    """Say in words what holds for each domain, entity and source that the policies speak of. Asks nobody."""
    yield Said(subject="policies", ok=True, message=f"version {policies.version}")
    for domain, policy in policies.domains.items():
        yield Said(subject=f"domain {domain.value}", ok=True, message=_of_domain(policy))
    for domain, needed in _NEEDS.items():
        waiting = [one.value for one in needed if policies.domain(one).mode is not Mode.LIVE]
        if policies.domain(domain).mode is Mode.LIVE and waiting:
            message = f"is live, but {' and '.join(waiting)} not: what refers to them waits"
            yield Said(subject=f"domain {domain.value}", ok=False, message=message)
    for entity, owners in policies.owners.items():
        yield _of_owners(entity, owners)
    for source, channel in policies.channels.items():
        yield Said(subject=f"policy of {source}", ok=True, message=_of_channel(channel))


def missing(settings: Settings, client: OdooClient) -> Iterator[Said]:
    """Look for everything that the policies name in Odoo. Raises OdooError."""
    names = OdooNames(client)
    for source, channel in settings.policies.channels.items():
        company_id = names.find("res.company", channel.company) if channel.company else None
        found = 0
        for named in _named(channel):
            of_company = None if named.model == "res.company" else company_id
            if names.find(named.model, named.name, company_id=of_company, where=named.where) is None:
                what = f"{named.name} ({named.model})" + (f" of {channel.company}" if of_company else "")
                message = f"Odoo has no {what}; records that need it wait for it"
                yield Said(subject=f"policies.channels.{source}.{named.field}", ok=False, message=message)
            else:
                found += 1
        if found:
            yield Said(subject=f"policy of {source}", ok=True, message=f"{found} things that it names are in Odoo")


def _of_domain(policy: DomainPolicy) -> str:
    modes = {
        Mode.LIVE: "written to Odoo",
        Mode.SHADOW: "compared with Odoo, nothing is written",
        Mode.HELD: "held back in the outbox",
    }
    words = [modes[policy.mode]]
    if policy.mode is not Mode.HELD:
        words.append("at once" if policy.deliver == "realtime" else policy.deliver)
    if policy.service_level_s is not None:
        words.append(f"in time up to {policy.service_level_s:g} s")
    return ", ".join([*words, f"priority {policy.priority}"])


def _of_owners(entity: str, owners: Ownership) -> Said:
    subject = f"policies.owners.{entity}"
    if entity not in ENTITIES:
        return Said(subject=subject, ok=False, message=f"is no entity; known are {', '.join(sorted(ENTITIES))}")
    unknown = sorted(set(owners.fields) - set(ENTITIES[entity].business_fields()))
    if unknown:
        return Said(subject=subject, ok=False, message=f"has no field {', '.join(unknown)}")
    fields = [f"{field} is {owner}'s" for field, owner in owners.fields.items()]
    return Said(subject=subject, ok=True, message="; ".join([f"owned by {owners.owner or 'any source'}", *fields]))


def _of_channel(channel: ChannelPolicy) -> str:
    money, stock = channel.money, channel.stock
    invoicing = {"never": "not invoiced", "on_order": "invoiced when ordered", "on_delivery": "invoiced when delivered"}
    words = [
        f"company {channel.company or 'as the user'}",
        f"warehouse {channel.warehouse or 'as the company'}",
        f"{len(channel.taxes.by_rate)} tax rates mapped, others {'without tax' if channel.taxes.missing == 'none' else 'dead letters'}",
        f"a price off by more than {channel.price_difference.amount}: {channel.price_difference.beyond}",
        f"a tax off by more than {channel.tax_difference.amount}: {channel.tax_difference.beyond}",
        invoicing[money.invoicing],
        f"payments by {', '.join(money.payment_methods) or 'no method'} booked",
        "statements booked" if money.settlement_journal else "statements not booked",
        f"a short final shipment: {stock.shortage}",
        f"a substitute: {stock.substitution}",
        f"counts {'applied' if stock.counts else 'not applied'}",
    ]
    return "; ".join(words)


def _named(channel: ChannelPolicy) -> Iterator[_Named]:
    sale = ("type_tax_use", "=", "sale")
    money = channel.money
    one_by_one = {
        "company": ("res.company", channel.company),
        "warehouse": ("stock.warehouse", channel.warehouse),
        "team": ("crm.team", channel.team),
        "money.sales_journal": ("account.journal", money.sales_journal),
        "money.settlement_journal": ("account.journal", money.settlement_journal),
        "money.clearing_account": ("account.account", money.clearing_account),
        "money.reserve_account": ("account.account", money.reserve_account),
        "money.settled_account": ("account.account", money.settled_account),
        "money.payout_account": ("account.account", money.payout_account),
    }
    for field, (model, name) in one_by_one.items():
        if name is not None:
            yield _Named(field=field, model=model, name=name)
    maps = {
        "warehouses": ("stock.warehouse", channel.warehouses),
        "currencies": ("product.pricelist", channel.currencies),
        "units": ("uom.uom", channel.units),
        "carriers": ("delivery.carrier", channel.carriers),
        "money.fee_accounts": ("account.account", money.fee_accounts),
    }
    for field, (model, mapped) in maps.items():
        yield from (_Named(field=f"{field}.{key}", model=model, name=name) for key, name in mapped.items())
    for rate, tax in channel.taxes.by_rate.items():
        yield _Named(field=f"taxes.by_rate.{rate}", model="account.tax", name=tax, where=sale)
    for method, rule in money.payment_methods.items():
        yield _Named(field=f"money.payment_methods.{method}.journal", model="account.journal", name=rule.journal)
