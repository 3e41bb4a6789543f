"""The endless load knows what it has done."""

from __future__ import annotations

import threading
from decimal import Decimal

from sandbox.databases import Sources
from sandbox.day.churn import Churn


def _totals(sources: Sources) -> dict[tuple[str, str], Decimal]:
    shop = sources.shop.execute("SELECT id::text, total FROM orders").fetchall()
    market = sources.market.execute("SELECT order_id, total_cents / 100.0 FROM orders").fetchall()
    return {**{("shop", key): total for key, total in shop}, **{("market", key): total for key, total in market}}


def test_what_is_live_in_the_end_is_what_the_load_says(sources: Sources) -> None:
    churn = Churn(seed=2)
    churn.masters(sources)
    assert churn.run(sources, transactions=900) + churn.run(sources, transactions=300) == 1200
    assert {(key.source, key.source_key): total for key, total in churn.live.items()} == _totals(sources)
    assert len(churn.deleted) > 50
    assert churn.deleted.isdisjoint(churn.live)


def test_totals_are_those_of_the_lines(sources: Sources) -> None:
    churn = Churn(seed=3)
    churn.masters(sources)
    churn.run(sources, transactions=800)
    wrong = sources.shop.execute("""
        SELECT o.id FROM orders o LEFT JOIN order_lines l ON l.order_id = o.id
        GROUP BY o.id HAVING sum(round(qty * unit_price, 2)) IS DISTINCT FROM o.total""").fetchall()
    assert wrong == []
    wrong = sources.market.execute("""
        SELECT o.order_id FROM orders o LEFT JOIN items i USING (order_id)
        GROUP BY o.order_id HAVING sum(quantity * unit_price_cents) IS DISTINCT FROM o.total_cents""").fetchall()
    assert wrong == []


def test_a_seed_gives_the_same_transactions() -> None:
    first, second = Churn(seed=4).transactions(), Churn(seed=4).transactions()
    assert [next(first) for _ in range(500)] == [next(second) for _ in range(500)]


def test_the_load_ends_when_it_is_told_to(sources: Sources) -> None:
    churn, stop = Churn(seed=5), threading.Event()
    churn.masters(sources)
    stop.set()
    assert churn.run(sources, stop=stop) == 1
    assert churn.run(sources, seconds=0.2, pace_transactions_s=20) <= 6
