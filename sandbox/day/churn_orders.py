"""The orders of the endless load: what is known of each, and the statements that change it.

Each method returns the statements of one transaction, with the order's total, and leaves the object as the order is then.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from sandbox.day.catalogue import Catalogue
from sandbox.day.clock import london
from sandbox.day.exceptions import key_uuid
from sandbox.day.orders import MarketItem, ShopLine, item_line, quantity
from sandbox.day.people import Buyer, Customer
from sandbox.day.statements import Statement, execute, insert

_LINE = "WHERE order_id = %s AND line_no = %s"


@dataclass(kw_only=True)
class ChurnedShopOrder:
    """A portal order in draft or placed, with its lines by number."""

    id: int
    customer: Customer
    status: str
    lines: dict[int, ShopLine] = field(default_factory=dict)

    @property
    def total(self) -> Decimal:
        """The sum of the lines."""
        return sum((line.amount for line in self.lines.values()), Decimal(0))

    def create(self, catalogue: Catalogue, at: datetime, rng: random.Random) -> list[Statement]:
        """A new order; one in ten writes a line more and rolls it back to a savepoint."""
        self.lines = {number: _any_line(catalogue, rng) for number in range(1, rng.randint(2, 6))}
        row = {
            "id": self.id,
            "order_no": f"SO{self.id}",
            "kind": "order",
            "customer_id": self.customer.id,
            "delivery_address_id": self.customer.addresses[1].id,
            "status": self.status,
            "currency": "GBP",
            "placed_at": london(at),
            "total": self.total,
        }
        rows = [line.row(self.id, number) for number, line in self.lines.items()]
        statements = [insert("orders", [row]), insert("order_lines", rows)]
        if rng.random() < 0.1:
            unwanted = insert("order_lines", [_any_line(catalogue, rng).row(self.id, 99)])
            statements += [execute("SAVEPOINT before"), unwanted, execute("ROLLBACK TO SAVEPOINT before")]
        return statements

    def change(self, catalogue: Catalogue, rng: random.Random) -> list[Statement]:
        """Another quantity, one line more or less, another line number, or the draft is placed."""
        number = rng.choice(list(self.lines))
        chance = rng.random()
        if self.status == "draft" and chance < 0.2:
            self.status = "placed"
            return [execute("UPDATE orders SET status = 'placed' WHERE id = %s", self.id)]
        if chance < 0.6:
            return self._change_quantity(number, rng)
        if chance < 0.75:
            return self._add_line(catalogue, rng)
        return self._remove_line(number) if chance < 0.9 and len(self.lines) > 1 else self._renumber(number)

    def delete(self) -> list[Statement]:
        """The order and its lines are deleted."""
        return [
            execute("DELETE FROM order_lines WHERE order_id = %s", self.id),
            execute("DELETE FROM orders WHERE id = %s", self.id),
        ]

    def _change_quantity(self, number: int, rng: random.Random) -> list[Statement]:
        qty = Decimal(rng.randint(1, 90))
        self.lines[number] = replace(self.lines[number], qty=qty)
        return [execute(f"UPDATE order_lines SET qty = %s {_LINE}", qty, self.id, number), self._write_total()]

    def _add_line(self, catalogue: Catalogue, rng: random.Random) -> list[Statement]:
        number, line = max(self.lines) + 1, _any_line(catalogue, rng)
        self.lines[number] = line
        return [insert("order_lines", [line.row(self.id, number)]), self._write_total()]

    def _remove_line(self, number: int) -> list[Statement]:
        del self.lines[number]
        return [execute(f"DELETE FROM order_lines {_LINE}", self.id, number), self._write_total()]

    def _renumber(self, number: int) -> list[Statement]:
        other = max(self.lines) + 1
        self.lines[other] = self.lines.pop(number)
        return [execute(f"UPDATE order_lines SET line_no = %s {_LINE}", other, self.id, number)]

    def _write_total(self) -> Statement:
        return execute("UPDATE orders SET total = %s WHERE id = %s", self.total, self.id)


@dataclass(kw_only=True)
class ChurnedMarketOrder:
    """A marketplace order that is CREATED or PAID, with its items in their order."""

    order_id: str
    seed: int
    items: list[MarketItem] = field(default_factory=list)

    @property
    def total(self) -> Decimal:
        """The sum of the items, in pounds."""
        return Decimal(self._total_cents()) / 100

    def create(self, catalogue: Catalogue, buyer: Buyer, at: datetime, rng: random.Random) -> list[Statement]:
        """A new order of one to three items."""
        number = int(self.order_id.removeprefix("MK-"))
        self.items = [
            MarketItem(
                item_id=key_uuid(self.seed, "churned item", 10 * number + place),
                external_sku=listing.external_sku,
                title=listing.product.name,
                quantity=rng.randint(1, 5),
                unit_price_cents=listing.price_cents,
                list_price_cents=listing.price_cents,
                product=listing.product,
            )
            for place, listing in enumerate(rng.sample(catalogue.listings, rng.randint(1, 3)))
        ]
        row = {
            "order_id": self.order_id,
            "buyer_id": buyer.buyer_id,
            "state": "CREATED",
            "currency": "GBP",
            "purchased_at": at,
            "idempotency_key": f"churn-{number}",
            "total_cents": self._total_cents(),
            "shipping_cents": 0,
            "discount_cents": 0,
            "tax_cents": 0,
            "raw": {"churn": number},
        }
        items = [item.row(self.order_id, line_no) for line_no, item in enumerate(self.items, 1)]
        return [insert("orders", [row]), insert("items", items)]

    def change(self, rng: random.Random) -> list[Statement]:
        """It is paid, or the buyer wants more or less of an item."""
        if rng.random() < 0.3:
            return [execute("UPDATE orders SET state = 'PAID' WHERE order_id = %s", self.order_id)]
        place, count = rng.randrange(len(self.items)), rng.randint(1, 9)
        self.items[place] = replace(self.items[place], quantity=count)
        return [
            execute("UPDATE items SET quantity = %s WHERE item_id = %s", count, self.items[place].item_id),
            execute("UPDATE orders SET total_cents = %s WHERE order_id = %s", self._total_cents(), self.order_id),
        ]

    def delete(self) -> list[Statement]:
        """The order is deleted, its items by their foreign key."""
        return [execute("DELETE FROM orders WHERE order_id = %s", self.order_id)]

    def _total_cents(self) -> int:
        return sum(item.quantity * item.unit_price_cents for item in self.items)


def _any_line(catalogue: Catalogue, rng: random.Random) -> ShopLine:
    product = rng.choice(catalogue.goods)
    return item_line(product, quantity(product, rng), discount_pct=Decimal(0), tax_rate=Decimal(20))
