"""The portal's orders of a day, made from their slots."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from sandbox.day.catalogue import Catalogue
from sandbox.day.exceptions import OrderSlot, shop_order_id
from sandbox.day.orders import ShopLine, ShopOrder, component_lines, extra_line, item_line, quantity
from sandbox.day.people import Customer, People

_METHODS = ("account", "account", "card", "transfer")
_PENNY = Decimal("0.01")


class ShopOrders:
    """Makes portal orders; the refused ones take the refused customers in turn."""

    def __init__(self, seed: int, catalogue: Catalogue, people: People) -> None:
        self._seed = seed
        self._catalogue = catalogue
        self._people = people
        self._refused = iter(people.refused)

    def make(self, slot: OrderSlot, at: datetime) -> ShopOrder:
        """The order of `slot`, placed at `at`."""
        rng = random.Random(f"{self._seed}/order/{slot.source_key}")
        customer = next(self._refused) if slot.kind == "refused_by_odoo" else rng.choice(self._people.customers)
        return ShopOrder(
            slot=slot,
            id=shop_order_id(slot.index),
            at=at,
            customer=customer,
            delivery_address=rng.choice(customer.addresses[1:]),
            lines=self._lines(slot, customer, rng),
            # Somebody has to have paid, for the money to be kept.
            payment_method="transfer" if slot.kind == "captured_not_refunded" else rng.choice(_METHODS),
            drafted=slot.kind is None and rng.random() < 0.06,
        )

    def _lines(self, slot: OrderSlot, customer: Customer, rng: random.Random) -> tuple[ShopLine, ...]:
        tax_rate = Decimal(20 if customer.country_code == "GB" else 0)
        discount_pct = rng.choice((Decimal("2.5"), Decimal(5))) if customer.id % 4 == 0 else Decimal(0)
        lines = [
            item_line(product, quantity(product, rng), discount_pct=discount_pct, tax_rate=tax_rate)
            for product in rng.sample(self._catalogue.goods, rng.randint(2, 7))
        ]
        if rng.random() < 0.03:
            service = rng.choice(self._catalogue.services)
            lines.append(item_line(service, Decimal(1), discount_pct=Decimal(0), tax_rate=tax_rate))
        return (*self._first(slot, lines[0], rng), *lines[1:], *self._last(slot, lines, tax_rate, rng))

    def _first(self, slot: OrderSlot, line: ShopLine, rng: random.Random) -> tuple[ShopLine, ...]:
        """What takes the first line's place."""
        if slot.kind == "price_override":
            # Not a discount: the price itself was agreed. To the penny: Odoo's "Product Price" keeps two decimals.
            price = line.unit_price * Decimal("0.9") // _PENNY * _PENNY
            return (replace(line, unit_price=price, discount_pct=Decimal(0)),)
        if slot.kind == "bundle":
            bundle, count = rng.choice(self._catalogue.bundles), Decimal(rng.randint(1, 6))
            header = item_line(bundle, count, discount_pct=Decimal(0), tax_rate=line.tax_rate)
            return (header, *component_lines(bundle, count, bundle_line_no=1, tax_rate=line.tax_rate))
        return (line,)

    def _last(
        self, slot: OrderSlot, lines: list[ShopLine], tax_rate: Decimal, rng: random.Random
    ) -> tuple[ShopLine, ...]:
        """What comes after the goods."""
        if slot.kind == "freight":
            return (extra_line("freight", "Carriage", rng.choice((Decimal("9.95"), Decimal(15))), tax_rate=tax_rate),)
        if slot.kind == "order_discount":
            tenth = sum((line.amount for line in lines), Decimal(0)) / 10
            return (extra_line("discount", "Spring offer", -tenth.quantize(Decimal("0.01")), tax_rate=tax_rate),)
        return ()
