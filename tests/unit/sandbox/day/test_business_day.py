"""A day is plain data before it is played: the same for the same seed, in order, and adding up."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest

from sandbox.day import BusinessDay
from sandbox.day.orders import line_amount


def test_two_days_of_a_seed_are_the_same_statement_by_statement() -> None:
    first, second = BusinessDay(seed=5, orders=200), BusinessDay(seed=5, orders=200)
    assert first.masters_transactions() == second.masters_transactions()
    assert first.trade_transactions() == second.trade_transactions()
    assert first.late_transactions() == second.late_transactions()
    assert first.trade_transactions() != BusinessDay(seed=6, orders=200).trade_transactions()


def test_the_day_is_played_by_time_and_the_late_phase_after_it() -> None:
    day = BusinessDay(seed=5, orders=200)
    trade, late = day.trade_transactions(), day.late_transactions()
    assert all(before.at <= after.at for before, after in pairwise([*trade, *late][: len(trade) - 3]))
    assert sum(transaction.starts_order for transaction in trade) == 200


@pytest.mark.parametrize("seed", [1, 2])
def test_no_order_is_empty_or_worth_nothing(seed: int) -> None:
    day = BusinessDay(seed=seed, orders=300)
    assert all(order.total > 0 and len(order.lines) >= 2 for order in day.shop_orders)
    assert all(order.total_cents > 0 and len(order.items) >= 2 for order in day.market_orders)


@pytest.mark.parametrize(
    ("qty", "unit_price", "discount_pct", "amount"),
    [
        ("2.25", "1.98", "0", "4.46"),
        ("-2.25", "1.98", "0", "-4.46"),
        ("3", "0.335", "50", "0.50"),
        ("1", "0.005", "0", "0.01"),
    ],
)
def test_a_line_is_rounded_half_up_away_from_zero(qty: str, unit_price: str, discount_pct: str, amount: str) -> None:
    assert line_amount(Decimal(qty), Decimal(unit_price), Decimal(discount_pct)) == Decimal(amount)


def test_an_original_is_sent_twice_with_items_of_its_own() -> None:
    orders = BusinessDay(seed=5, orders=2000).market_orders
    for twice in (order for order in orders if order.slot.kind == "duplicate_order"):
        original = next(order for order in orders if order.idempotency_key == twice.idempotency_key)
        assert original.slot.kind is None
        assert original.at < twice.at
        assert original.total_cents == twice.total_cents
        assert {item.item_id for item in original.items}.isdisjoint(item.item_id for item in twice.items)
