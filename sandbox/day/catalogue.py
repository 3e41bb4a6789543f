"""What is for sale: the portal's products and the marketplace's listings of them.

Most listings carry our SKU as the marketplace's code. The first ones carry a code of their own, and are tied to our product
by `seller_sku` or by the GTIN; after them come the late ones, which are listed only after they have been sold.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from sandbox.day.clock import EVENING, OPENING, london
from sandbox.day.exceptions import TWO_SKU_LISTINGS, key_uuid
from sandbox.day.statements import Row
from sandbox.day.words import GIFTWARE, HARDWARE, SENTENCES, SERVICES, STYLES

_PLAIN_LISTINGS = 60
_BUNDLES = 6
_CENT = Decimal("0.01")


@dataclass(frozen=True, kw_only=True)
class Product:
    """A row of the portal's products. `components` are (product, quantity) of a bundle."""

    id: int
    sku: str
    name: str
    kind: str
    unit: str
    list_price: Decimal
    cost_price: Decimal
    ean: str | None = None
    description: str | None = None
    tags: tuple[str, ...] = ()
    components: tuple[tuple[Product, int], ...] = ()

    def row(self) -> Row:
        """The row of shop.products."""
        parts = [{"sku": part.sku, "qty": quantity} for part, quantity in self.components]
        since = london(OPENING - timedelta(days=400 - self.id))
        return {
            **{name: getattr(self, name) for name in _PLAIN_COLUMNS},
            "tags": list(self.tags),
            "components": parts or None,
            "active": True,
            "created_at": since,
            "updated_at": since,
        }


_PLAIN_COLUMNS = ("id", "sku", "name", "description", "ean", "kind", "unit", "list_price", "cost_price")


@dataclass(frozen=True, kw_only=True)
class Listing:
    """A row of the marketplace's listings, and the product behind it."""

    listing_id: UUID
    external_sku: str
    seller_sku: str | None
    gtin: str | None
    product: Product
    late: bool = False

    @property
    def price_cents(self) -> int:
        """The list price on the marketplace, a tenth above the portal's."""
        return int(self.product.list_price * 110)

    def row(self) -> Row:
        """The row of market.listings."""
        return {
            "listing_id": self.listing_id,
            "external_sku": self.external_sku,
            "seller_sku": self.seller_sku,
            "title": f"{self.product.name} | free returns",
            "gtin": self.gtin,
            "price_cents": self.price_cents,
            "attributes": {"brand": "Causeway & Sons", "unit": self.product.unit, "handling_days": self.product.id % 3},
            "status": "active",
            "created_at": EVENING if self.late else OPENING - timedelta(days=90, minutes=self.product.id),
        }


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """All products and listings of a day."""

    goods: tuple[Product, ...]
    services: tuple[Product, ...]
    bundles: tuple[Product, ...]
    listings: tuple[Listing, ...]

    @property
    def products(self) -> tuple[Product, ...]:
        """Goods, services and bundles."""
        return self.goods + self.services + self.bundles

    @property
    def late_listings(self) -> tuple[Listing, ...]:
        """Those that arrive in the late phase."""
        return tuple(listing for listing in self.listings if listing.late)

    @property
    def early_listings(self) -> tuple[Listing, ...]:
        """Those that are there from the morning on."""
        return tuple(listing for listing in self.listings if not listing.late)


def make_catalogue(seed: int, *, late_listings: int) -> Catalogue:
    """The catalogue of a seed, with so many listings that arrive late."""
    rng = random.Random(f"{seed}/catalogue")
    goods = _goods(rng)
    services = tuple(
        _product(len(goods) + number, f"SV-{number:02d}", name, "service", "each", rng)
        for number, name in enumerate(SERVICES, 1)
    )
    bundles = tuple(_bundle(number, goods, services, rng) for number in range(1, _BUNDLES + 1))
    return Catalogue(
        goods=goods, services=services, bundles=bundles, listings=_listings(seed, goods, late_listings, rng)
    )


def _goods(rng: random.Random) -> tuple[Product, ...]:
    named = [(f"{style} {thing}", "each") for style in STYLES for thing in GIFTWARE] + list(HARDWARE)
    return tuple(
        _product(number, f"{'GW' if number <= 100 else 'HW'}-{1000 + number}", name, "goods", unit, rng)
        for number, (name, unit) in enumerate(named, 1)
    )


def _product(number: int, sku: str, name: str, kind: str, unit: str, rng: random.Random) -> Product:
    price = Decimal(rng.randrange(95, 4_500)) * _CENT
    return Product(
        id=number,
        sku=sku,
        name=name,
        kind=kind,
        unit=unit,
        list_price=price,
        cost_price=(price * Decimal("0.5375")).quantize(Decimal("0.0001")),
        ean=_ean(number) if kind == "goods" else None,
        description=_description(number, name, rng),
        tags=tuple(rng.sample(("new", "fragile", "seasonal", "heavy", "bestseller"), number % 3)),
    )


def _bundle(number: int, goods: tuple[Product, ...], services: tuple[Product, ...], rng: random.Random) -> Product:
    parts = tuple((part, rng.randint(1, 3)) for part in rng.sample(goods[:100], 3))
    total = sum((part.list_price * quantity for part, quantity in parts), Decimal(0))
    price = (total * Decimal("0.9")).quantize(_CENT)
    return Product(
        id=len(goods) + len(services) + number,
        sku=f"SET-{number:02d}",
        name=f"{parts[0][0].name} Gift Set",
        kind="bundle",
        unit="each",
        list_price=price,
        cost_price=price / 2,
        components=parts,
    )


def _description(number: int, name: str, rng: random.Random) -> str | None:
    if number % 11 == 0:
        return None
    # Every fifth is long and noisy enough to stay out of line after compression: above 2 kB it is TOASTed.
    length = 120 if number % 5 == 0 else 2
    sentences = (f"{rng.choice(SENTENCES)} ({name}, ref. {rng.getrandbits(64):016x})" for _ in range(length))
    return " ".join(sentences)


def _ean(number: int) -> str:
    digits = f"5012345{number:05d}"
    weighted = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits))
    return f"{digits}{-weighted % 10}"


def _listings(seed: int, goods: tuple[Product, ...], late: int, rng: random.Random) -> tuple[Listing, ...]:
    coded = TWO_SKU_LISTINGS + late
    products = rng.sample(goods, coded + _PLAIN_LISTINGS)
    return tuple(
        _coded_listing(seed, index, product) if index < coded else _plain_listing(seed, index, product)
        for index, product in enumerate(products)
    )


def _coded_listing(seed: int, index: int, product: Product) -> Listing:
    late = index >= TWO_SKU_LISTINGS
    by_gtin = not late and index % 2 == 1
    return Listing(
        listing_id=key_uuid(seed, "listing", index),
        external_sku=f"MKP-{40_000 + 37 * index}",
        seller_sku=None if by_gtin else product.sku,
        gtin=product.ean if by_gtin else None,
        product=product,
        late=late,
    )


def _plain_listing(seed: int, index: int, product: Product) -> Listing:
    return Listing(
        listing_id=key_uuid(seed, "listing", index),
        external_sku=product.sku,
        seller_sku=product.sku if index % 2 else None,
        gtin=product.ean if index % 3 else None,
        product=product,
    )
