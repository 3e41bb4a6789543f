"""The masters of a day, and the small changes to them that end in agreement."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from decimal import Decimal

from sandbox.day.catalogue import Catalogue
from sandbox.day.clock import OPENING, london
from sandbox.day.fulfilment import WAREHOUSES
from sandbox.day.people import People
from sandbox.day.statements import Row, Statement, Transaction, execute, insert
from sandbox.day.words import SUPPLIERS

_MORNING = OPENING - timedelta(hours=2)
_ROWS_A_TRANSACTION = 50


def opening(catalogue: Catalogue, people: People) -> Iterator[Transaction]:
    """Customers, products, buyers, listings, warehouses and stock, as they are when the day begins."""
    customers = people.customers + people.refused
    addresses = [asdict(address) for customer in customers for address in customer.addresses]
    yield from _inserts("shop", "customers", [customer.row() for customer in customers])
    yield from _inserts("shop", "addresses", addresses)
    yield from _inserts("shop", "products", [product.row() for product in catalogue.products])
    yield _transaction("shop", _MORNING, *(_continue(table) for table in ("customers", "addresses", "products")))
    yield from _inserts("market", "buyers", [buyer.row() for buyer in people.buyers])
    yield from _inserts("market", "listings", [listing.row() for listing in catalogue.early_listings])
    places = [{"code": code, "name": name, "city": city, "country": "GB"} for code, name, city in WAREHOUSES]
    yield _transaction("wms", _MORNING, insert("warehouses", places))
    yield from _inserts("wms", "stock", [row for code, _, _ in WAREHOUSES for row in _stock_rows(code, catalogue)])


def upkeep(catalogue: Catalogue, people: People, seed: int) -> Iterator[Transaction]:
    """What the back office changes during the day."""
    rng = random.Random(f"{seed}/upkeep")
    yield from _renamed_products(catalogue, rng)
    yield from _moved_customers(people, rng)
    yield from _paused_listings(catalogue, rng)
    yield from _received_goods(catalogue, rng)


def closing() -> Iterator[Transaction]:
    """Let the sequences continue behind the numbers that the day has used."""
    at = OPENING + timedelta(hours=13)
    yield _transaction("shop", at, _continue("orders"), _continue("payments"))
    yield _transaction("market", at, _continue("fees", "fee_id"))
    yield _transaction("wms", at, _continue("pick_tickets", "ticket_id"))


def _renamed_products(catalogue: Catalogue, rng: random.Random) -> Iterator[Transaction]:
    # Most of them with a TOASTed description, which the update does not touch and the WAL does not repeat.
    for product in rng.sample([each for each in catalogue.goods if each.id % 5 == 0 or each.id % 7 == 0], 12):
        at = _some_time(rng)
        query = "UPDATE products SET name = %s, updated_at = %s WHERE id = %s"
        yield _transaction("shop", at, execute(query, f"{product.name} (new)", london(at), product.id))


def _moved_customers(people: People, rng: random.Random) -> Iterator[Transaction]:
    for customer in rng.sample(people.customers, 10):
        moved = execute("UPDATE addresses SET street = %s WHERE id = %s", "1 New Street", customer.addresses[-1].id)
        called = execute("UPDATE customers SET phone = %s WHERE id = %s", "+44 1632 960000", customer.id)
        yield _transaction("shop", _some_time(rng), moved, called)


def _paused_listings(catalogue: Catalogue, rng: random.Random) -> Iterator[Transaction]:
    for listing in rng.sample(catalogue.early_listings, 6):
        at = _some_time(rng)
        query = "UPDATE listings SET status = %s WHERE listing_id = %s"
        yield _transaction("market", at, execute(query, "paused", listing.listing_id))
        yield _transaction("market", at + timedelta(minutes=50), execute(query, "active", listing.listing_id))


def _received_goods(catalogue: Catalogue, rng: random.Random) -> Iterator[Transaction]:
    for number in range(1, 9):
        at, code, products = _some_time(rng), WAREHOUSES[number % 2][0], rng.sample(catalogue.goods, 5)
        rows = [
            {
                "receipt_no": f"RC-{number:04d}",
                "line_no": line_no,
                "warehouse_code": code,
                "sku": product.sku,
                "qty": Decimal(rng.randint(50, 500)),
                "received_at": at,
                "supplier": SUPPLIERS[number % len(SUPPLIERS)],
            }
            for line_no, product in enumerate(products, 1)
        ]
        query = "UPDATE stock SET on_hand = on_hand + %s, counted_at = %s WHERE warehouse_code = %s AND sku = %s"
        counted = [execute(query, row["qty"], at, code, row["sku"]) for row in rows]
        yield _transaction("wms", at, insert("receipts", rows), *counted)


def _stock_rows(code: str, catalogue: Catalogue) -> list[Row]:
    return [
        {
            "warehouse_code": code,
            "sku": product.sku,
            # Enough for any day: what is out of stock is another story.
            "on_hand": Decimal(20_000 + 10 * product.id),
            "reserved": Decimal(0),
            "counted_at": _MORNING,
        }
        for product in catalogue.goods
    ]


def _inserts(database: str, table: str, rows: Sequence[Row]) -> Iterator[Transaction]:
    for start in range(0, len(rows), _ROWS_A_TRANSACTION):
        yield _transaction(database, _MORNING, insert(table, rows[start : start + _ROWS_A_TRANSACTION]))


def _continue(table: str, column: str = "id") -> Statement:
    return execute(f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'), max({column})) FROM {table}")


def _some_time(rng: random.Random) -> datetime:
    return OPENING + timedelta(minutes=rng.randint(10, 480))


def _transaction(database: str, at: datetime, *statements: Statement) -> Transaction:
    return Transaction(at=at, database=database, statements=statements)
