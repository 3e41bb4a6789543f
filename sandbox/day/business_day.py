"""A whole business day, in three phases that a demo plays while a bridge is capturing.

    day = BusinessDay(seed=7, orders=2000)
    with open_sources(server) as sources:
        day.masters(sources)   # before the bridge starts, or while it does
        day.trade(sources)     # the orders of the day, in thousands of transactions
        day.late(sources)      # once the bridge has delivered: late listings arrive, delivered orders are deleted
    day.exceptions             # what a reconciliation has to find, and nothing else

All that is played is worked out from the seed beforehand; the clock and the databases are not asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from itertools import chain

from sandbox.databases import Sources
from sandbox.day import fulfilment, marketplace, masters, portal
from sandbox.day.catalogue import Catalogue, make_catalogue
from sandbox.day.clock import CLOSING, EVENING, OPENING
from sandbox.day.exceptions import OrderSlot, SeededException, order_slots, seeded_exceptions
from sandbox.day.market_orders import MarketOrders
from sandbox.day.orders import MarketOrder, ShopOrder
from sandbox.day.people import People, make_people
from sandbox.day.shop_orders import ShopOrders
from sandbox.day.statements import Transaction, insert, play

_STATEMENT_ORDERS = 200


class BusinessDay:
    """The day of a seed, with so many orders over both channels (at least 100)."""

    def __init__(self, *, seed: int = 7, orders: int = 2000, pace_orders_s: float | None = None) -> None:
        self.seed = seed
        self.exceptions: tuple[SeededException, ...] = seeded_exceptions(seed, orders)
        self._slots = order_slots(seed, orders)
        self._pace_orders_s = pace_orders_s

    def masters(self, sources: Sources) -> int:
        """Play the masters; returns the number of transactions, as the other phases do."""
        return play(self.masters_transactions(), sources)

    def trade(self, sources: Sources) -> int:
        """Play the day's trade, at the pace that was asked for."""
        return play(self.trade_transactions(), sources, pace_orders_s=self._pace_orders_s)

    def late(self, sources: Sources) -> int:
        """Play what comes late."""
        return play(self.late_transactions(), sources)

    def masters_transactions(self) -> Sequence[Transaction]:
        """The first phase."""
        return list(masters.opening(self.catalogue, self.people))

    def trade_transactions(self) -> Sequence[Transaction]:
        """The second phase, by time."""
        shop = chain.from_iterable(self._shop_order(order) for order in self.shop_orders)
        market = chain.from_iterable(self._market_order(order) for order in self.market_orders)
        upkeep = masters.upkeep(self.catalogue, self.people, self.seed)
        settled = self._statements(1, self._of_kind(late=False), EVENING - timedelta(hours=1))
        return [*_by_time(shop, market, upkeep, settled), *masters.closing()]

    def late_transactions(self) -> Sequence[Transaction]:
        """The third phase, by time."""
        listings = [listing.row() for listing in self.catalogue.late_listings]
        arrived = [
            Transaction(at=EVENING, database="market", statements=(insert("listings", [row]),)) for row in listings
        ]
        late = self._of_kind(late=True)
        at = EVENING + timedelta(minutes=5)
        delivered = chain.from_iterable(self._delivery(order, at) for order in late)
        deleted = (portal.deleting(order) for order in self.shop_orders if order.slot.kind == "deleted_order")
        settled = self._statements(90, late, EVENING + timedelta(hours=6))
        return _by_time(arrived, delivered, deleted, settled)

    @cached_property
    def catalogue(self) -> Catalogue:
        """What is for sale."""
        return make_catalogue(self.seed, late_listings=self._count("late_sku"))

    @cached_property
    def people(self) -> People:
        """Who buys."""
        return make_people(self.seed, refused=self._count("refused_by_odoo"))

    @cached_property
    def shop_orders(self) -> Sequence[ShopOrder]:
        """The portal's orders, as they are before the late phase."""
        maker = ShopOrders(self.seed, self.catalogue, self.people)
        return [maker.make(slot, at) for slot, at in self._times() if slot.channel == "shop"]

    @cached_property
    def market_orders(self) -> Sequence[MarketOrder]:
        """The marketplace's orders."""
        maker = MarketOrders(self.seed, self.catalogue, self.people)
        return [maker.make(slot, at) for slot, at in self._times() if slot.channel == "market"]

    def _times(self) -> Iterator[tuple[OrderSlot, datetime]]:
        between = (CLOSING - OPENING) / len(self._slots)
        for number, slot in enumerate(self._slots):
            # Whole seconds: what follows an order is minutes after it.
            at = OPENING + number * between
            yield slot, at.replace(microsecond=0)

    def _count(self, kind: str) -> int:
        return sum(slot.kind == kind for slot in self._slots)

    def _shop_order(self, order: ShopOrder) -> Iterator[Transaction]:
        yield from portal.ordering(order)
        if portal.is_fulfilled(order):
            job = fulfilment.shop_job(order, self.catalogue.goods)
            yield from fulfilment.working(job)
            yield from portal.fulfilling(order, job.ticket_at, job.dispatched_at)
        elif order.slot.kind == "captured_not_refunded":
            yield from fulfilment.cancelling(order)

    def _market_order(self, order: MarketOrder) -> Iterator[Transaction]:
        yield from marketplace.ordering(order)
        if marketplace.is_fulfilled(order) and order.slot.kind != "late_sku":
            yield from self._delivery(order, order.at + marketplace.PAID_AFTER)

    def _delivery(self, order: MarketOrder, at: datetime) -> Iterator[Transaction]:
        job = fulfilment.market_job(order, at, self.catalogue.goods)
        yield from fulfilment.working(job)
        yield from marketplace.delivering(order, job.dispatched_at)

    def _of_kind(self, *, late: bool) -> list[MarketOrder]:
        fulfilled = (order for order in self.market_orders if marketplace.is_fulfilled(order))
        return [order for order in fulfilled if (order.slot.kind == "late_sku") is late]

    def _statements(self, number: int, orders: list[MarketOrder], at: datetime) -> Iterator[Transaction]:
        for place, start in enumerate(range(0, len(orders), _STATEMENT_ORDERS)):
            yield marketplace.settling(number + place, orders[start : start + _STATEMENT_ORDERS], at)


def _by_time(*streams: Iterable[Transaction]) -> Sequence[Transaction]:
    """All transactions by time; those of the same moment stay in their order, so that an order's own stay in theirs."""
    return sorted(chain(*streams), key=lambda transaction: transaction.at)
