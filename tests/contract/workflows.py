"""A few days of a channel and a warehouse, one order a workflow, as canonical records; and a run of them to the end.

An order's name says what happens to it. Stages are told one after the other: `run(end)` delivers each before the next arrives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from config.policies import Policies
from loaders.odoo.client import OdooClient
from tests.contract.books import Books, books
from tests.fixtures.delivery import (
    NOON,
    OdooEnd,
    address,
    customer,
    deleted,
    line,
    order,
    product,
    return_line,
    returned,
    shipment,
    shipment_line,
    upsert,
)
from transforms.changes import AnyChange

Changes = list[AnyChange]
Stage = Callable[["Channel"], Changes]


@dataclass(frozen=True, kw_only=True)
class Channel:
    """What a shop and its warehouse call things: the test's prefix is in what Odoo finds them by."""

    prefix: str
    currency: str

    def sku(self, key: str) -> str:
        return f"{key.upper()}-{self.prefix}"

    def masters(self) -> Changes:
        """A customer with an address, and three products."""
        return [
            customer(name=f"Acme {self.prefix}", email=f"acme@{self.prefix}.example", street="Long Row 3"),
            address(name=f"Depot {self.prefix}", street="Dock 4"),
            *(product(key=key, sku=self.sku(key), name=f"Thing {key}") for key in ("p1", "p2", "p3")),
        ]

    def order(self, key: str, *quantities: str, **fields: Any) -> Changes:
        """An order with a line for each quantity, of p1, p2, ..."""
        lines = [self.line(key, number, quantity=quantity) for number, quantity in enumerate(quantities, 1)]
        return [self.head(key, **fields), *lines]

    def head(self, key: str, **fields: Any) -> AnyChange:
        return order(key=key, currency=self.currency, **fields)

    def line(self, key: str, number: int, **fields: Any) -> AnyChange:
        values = {"product_key": f"p{number}"} if fields.get("kind", "product") == "product" else {}
        return line(key=f"{key}-{number}", order_key=key, line_number=number, **{**values, **fields})

    def parcel(self, key: str, name: str, *quantities: str, **fields: Any) -> Changes:
        """A shipment of an order, with so much of its lines; fields are the shipment's."""
        lines = [self.parcel_line(name, number, quantity=some) for number, some in enumerate(quantities, 1) if some]
        return [shipment(key=name, order_number=f"SO-{key}", **fields), *lines]

    def parcel_line(self, name: str, number: int, **fields: Any) -> AnyChange:
        values = {"product_sku": self.sku(f"p{number}"), "order_line_number": number}
        return shipment_line(key=f"{name}-{number}", shipment_key=name, line_number=number, **{**values, **fields})

    def paid(self, key: str, amount: str, name: str = "") -> AnyChange:
        values = {"order_key": key, "amount": amount, "currency": self.currency, "method": "card"}
        return upsert("payment", "shop", name or key, **values)

    def counted(self, key: str, on_hand: str) -> AnyChange:
        return upsert("stock_level", "wms", key, product_sku=self.sku(key), on_hand=on_hand)

    def statement(self, number: int, kind: str, amount: str, **fields: Any) -> AnyChange:
        """A line of the marketplace's statement."""
        key = f"S1-{self.prefix}"
        values = {"settlement_key": key, "line_number": number, "currency": self.currency, "posted_at": NOON}
        return upsert("settlement_line", "market", f"{key}-{number}", kind=kind, amount=amount, **values, **fields)

    def back(self, key: str, name: str, number: int, quantity: str, **fields: Any) -> Changes:
        """A return of so much of one line."""
        of_line = return_line(f"{name}-{number}", return_key=name, order_line_key=f"{key}-{number}", quantity=quantity)
        return [returned(name, order_key=key, **fields), of_line]


def ordered(channel: Channel) -> Changes:
    """Every order is placed."""
    plain = (
        "whole",
        "changed",
        "called-off",
        "stopped",
        "refused",
        "in-parts",
        "cut",
        "parcels",
        "replaced",
        "lowered",
    )
    return [
        *channel.masters(),
        *(channel.counted(key, "100") for key in ("p1", "p2", "p3")),
        *(change for key in plain for change in channel.order(key, "4", "3", delivery_address_key="a1")),
        *channel.order("returned", "4"),
        *channel.order("gone", "4"),
        *channel.order("quoted", "4", status="draft"),
        channel.head("priced", client_reference="PO 7", note="Ring twice"),
        channel.line("priced", 1, quantity="3", unit_price="9.99", discount_percent="12.5", tax_rate="19"),
        channel.line("priced", 2, kind="freight", quantity="1", unit_price="4.99", tax_rate="19"),
        channel.line("priced", 3, kind="discount", quantity="1", unit_price="-5", tax_rate="19"),
        channel.line("priced", 4, kind="promotion", quantity="1", unit_price="-1.5"),
        channel.line("priced", 5, kind="gift_card", quantity="1", unit_price="-10"),
        channel.line("priced", 6, kind="fee", quantity="1", unit_price="0.75"),
    ]


