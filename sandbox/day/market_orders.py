"""The marketplace's orders of a day, made from their slots."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sandbox.day.catalogue import Catalogue, Listing
from sandbox.day.exceptions import SAME_CUSTOMERS, TWO_SKU_LISTINGS, OrderSlot, key_uuid, market_order_id
from sandbox.day.orders import MarketItem, MarketOrder
from sandbox.day.people import Buyer, People


class MarketOrders:
    """Makes marketplace orders in their order; one sent twice repeats the last plain one before it."""

    def __init__(self, seed: int, catalogue: Catalogue, people: People) -> None:
        self._seed = seed
        self._catalogue = catalogue
        self._people = people
        self._late = iter(catalogue.late_listings)
        self._last_plain: MarketOrder | None = None

    def make(self, slot: OrderSlot, at: datetime) -> MarketOrder:
        """The order of `slot`, purchased at `at`."""
        if slot.kind == "duplicate_order" and self._last_plain is not None:
            return self._again(self._last_plain, slot, at)
        rng = random.Random(f"{self._seed}/order/{slot.source_key}")
        order = self._first_time(slot, at, rng)
        if slot.kind is None:
            self._last_plain = order
        return order

    def _first_time(self, slot: OrderSlot, at: datetime, rng: random.Random) -> MarketOrder:
        items = self._items(slot, rng)
        paid = sum(item.quantity * item.unit_price_cents for item in items)
        return MarketOrder(
            slot=slot,
            order_id=market_order_id(slot.index),
            at=at,
            buyer=self._buyer(slot.index, rng),
            idempotency_key=key_uuid(self._seed, "attempt", slot.index).hex,
            items=items,
            shipping_cents=rng.choice((399, 599)) if slot.kind == "freight" else 0,
            discount_cents=paid // 20 + 1 if slot.kind == "order_discount" else 0,
        )

    def _again(self, original: MarketOrder, slot: OrderSlot, at: datetime) -> MarketOrder:
        items = tuple(
            replace(item, item_id=self._item_id(slot.index, place)) for place, item in enumerate(original.items)
        )
        return replace(original, slot=slot, order_id=market_order_id(slot.index), at=at, items=items)

    def _buyer(self, index: int, rng: random.Random) -> Buyer:
        # The first orders are of the buyers that the portal knows too, so that each of them has one.
        return self._people.buyers[index] if index < SAME_CUSTOMERS else rng.choice(self._people.buyers)

    def _items(self, slot: OrderSlot, rng: random.Random) -> tuple[MarketItem, ...]:
        listings = rng.sample(self._catalogue.early_listings, rng.randint(2, 4))
        if slot.index < TWO_SKU_LISTINGS:
            # Each listing under two codes is sold at least once.
            coded = self._catalogue.listings[slot.index]
            listings = [coded, *(listing for listing in listings[1:] if listing is not coded)]
        if slot.kind == "late_sku":
            listings.append(next(self._late))
        items = [self._item(slot, place, listing, rng) for place, listing in enumerate(listings)]
        if slot.kind == "price_override":
            items[0] = replace(items[0], unit_price_cents=items[0].list_price_cents * 17 // 20)
        if slot.kind == "unknown_sku":
            items[-1] = replace(items[-1], external_sku=f"MKP-GONE-{slot.index}", product=None)
        return tuple(items)

    def _item(self, slot: OrderSlot, place: int, listing: Listing, rng: random.Random) -> MarketItem:
        return MarketItem(
            item_id=self._item_id(slot.index, place),
            external_sku=listing.external_sku,
            title=listing.product.name,
            quantity=rng.randint(2, 5),
            unit_price_cents=listing.price_cents,
            list_price_cents=listing.price_cents,
            product=listing.product,
        )

    def _item_id(self, index: int, place: int) -> UUID:
        return key_uuid(self._seed, "item", 100 * index + place)
