"""A played day shows every seeded exception by the rule of its kind, and shows no other.

The rules are worked out here from the rows alone, over again, never from the plan that made them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import psycopg
import pytest

from sandbox.databases import Sources
from sandbox.day import BusinessDay
from sandbox.postgres import EmbeddedPostgres
from tests.fixtures.sources import fresh_sources

Shipped = dict[tuple[str, str], list[tuple[str, str, Decimal, str | None, str, bool]]]


@dataclass(frozen=True, kw_only=True)
class PlayedDay:
    """A whole day, and the portal's orders as they were before the late phase."""

    day: BusinessDay
    sources: Sources
    orders_before: frozenset[str]


@pytest.fixture(scope="module")
def played(postgres: EmbeddedPostgres) -> Iterator[PlayedDay]:
    day = BusinessDay(seed=11, orders=2000)
    with fresh_sources(postgres) as sources:
        day.masters(sources)
        day.trade(sources)
        before = _keys(sources.shop, "SELECT id FROM orders")
        day.late(sources)
        yield PlayedDay(day=day, sources=sources, orders_before=frozenset(before))


def _keys(connection: psycopg.Connection, query: str) -> set[str]:
    return {str(row[0]) for row in connection.execute(query.encode()).fetchall()}


_SHOP_RULES = {
    "price_override": """SELECT order_id FROM order_lines
        WHERE kind = 'item' AND unit_price <> list_price AND bundle_line_no IS NULL""",
    "order_discount": "SELECT order_id FROM order_lines WHERE kind = 'discount' AND unit_price < 0",
    "freight": "SELECT order_id FROM order_lines WHERE kind = 'freight'",
    "bundle": "SELECT order_id FROM order_lines l JOIN products p ON p.id = l.product_id WHERE p.kind = 'bundle'",
    "cancelled_before_shipping": "SELECT id FROM orders WHERE status = 'void'",
    "captured_not_refunded": """SELECT order_id FROM payments p JOIN orders o ON o.id = order_id
        WHERE o.status = 'void' AND p.status = 'captured'""",
    "refused_by_odoo": "SELECT o.id FROM orders o JOIN addresses a ON a.id = delivery_address_id WHERE country_code = 'XX'",
}
_MARKET_RULES = {
    "price_override": "SELECT order_id FROM items WHERE unit_price_cents <> list_price_cents",
    "order_discount": "SELECT order_id FROM orders WHERE discount_cents > 0",
    "freight": "SELECT order_id FROM orders WHERE shipping_cents > 0",
    "cancelled_before_shipping": "SELECT order_id FROM orders WHERE state = 'CANCELED'",
    "returned": "SELECT order_id FROM returns",
    "duplicate_order": """SELECT order_id FROM orders o WHERE EXISTS (
        SELECT FROM orders e WHERE e.idempotency_key = o.idempotency_key AND e.purchased_at < o.purchased_at)""",
    "late_sku": """SELECT order_id FROM orders JOIN items USING (order_id) JOIN listings l USING (external_sku)
        WHERE l.created_at > purchased_at""",
    "unknown_sku": "SELECT order_id FROM items WHERE external_sku NOT IN (SELECT external_sku FROM listings)",
}


def _shipped(sources: Sources) -> Shipped:
    """Dispatched lines by channel and order: shipment, line reference, quantity, substituted SKU, SKU, final."""
    found: Shipped = defaultdict(list)
    rows = sources.wms.execute("""
        SELECT channel, order_ref, shipment_no, order_line_ref, qty, substitutes_sku, sku, is_final
        FROM shipments JOIN shipment_lines USING (shipment_no) WHERE status = 'DISPATCHED'""")
    for channel, order_ref, *line in rows.fetchall():
        found[channel, order_ref].append(tuple(line))
    return found