def changed_and_shipped(channel: Channel) -> Changes:
    """The warehouse ships, and the channel changes its mind."""
    return [
        *channel.parcel("whole", "whole", "4", "3"),
        channel.line("changed", 1, quantity="6"),
        channel.line("changed", 2, quantity="1"),
        channel.line("changed", 3, quantity="2"),
        channel.head("called-off", status="cancelled", delivery_address_key="a1"),
        *channel.parcel("stopped", "stopped", "1"),
        *channel.parcel("refused", "refused", "4", "3"),
        *channel.parcel("in-parts", "in-parts-1", "3"),
        *channel.parcel("cut", "cut", "1", "3", is_final=True),
        *channel.parcel("parcels", "parcels-1", "4"),
        *channel.parcel("parcels", "parcels-2", "", "3", is_final=True),
        shipment(key="replaced", order_number="SO-replaced", is_final=True),
        channel.parcel_line("replaced", 1, quantity="3"),
        channel.parcel_line("replaced", 2, quantity="3"),
        channel.parcel_line("replaced", 3, quantity="1", order_line_number=1, substitutes_sku=channel.sku("p1")),
        *channel.parcel("lowered", "lowered", "3", "3"),
        *channel.parcel("returned", "returned", "4", is_final=True),
        *(deleted("sales_order_line", "shop", "gone-1"), deleted("sales_order", "shop", "gone")),
        *channel.parcel("priced", "priced", "3", is_final=True),
        *(channel.paid("whole", "66.5"), channel.paid("cut", "20"), channel.paid("returned", "38")),
        channel.statement(1, "sale", "100"),
        channel.statement(2, "fee", "-15", fee_kind="commission"),
    ]


def ended(channel: Channel) -> Changes:
    """What was left of it."""
    return [
        deleted("sales_order_line", "shop", "changed-2"),
        channel.head("stopped", status="cancelled", delivery_address_key="a1"),
        channel.head("refused", status="cancelled", delivery_address_key="a1"),
        *channel.parcel("in-parts", "in-parts-2", "1", "3"),
        channel.line("lowered", 1, quantity="3"),
        *channel.back("returned", "back-1", 1, "3", status="refunded", refund_amount="28.5"),
        channel.paid("returned", "-28.5", "returned-back"),
        *channel.back("returned", "back-2", 1, "1", reason="damaged"),
        channel.head("quoted", status="cancelled"),
        channel.paid("cut", "18", "cut-rest"),
        channel.statement(3, "payout", "-85", payout_reference="PO-7"),
    ]


_INVOICED = {"invoicing": "on_delivery", "payment_methods": {"*": {"journal": "BNK1"}}}
_SCRAPPED = {"disposition": "scrap"}
_SETTLED = {
    "settlement_journal": "MISC",
    "clearing_account": "101000",
    "fee_accounts": {"*": "620000"},
    "payout_account": "101403",
}

STAGES: Sequence[Stage] = (ordered, changed_and_shipped, ended)


def channel_of(end: OdooEnd) -> Channel:
    [(currency,)] = end.odoo_rows(
        "SELECT k.name FROM res_company c JOIN res_currency k ON k.id = c.currency_id WHERE c.id = 1"
    )
    return Channel(prefix=end.odoo_settings.prefix, currency=currency)


def run(end: OdooEnd, deliver: Callable[[], object] | None = None) -> None:
    """Tell all stages, each delivered by `deliver`, or by the end's own deliverer."""
    for stage in STAGES:
        end.arrive(*stage(channel_of(end)))
        (deliver or end.deliver_all)()


def taxed(end: OdooEnd) -> int:
    """Give Odoo a tax of the test's own, and the end the days' policies; return the tax, for it to be archived in the end."""
    name = f"VAT {end.odoo_settings.prefix}"
    with closing(OdooClient(end.odoo_settings)) as client:
        tax: int = client.call("account.tax", "create", [{"name": name, "amount": 19, "type_tax_use": "sale"}])
    shop = {"taxes": {"by_rate": {"19": name}}, "money": _INVOICED, "stock": {"returns": {"damaged": _SCRAPPED}}}
    channels = {"shop": shop, "market": {"money": _SETTLED}, "wms": {"stock": {"counts": True}}}
    end.use(Policies.model_validate({"channels": channels}))
    return tax


def undisturbed(end: OdooEnd) -> Books:
    """The books of the same days in the same Odoo, with a state and a prefix of their own and nothing in their way."""
    other = OdooEnd(
        state=end.state.model_copy(update={"db_schema": "undisturbed"}),
        odoo_settings=end.odoo_settings.model_copy(update={"prefix": f"{end.odoo_settings.prefix}u"}),
        odoo_dsn=end.odoo_dsn,
        policies=end.policies,
    )
    with closing(other):
        run(other)
        return books(other)
