"""A load without end: random inserts, updates and deletes on the sources, for tests that kill the bridge meanwhile.

    churn = Churn(seed=3)
    churn.masters(sources)
    churn.run(sources, transactions=5000)     # or seconds=30, or until the event `stop` is set
    churn.live, churn.deleted                 # what has to be there in the end, and what has been there

The same seed gives the same transactions, whatever the bound. Orders stay in states in which nothing is shipped (draft and
placed, CREATED and PAID), so that at any moment the channels and the ERP can agree. Among the updates are changed keys, and
some transactions roll a savepoint back.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from sandbox.databases import Sources
from sandbox.day import masters
from sandbox.day.catalogue import make_catalogue
from sandbox.day.churn_orders import ChurnedMarketOrder, ChurnedShopOrder
from sandbox.day.clock import OPENING
from sandbox.day.fulfilment import WAREHOUSES
from sandbox.day.people import make_people
from sandbox.day.statements import Statement, Transaction, commit, execute, insert, play

# Above this many open orders of a channel, more are deleted than made.
_USUAL_OPEN_ORDERS = 400


@dataclass(frozen=True, kw_only=True)
class OrderKey:
    """An order of a channel: `source` is shop or market, `source_key` its primary key as text."""

    source: str
    source_key: str


@dataclass(kw_only=True)
class Churn:
    """The load of a seed, and what it has done so far."""

    seed: int
    live: dict[OrderKey, Decimal] = field(default_factory=dict)
    """The orders that are there, with their totals."""
    deleted: set[OrderKey] = field(default_factory=set)
    """The orders that were there."""

    def __post_init__(self) -> None:
        self._rng = random.Random(f"{self.seed}/churn")
        self._catalogue = make_catalogue(self.seed, late_listings=0)
        self._people = make_people(self.seed, refused=0)
        self._shop: list[ChurnedShopOrder] = []
        self._market: list[ChurnedMarketOrder] = []
        self._receipts: list[str] = []
        self._count = 0

    def masters(self, sources: Sources) -> None:
        """Play the masters that the load refers to."""
        play(masters.opening(self._catalogue, self._people), sources)

    def run(
        self,
        sources: Sources,
        *,
        transactions: int | None = None,
        seconds: float | None = None,
        pace_transactions_s: float | None = None,
        stop: threading.Event | None = None,
    ) -> int:
        """Commit transactions one at a time until a bound is reached, and return how many; may be called again."""
        started, done = time.monotonic(), 0
        for transaction in self.transactions():
            commit(sources.of(transaction.database), [transaction])
            done += 1
            elapsed = time.monotonic() - started
            if done == transactions or (seconds is not None and elapsed >= seconds) or (stop and stop.is_set()):
                break
            if pace_transactions_s is not None:
                time.sleep(max(0.0, done / pace_transactions_s - elapsed))
        return done

    def transactions(self) -> Iterator[Transaction]:
        """The transactions of the load, without end. Each is counted as done when it is taken."""
        while True:
            self._count += 1
            step = self._rng.choices((self._shop_step, self._market_step, self._wms_step), (6, 3, 2))[0]
            database, statements = step()
            yield Transaction(at=self._now(), database=database, statements=tuple(statements))

    def _now(self) -> datetime:
        return OPENING + timedelta(seconds=self._count)

    def _shop_step(self) -> tuple[str, list[Statement]]:
        chance = self._rng.random()
        if not self._shop or chance < 0.3:
            return "shop", self._new_shop_order()
        if chance < 0.4:
            product = self._rng.choice(self._catalogue.goods)
            query = "UPDATE products SET name = %s WHERE id = %s"
            return "shop", [execute(query, f"{product.name} {self._count}", product.id)]
        order = self._rng.choice(self._shop)
        key = OrderKey(source="shop", source_key=str(order.id))
        if chance < (0.5 if len(self._shop) < _USUAL_OPEN_ORDERS else 0.8):
            self._shop.remove(order)
            self._delete(key)
            return "shop", order.delete()
        statements = order.change(self._catalogue, self._rng)
        self.live[key] = order.total
        return "shop", statements

    def _new_shop_order(self) -> list[Statement]:
        customer = self._rng.choice(self._people.customers)
        order = ChurnedShopOrder(
            id=500_000 + self._count, customer=customer, status=self._rng.choice(("draft", "placed"))
        )
        statements = order.create(self._catalogue, self._now(), self._rng)
        self._shop.append(order)
        self.live[OrderKey(source="shop", source_key=str(order.id))] = order.total
        return statements

    def _market_step(self) -> tuple[str, list[Statement]]:
        chance = self._rng.random()
        if not self._market or chance < 0.35:
            return "market", self._new_market_order()
        if chance < 0.45:
            listing = self._rng.choice(self._catalogue.listings)
            query = "UPDATE listings SET attributes = attributes || %s::jsonb WHERE listing_id = %s"
            return "market", [execute(query, f'{{"seen": {self._count}}}', listing.listing_id)]
        order = self._rng.choice(self._market)
        key = OrderKey(source="market", source_key=order.order_id)
        if chance < (0.55 if len(self._market) < _USUAL_OPEN_ORDERS else 0.85):
            self._market.remove(order)
            self._delete(key)
            return "market", order.delete()
        statements = order.change(self._rng)
        self.live[key] = order.total
        return "market", statements

    def _new_market_order(self) -> list[Statement]:
        order = ChurnedMarketOrder(order_id=f"MK-{8_000_000 + self._count}", seed=self.seed)
        statements = order.create(self._catalogue, self._rng.choice(self._people.buyers), self._now(), self._rng)
        self._market.append(order)
        self.live[OrderKey(source="market", source_key=order.order_id)] = order.total
        return statements

    def _wms_step(self) -> tuple[str, list[Statement]]:
        chance = self._rng.random()
        if not self._receipts or chance < 0.3:
            return "wms", self._receive()
        place = self._rng.randrange(len(self._receipts))
        receipt_no = self._receipts[place]
        if chance < 0.45:
            del self._receipts[place]
            return "wms", [execute("DELETE FROM receipts WHERE receipt_no = %s", receipt_no)]
        if chance < 0.6:
            self._receipts[place] = f"RK-{self._count}"
            query = "UPDATE receipts SET receipt_no = %s WHERE receipt_no = %s"
            return "wms", [execute(query, self._receipts[place], receipt_no)]
        product, (code, _, _) = self._rng.choice(self._catalogue.goods), self._rng.choice(WAREHOUSES)
        query = "UPDATE stock SET on_hand = %s, counted_at = %s WHERE warehouse_code = %s AND sku = %s"
        return "wms", [execute(query, self._rng.randrange(5_000), self._now(), code, product.sku)]

    def _receive(self) -> list[Statement]:
        receipt_no = f"RC-{self._count}"
        self._receipts.append(receipt_no)
        goods = self._rng.sample(self._catalogue.goods, self._rng.randint(1, 4))
        shared = {"receipt_no": receipt_no, "warehouse_code": WAREHOUSES[0][0], "received_at": self._now()}
        rows = [
            {**shared, "line_no": line_no, "sku": each.sku, "qty": line_no} for line_no, each in enumerate(goods, 1)
        ]
        return [insert("receipts", rows)]

    def _delete(self, key: OrderKey) -> None:
        del self.live[key]
        self.deleted.add(key)
