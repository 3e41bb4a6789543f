"""What is ordered: the contents of each of the day's orders, as its slot's kind asks for.

An order's contents depend on the seed and its own key only. Totals are the documents': each line is rounded half up to the
cent, quantity times price less the discount, and the total is the sum, without tax. A plain line costs its list price, less
a trade customer's percentage where there is one.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from uuid import UUID

from sandbox.day.catalogue import Product
from sandbox.day.exceptions import OrderSlot
from sandbox.day.people import Address, Buyer, Customer
from sandbox.day.statements import Row

_CENT = Decimal("0.01")
_HUNDRED = Decimal(100)


@dataclass(frozen=True, kw_only=True)
class ShopLine:
    """A line of a portal order. Lines that are no items have no product."""

    kind: str
    product: Product | None
    description: str
    qty: Decimal
    unit_price: Decimal
    list_price: Decimal | None
    discount_pct: Decimal = Decimal(0)
    tax_rate: Decimal = Decimal(20)
    bundle_line_no: int | None = None

    @property
    def amount(self) -> Decimal:
        """The line's amount without tax, to the cent."""
        return line_amount(self.qty, self.unit_price, self.discount_pct)

    def row(self, order_id: int, line_no: int) -> Row:
        """The row of shop.order_lines."""
        return {
            "order_id": order_id,
            "line_no": line_no,
            "kind": self.kind,
            "product_id": self.product.id if self.product else None,
            "description": self.description,
            "qty": self.qty,
            "unit_price": self.unit_price,
            "list_price": self.list_price,
            "discount_pct": self.discount_pct,
            "tax_rate": self.tax_rate,
            "bundle_line_no": self.bundle_line_no,
        }


@dataclass(frozen=True, kw_only=True)
class ShopOrder:
    """A portal order as it is in the end; `drafted` ones begin with another quantity and one more line."""

    slot: OrderSlot
    id: int
    at: datetime
    customer: Customer
    delivery_address: Address
    lines: tuple[ShopLine, ...]
    payment_method: str
    drafted: bool = False

    @property
    def order_no(self) -> str:
        """The number that people and the warehouse know the order by."""
        return f"SO{self.id}"

    @property
    def total(self) -> Decimal:
        """The sum of the lines, without tax."""
        return sum((line.amount for line in self.lines), Decimal(0))


@dataclass(frozen=True, kw_only=True)
class MarketItem:
    """An item of a marketplace order; `product` is what the warehouse takes for it, None where nobody knows."""

    item_id: UUID
    external_sku: str
    title: str
    quantity: int
    unit_price_cents: int
    list_price_cents: int
    product: Product | None

    def row(self, order_id: str, line_no: int) -> Row:
        """The row of market.items."""
        return {
            "item_id": self.item_id,
            "order_id": order_id,
            "line_no": line_no,
            "external_sku": self.external_sku,
            "title": self.title,
            "quantity": self.quantity,
            "unit_price_cents": self.unit_price_cents,
            "list_price_cents": self.list_price_cents,
        }


@dataclass(frozen=True, kw_only=True)
class MarketOrder:
    """A marketplace order."""

    slot: OrderSlot
    order_id: str
    at: datetime
    buyer: Buyer
    idempotency_key: str
    items: tuple[MarketItem, ...]
    shipping_cents: int = 0
    discount_cents: int = 0

    @property
    def items_cents(self) -> int:
        """The sum of the items, without tax."""
        return sum(item.quantity * item.unit_price_cents for item in self.items)

    @property
    def total_cents(self) -> int:
        """Items and shipping less the discount, without tax."""
        return self.items_cents + self.shipping_cents - self.discount_cents


def line_amount(qty: Decimal, unit_price: Decimal, discount_pct: Decimal = Decimal(0)) -> Decimal:
    """The amount of a line: quantity times price less the discount, rounded half up (away from zero) to the cent."""
    return (qty * unit_price * (_HUNDRED - discount_pct) / _HUNDRED).quantize(_CENT, ROUND_HALF_UP)


def item_line(product: Product, qty: Decimal, *, discount_pct: Decimal, tax_rate: Decimal) -> ShopLine:
    """A plain line: the product at its list price."""
    return ShopLine(
        kind="item",
        product=product,
        description=product.name,
        qty=qty,
        unit_price=product.list_price,
        list_price=product.list_price,
        discount_pct=discount_pct,
        tax_rate=tax_rate,
    )


def extra_line(kind: str, description: str, amount: Decimal, *, tax_rate: Decimal) -> ShopLine:
    """A line that is no product: freight, or a discount with its negative amount."""
    return ShopLine(
        kind=kind,
        product=None,
        description=description,
        qty=Decimal(1),
        unit_price=amount,
        list_price=None,
        tax_rate=tax_rate,
    )


def component_lines(bundle: Product, qty: Decimal, *, bundle_line_no: int, tax_rate: Decimal) -> tuple[ShopLine, ...]:
    """The lines of a bundle's components, which cost nothing: the bundle's own line has the price."""
    return tuple(
        ShopLine(
            kind="item",
            product=part,
            description=part.name,
            qty=qty * count,
            unit_price=Decimal(0),
            list_price=Decimal(0),
            tax_rate=tax_rate,
            bundle_line_no=bundle_line_no,
        )
        for part, count in bundle.components
    )


def quantity(product: Product, rng: random.Random) -> Decimal:
    """What is usual for the product's unit, never less than 2; weights in quarters of a kilo."""
    if product.unit == "kg":
        return Decimal(rng.randrange(9, 100)) / 4
    return Decimal(rng.randint(2, 12) if product.unit == "dozen" else rng.randint(2, 36))