def _ordered(sources: Sources) -> dict[tuple[str, str], dict[str, tuple[str, Decimal]]]:
    """What there is to ship, by channel and order: SKU and quantity by line reference."""
    found: dict[tuple[str, str], dict[str, tuple[str, Decimal]]] = defaultdict(dict)
    goods = sources.shop.execute("""
        SELECT order_no, line_no, sku, qty FROM order_lines l JOIN orders o ON o.id = order_id
        JOIN products p ON p.id = product_id WHERE p.kind = 'goods' AND l.kind = 'item'""")
    for order_no, line_no, sku, qty in goods.fetchall():
        found["B2B", order_no][str(line_no)] = (sku, qty)
    products = sources.shop.execute("SELECT sku, ean FROM products").fetchall()
    by_ean = {ean: sku for sku, ean in products if ean}
    items = sources.market.execute("""
        SELECT order_id, line_no, seller_sku, gtin, external_sku, quantity FROM items JOIN listings USING (external_sku)""")
    for order_id, line_no, seller_sku, gtin, external_sku, quantity in items.fetchall():
        sku = seller_sku or by_ean.get(gtin) or external_sku
        found["MKT", order_id][str(line_no)] = (sku, Decimal(quantity))
    return found


def _order_keys(sources: Sources) -> dict[tuple[str, str], tuple[str, str]]:
    shop = sources.shop.execute("SELECT order_no, id::text FROM orders").fetchall()
    market = sources.market.execute("SELECT order_id FROM orders").fetchall()
    keys = {("B2B", order_no): ("shop", key) for order_no, key in shop}
    return keys | {("MKT", key): ("market", key) for (key,) in market}


def _fulfilment_exceptions(sources: Sources) -> dict[str, set[tuple[str, str]]]:
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)
    ordered, keys = _ordered(sources), _order_keys(sources)
    for order, lines in _shipped(sources).items():
        sent: dict[str, Decimal] = defaultdict(Decimal)
        for _, reference, qty, _, _, _ in lines:
            sent[reference] += qty
        wanted = {reference: qty for reference, (_, qty) in ordered[order].items()}
        if any(substituted for _, _, _, substituted, _, _ in lines):
            found["substitution"].add(keys[order])
        if sent != wanted:
            found["partial_rest_cancelled"].add(keys[order])
        elif len({shipment for shipment, *_ in lines}) > 1:
            found["partial_then_completed"].add(keys[order])
    return found


def _linked(sources: Sources) -> dict[str, set[tuple[str, str]]]:
    customers = sources.shop.execute("SELECT lower(email), replace(vat_number, ' ', '') FROM customers").fetchall()
    emails, numbers = {email for email, _ in customers}, {number for _, number in customers if number}
    buyers = sources.market.execute(
        "SELECT buyer_id::text, lower(email), replace(tax_id, ' ', '') FROM buyers"
    ).fetchall()
    products = sources.shop.execute("SELECT sku, ean FROM products").fetchall()
    skus, eans = {sku for sku, _ in products}, {ean for _, ean in products if ean}
    listings = sources.market.execute(
        "SELECT listing_id::text, external_sku, seller_sku, gtin FROM listings"
    ).fetchall()
    return {
        "same_customer": {("market", key) for key, email, number in buyers if email in emails or number in numbers},
        "product_two_skus": {
            ("market", key)
            for key, external, own, gtin in listings
            if external not in skus and (own in skus or gtin in eans)
        },
    }


def _found(played: PlayedDay) -> dict[str, set[tuple[str, str]]]:
    found = _fulfilment_exceptions(played.sources) | _linked(played.sources)
    for kind, query in _SHOP_RULES.items():
        found[kind] = {("shop", key) for key in _keys(played.sources.shop, query)}
    for kind, query in _MARKET_RULES.items():
        found[kind] = found.get(kind, set()) | {("market", key) for key in _keys(played.sources.market, query)}
    gone = played.orders_before - _keys(played.sources.shop, "SELECT id FROM orders")
    found["deleted_order"] = {("shop", key) for key in gone}
    return found


def test_the_data_show_the_seeded_exceptions_and_no_others(played: PlayedDay) -> None:
    seeded: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for exception in played.day.exceptions:
        seeded[exception.kind].add((exception.source, exception.source_key))
    assert _found(played) == seeded


