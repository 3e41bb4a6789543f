"""The table of seeded exceptions: which kinds there are, how many of each, and which orders of a day carry them.

    for exception in seeded_exceptions(seed=7, orders=2000): ...

Everything here is worked out from the seed, without a database and before anything is played. The play makes each order as
its slot says; the tests and the demo's report compare this table with what the bridge found. An order carries at most one
kind, but for a captured payment without a refund, whose order is also a cancelled one.

Source keys are the sources' primary keys as text: `orders.id` of the portal, `orders.order_id`, `buyers.buyer_id` and
`listings.listing_id` of the marketplace.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Kind = Literal[
    "price_override",
    "order_discount",
    "freight",
    "bundle",
    "partial_then_completed",
    "partial_rest_cancelled",
    "substitution",
    "cancelled_before_shipping",
    "captured_not_refunded",
    "returned",
    "same_customer",
    "product_two_skus",
    "duplicate_order",
    "late_sku",
    "unknown_sku",
    "refused_by_odoo",
    "deleted_order",
]
Channel = Literal["shop", "market"]

SMALLEST_DAY_ORDERS = 100


@dataclass(frozen=True, kw_only=True)
class SeededException:
    """One exception of a day. `recon_status` is None where the entity is not an order."""

    kind: Kind
    entity: Literal["sales_order", "customer", "product"]
    source: Channel
    source_key: str
    recon_status: Literal["matched", "duplicate", "missing_in_odoo", "missing_in_source"] | None


@dataclass(frozen=True, kw_only=True)
class OrderSlot:
    """An order of the day before it has any content: its channel, its place there from 0, and its kind (None: plain)."""

    channel: Channel
    index: int
    kind: Kind | None

    @property
    def source_key(self) -> str:
        """The order's primary key at its channel."""
        return str(shop_order_id(self.index)) if self.channel == "shop" else market_order_id(self.index)


@dataclass(frozen=True, kw_only=True)
class _Rule:
    shop: int
    market: int
    recon_status: Literal["matched", "duplicate", "missing_in_odoo", "missing_in_source"] = "matched"


# How many orders of each kind a day of 2,000 orders has on either channel.
_ORDER_KINDS: dict[Kind, _Rule] = {
    "price_override": _Rule(shop=6, market=3),
    "order_discount": _Rule(shop=5, market=4),
    "freight": _Rule(shop=5, market=4),
    "bundle": _Rule(shop=6, market=0),
    "partial_then_completed": _Rule(shop=5, market=3),
    "partial_rest_cancelled": _Rule(shop=4, market=2),
    "substitution": _Rule(shop=4, market=2),
    "cancelled_before_shipping": _Rule(shop=5, market=3),
    "captured_not_refunded": _Rule(shop=4, market=0),
    "returned": _Rule(shop=0, market=8),
    "duplicate_order": _Rule(shop=0, market=4, recon_status="duplicate"),
    "late_sku": _Rule(shop=0, market=5),
    "unknown_sku": _Rule(shop=0, market=3, recon_status="missing_in_odoo"),
    "refused_by_odoo": _Rule(shop=3, market=0, recon_status="missing_in_odoo"),
    "deleted_order": _Rule(shop=4, market=0, recon_status="missing_in_source"),
}

SAME_CUSTOMERS = 8
"""Buyers that are customers of the portal too: the first ones."""

TWO_SKU_LISTINGS = 8
"""Listings under a code of the marketplace's own that are there from the morning on: the first ones."""


def shop_order_id(index: int) -> int:
    """The portal's key of its order at `index`; its number is this behind SO."""
    return 10_001 + index


def market_order_id(index: int) -> str:
    """The marketplace's key of its order at `index`."""
    return f"MK-{700_001 + index}"


def key_uuid(seed: int, kind: str, index: int) -> uuid.UUID:
    """A key of the marketplace: the same for the same seed, whatever is made before it."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"causeway-sandbox/{seed}/{kind}/{index}")


@lru_cache(maxsize=8)
def order_slots(seed: int, orders: int) -> tuple[OrderSlot, ...]:
    """The day's orders in the order in which they come in: three of five from the portal, the kinds strewn among them."""
    if orders < SMALLEST_DAY_ORDERS:
        raise ValueError(f"a business day needs at least {SMALLEST_DAY_ORDERS} orders for its exceptions, not {orders}")
    rng = random.Random(f"{seed}/slots")
    shop = _channel_slots("shop", orders * 3 // 5, orders, rng)
    market = _channel_slots("market", orders - len(shop), orders, rng)
    turns = ["shop"] * len(shop) + ["market"] * len(market)
    rng.shuffle(turns)
    queues = {"shop": iter(shop), "market": iter(market)}
    return tuple(next(queues[turn]) for turn in turns)


@lru_cache(maxsize=8)
def seeded_exceptions(seed: int, orders: int) -> tuple[SeededException, ...]:
    """The exceptions of the day that `BusinessDay(seed=seed, orders=orders)` plays."""
    slots = order_slots(seed, orders)
    late = sum(slot.kind == "late_sku" for slot in slots)
    found = [exception for slot in slots for exception in _of_order(slot)]
    found += [_linked(seed, "same_customer", "customer", "buyer", index) for index in range(SAME_CUSTOMERS)]
    # A late listing is linked by our code as well, when it comes.
    listings = range(TWO_SKU_LISTINGS + late)
    found += [_linked(seed, "product_two_skus", "product", "listing", index) for index in listings]
    return tuple(found)


def _channel_slots(channel: Channel, count: int, orders: int, rng: random.Random) -> Sequence[OrderSlot]:
    kinds: list[Kind | None] = []
    for kind, rule in _ORDER_KINDS.items():
        usual = rule.shop if channel == "shop" else rule.market
        kinds += [kind] * (usual if orders >= 2000 or not usual else max(1, usual * orders // 2000))
    kinds += [None] * (count - len(kinds))
    rng.shuffle(kinds)
    # What is sent twice has to have been sent once.
    first_plain = kinds.index(None)
    kinds[0], kinds[first_plain] = kinds[first_plain], kinds[0]
    return [OrderSlot(channel=channel, index=index, kind=kind) for index, kind in enumerate(kinds)]


def _of_order(slot: OrderSlot) -> list[SeededException]:
    if slot.kind is None:
        return []
    kinds: list[Kind] = [slot.kind]
    if slot.kind == "captured_not_refunded":
        kinds.append("cancelled_before_shipping")
    status = _ORDER_KINDS[slot.kind].recon_status
    return [
        SeededException(
            kind=kind, entity="sales_order", source=slot.channel, source_key=slot.source_key, recon_status=status
        )
        for kind in kinds
    ]


def _linked(
    seed: int, kind: Kind, entity: Literal["customer", "product"], table: Literal["buyer", "listing"], index: int
) -> SeededException:
    key = str(key_uuid(seed, table, index))
    return SeededException(kind=kind, entity=entity, source="market", source_key=key, recon_status=None)
