"""The canonical entities: what a distributor's systems talk about, in the words of the trade, whatever each system calls it.

Contract: mappings give these fields, loaders and the warehouse's canonical views consume them. Amounts and quantities are
Decimal, instants are in UTC. A field without a default must be given by every mapping of its entity. `*_key` fields hold the
source_key of another record of the same source (a shipment's order is another source's: `order_source`, `order_number`).
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from transforms.record import CanonicalRecord, CountryCode, Currency, Instant, Number, OptionalText, Text

ORDER = "sales_order"


class Product(CanonicalRecord):
    """Something that is sold. `sku` is the distributor's own code, `channel_sku` the channel's. `tracking`: whether each is a lot's."""

    entity: ClassVar[str] = "product"

    sku: OptionalText = None
    channel_sku: OptionalText = None
    barcode: OptionalText = None
    name: Text
    description: OptionalText = None
    kind: Literal["goods", "service", "bundle"]
    unit: Literal["unit", "dozen", "kg"]
    list_price: Number | None = None
    cost: Number | None = None
    active: bool
    tracking: Literal["none", "lot", "serial"] | None = None
    created_at: Instant | None = None


class Customer(CanonicalRecord):
    """A buyer, or one of a buyer's addresses (`kind` invoice or delivery, `parent_key` names the buyer)."""

    entity: ClassVar[str] = "customer"

    name: Text
    email: OptionalText = None
    vat: OptionalText = None
    phone: OptionalText = None
    is_company: bool
    kind: Literal["contact", "invoice", "delivery"]
    parent_key: OptionalText = None
    street: OptionalText = None
    street2: OptionalText = None
    city: OptionalText = None
    postcode: OptionalText = None
    country_code: CountryCode | None = None
    active: bool


class Location(CanonicalRecord):
    """A place that keeps stock."""

    entity: ClassVar[str] = "location"

    code: Text
    name: Text
    kind: Literal["warehouse"]
    city: OptionalText = None
    country_code: CountryCode | None = None


class SalesOrder(CanonicalRecord):
    """An order as the channel sees it. `amount_total` is without tax; `duplicate_key` is the same on a repeated order."""

    entity: ClassVar[str] = ORDER

    order_number: Text
    customer_key: Text
    delivery_address_key: OptionalText = None
    status: Literal["draft", "confirmed", "fulfilled", "cancelled"]
    ordered_at: Instant
    currency: Currency
    client_reference: OptionalText = None
    duplicate_key: OptionalText = None
    amount_total: Number | None = None
    amount_tax: Number | None = None
    note: OptionalText = None


class SalesOrderLine(CanonicalRecord):
    """One line. `list_price` is the price list's on that day; a component line of a bundle names its bundle's line."""

    entity: ClassVar[str] = "sales_order_line"
    part_of: ClassVar[tuple[str, str] | None] = (ORDER, "order_key")

    order_key: Text
    line_number: int
    kind: Literal["product", "freight", "discount", "promotion", "gift_card", "fee", "manual"]
    product_key: OptionalText = None
    product_channel_sku: OptionalText = None
    description: OptionalText = None
    quantity: Number
    unit_price: Number
    list_price: Number | None = None
    discount_percent: Number = Field(le=100)
    tax_rate: Number | None = None
    bundle_line_key: OptionalText = None


class Shipment(CanonicalRecord):
    """Goods that leave a location together. After `is_final` nothing follows: what is still open is cancelled, or a backorder."""

    entity: ClassVar[str] = "shipment"

    shipment_number: Text
    order_source: Text
    order_number: Text
    status: Literal["staged", "shipped", "cancelled"]
    location_key: OptionalText = None
    carrier: OptionalText = None
    tracking_number: OptionalText = None
    shipped_at: Instant | None = None
    is_final: bool


class ShipmentLine(CanonicalRecord):
    """What is in the box. `order_line_number` is the channel's; `substitutes_sku` is what had been ordered, `lot` its lot or serial number."""

    entity: ClassVar[str] = "shipment_line"
    part_of: ClassVar[tuple[str, str] | None] = ("shipment", "shipment_key")

    shipment_key: Text
    order_source: OptionalText = None
    line_number: int
    product_sku: Text
    quantity: Number
    order_line_number: int
    substitutes_sku: OptionalText = None
    lot: OptionalText = None


class Payment(CanonicalRecord):
    """Money for an order, as the channel or its payment provider says. A negative amount was paid back."""

    entity: ClassVar[str] = "payment"
    part_of: ClassVar[tuple[str, str] | None] = (ORDER, "order_key")

    order_key: Text
    status: Literal["authorized", "captured", "refunded", "failed"]
    method: OptionalText = None
    amount: Number
    currency: Currency
    captured_at: Instant | None = None
    reference: OptionalText = None


class Return(CanonicalRecord):
    """Goods that the buyer sends back."""

    entity: ClassVar[str] = "return"
    part_of: ClassVar[tuple[str, str] | None] = (ORDER, "order_key")

    return_number: Text
    order_key: Text
    status: Literal["requested", "received", "refunded", "rejected"]
    reason: Literal["damaged", "not_as_described", "changed_mind", "wrong_item", "other"]
    requested_at: Instant
    received_at: Instant | None = None
    refund_amount: Number


class ReturnLine(CanonicalRecord):
    """How much of which order line comes back."""

    entity: ClassVar[str] = "return_line"
    part_of: ClassVar[tuple[str, str] | None] = ("return", "return_key")

    return_key: Text
    order_line_key: Text
    quantity: Number
    refund_amount: Number


class StockLevel(CanonicalRecord):
    """What a location has of a product. It is a count where `counted_at` is newer than before."""

    entity: ClassVar[str] = "stock_level"

    location_key: Text
    product_sku: Text
    on_hand: Number
    reserved: Number
    counted_at: Instant | None = None


class SettlementLine(CanonicalRecord):
    """One line of a marketplace's statement; from the seller's side: fees, refunds and payouts are negative.

    Without a `settlement_key` it is on no statement yet. `fee_kind` is the marketplace's own word.
    """

    entity: ClassVar[str] = "settlement_line"
    part_of: ClassVar[tuple[str, str] | None] = ("settlement", "settlement_key")

    settlement_key: OptionalText = None
    line_number: int
    order_key: OptionalText = None
    kind: Literal["sale", "fee", "refund", "reserve", "payout"]
    fee_kind: OptionalText = None
    amount: Number
    currency: Currency
    posted_at: Instant
    payout_reference: OptionalText = None


ENTITIES: dict[str, type[CanonicalRecord]] = {
    model.entity: model
    for model in (
        Product,
        Customer,
        Location,
        SalesOrder,
        SalesOrderLine,
        Shipment,
        ShipmentLine,
        Payment,
        Return,
        ReturnLine,
        StockLevel,
        SettlementLine,
    )
}


def record_from_json(entity: str, text: str | bytes) -> CanonicalRecord:
    """Return the record that `CanonicalRecord.to_json` wrote; KeyError for an unknown entity, ValidationError for bad text."""
    return ENTITIES[entity].model_validate_json(text)