def test_totals_are_those_of_the_lines(played: PlayedDay) -> None:
    shop = played.sources.shop.execute("""
        SELECT o.id FROM orders o JOIN order_lines l ON l.order_id = o.id
        GROUP BY o.id HAVING sum(round(qty * unit_price * (1 - discount_pct / 100), 2)) <> o.total""").fetchall()
    market = played.sources.market.execute("""
        SELECT o.order_id FROM orders o JOIN items i USING (order_id) GROUP BY o.order_id
        HAVING sum(quantity * unit_price_cents) + shipping_cents - discount_cents <> o.total_cents""").fetchall()
    statements = played.sources.market.execute(
        "SELECT settlement_id FROM settlements GROUP BY 1 HAVING sum(amount_cents) <> 0"
    ).fetchall()
    assert (shop, market, statements) == ([], [], [])


def test_every_order_that_is_not_held_back_is_shipped_and_completed(played: PlayedDay) -> None:
    held = {"cancelled_before_shipping", "duplicate_order", "unknown_sku", "refused_by_odoo", "deleted_order"}
    kinds: dict[tuple[str, str], str] = {(each.source, each.source_key): each.kind for each in played.day.exceptions}
    keys, shipped = _order_keys(played.sources), _shipped(played.sources)
    assert {keys[order] for order in shipped} == {key for key in keys.values() if kinds.get(key) not in held}
    done = _keys(played.sources.shop, "SELECT id FROM orders WHERE status = 'completed'")
    delivered = _keys(played.sources.market, "SELECT order_id FROM orders WHERE state = 'DELIVERED'")
    assert {("shop", key) for key in done} | {("market", key) for key in delivered} == {
        keys[order] for order in shipped
    }
    for lines in shipped.values():
        assert len({shipment for shipment, *_, final in lines if final}) == 1


def test_what_is_shipped_is_what_was_ordered_or_its_substitute(played: PlayedDay) -> None:
    ordered = _ordered(played.sources)
    for order, lines in _shipped(played.sources).items():
        for _, reference, qty, substituted, sku, _ in lines:
            wanted, wanted_qty = ordered[order][reference]
            assert (substituted or sku) == wanted
            assert 0 < qty <= wanted_qty
            assert sku != substituted


def test_completed_orders_are_paid(played: PlayedDay) -> None:
    unpaid = played.sources.shop.execute("""
        SELECT o.id FROM orders o LEFT JOIN payments p ON p.order_id = o.id AND p.status = 'captured' AND amount = total
        WHERE o.status = 'completed' AND p.id IS NULL""").fetchall()
    assert unpaid == []


def test_two_plays_of_a_seed_leave_the_same_rows(postgres: EmbeddedPostgres) -> None:
    first, second = (_all_rows(postgres), _all_rows(postgres))
    assert first == second


def _all_rows(postgres: EmbeddedPostgres) -> dict[str, str | None]:
    day = BusinessDay(seed=12, orders=150)
    with fresh_sources(postgres) as sources:
        for phase in (day.masters, day.trade, day.late):
            phase(sources)
        return {f"{name}.{table}": _checksum(sources.of(name), table) for name, table in _tables(sources)}


def _tables(sources: Sources) -> Iterator[tuple[str, str]]:
    for name in ("shop", "market", "wms"):
        for (table,) in (
            sources.of(name).execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        ):
            yield name, table


def _checksum(connection: psycopg.Connection, table: str) -> str | None:
    query = f"SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {table} t"
    row = connection.execute(query.encode()).fetchone()
    return row[0] if row else None


def test_some_descriptions_are_toasted(played: PlayedDay) -> None:
    size = played.sources.shop.execute(
        "SELECT pg_relation_size(reltoastrelid) FROM pg_class WHERE relname = 'products'"
    )
    assert size.fetchall() > [(0,)]
    renamed = "SELECT count(*) FROM products WHERE name LIKE '%(new)' AND length(description) > 8000"
    assert played.sources.shop.execute(renamed).fetchall() > [(0,)]


def test_new_rows_get_numbers_behind_the_days(played: PlayedDay) -> None:
    with played.sources.shop.transaction(force_rollback=True):
        row = played.sources.shop.execute("""
            INSERT INTO orders (order_no, customer_id, status, placed_at, total) VALUES ('new', 1, 'draft', now(), 0)
            RETURNING id > ALL (SELECT id FROM orders)""").fetchone()
    assert row == (True,)
