"""The backfill policy of a mapping: which records from before the lane went live begin in the outbox, and what later changes do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config.settings import Lane
from tests.fixtures.capture import captured
from tests.fixtures.operational_end import OperationalEnd
from tests.fixtures.postgres import FreshDatabase

ORDERS = """-- mapping: orders
-- entity: sales_order
-- source: shop
-- table: public.orders
-- version: 1
-- backfill: {policy}
SELECT id AS source_key, id AS order_number, 'c1' AS customer_key, 'confirmed' AS status, placed_at AS ordered_at,
    'GBP' AS currency, note FROM public.orders
"""
LINES = """-- mapping: lines
-- entity: sales_order_line
-- source: shop
-- table: public.lines
-- version: 1
SELECT id AS source_key, order_id AS order_key, 1 AS line_number, 'manual' AS kind, qty AS quantity, qty AS unit_price,
    0 AS discount_percent FROM public.lines
"""
DDL = (
    "CREATE TABLE orders (id int PRIMARY KEY, placed_at timestamptz, note text)",
    "CREATE TABLE lines (id int PRIMARY KEY, order_id int, qty int)",
    "INSERT INTO orders VALUES (1, '2016-05-01', NULL), (2, '2026-05-01', NULL)",
    "INSERT INTO lines VALUES (11, 1, 5), (21, 2, 5)",
)
Opened = Callable[[str], OperationalEnd]


@pytest.fixture
def opened(database: FreshDatabase, tmp_path: Path) -> Iterator[Opened]:
    ends = []

    def go_live(policy: str) -> OperationalEnd:
        (tmp_path / "orders.sql").write_text(ORDERS.format(policy=policy))
        (tmp_path / "lines.sql").write_text(LINES)
        # The lines are copied before their orders: a snapshot's order says nothing.
        source = captured(database, ["public.lines", "public.orders"], *DDL)
        source.lane = Lane.OPERATIONAL
        ends.append(OperationalEnd(source, tmp_path))
        ends[0].run()
        return ends[0]

    yield go_live
    for end in ends:
        end.close()


def known(end: OperationalEnd) -> list[str]:
    return [key for (key,) in end.query("SELECT source_key FROM outbox ORDER BY source_key::int")]


def test_all_is_what_a_mapping_without_the_line_does(opened: Opened) -> None:
    assert known(opened("all")) == ["1", "2", "11", "21"]


def test_none_begins_with_what_is_inserted_after_going_live(opened: Opened) -> None:
    end = opened("none")
    assert known(end) == []
    end.source.execute("UPDATE orders SET note = 'x' WHERE id = 1", "UPDATE lines SET qty = 6 WHERE id = 11")
    end.source.execute("INSERT INTO lines VALUES (12, 1, 7)", "DELETE FROM orders WHERE id = 2")
    end.source.transaction(
        "INSERT INTO orders VALUES (3, '2026-06-01', NULL)",
        "UPDATE orders SET note = 'same transaction' WHERE id = 3",
        "INSERT INTO lines VALUES (31, 3, 5)",
    )
    end.run()
    assert known(end) == ["3", "31"]
    end.source.execute("UPDATE orders SET note = 'later' WHERE id = 3", "UPDATE lines SET qty = 9 WHERE id = 31")
    end.run()
    assert end.query("SELECT payload->>'note' FROM outbox WHERE source_key = '3'") == [("later",)]
    assert end.query("SELECT payload->>'quantity' FROM outbox WHERE source_key = '31'") == [("9",)]


def test_from_a_date_leaves_older_records_out_with_their_lines_also_when_they_change(opened: Opened) -> None:
    end = opened("from 2026-01-01 on placed_at")
    assert known(end) == ["2", "21"]
    end.source.execute("UPDATE orders SET note = 'x'", "UPDATE lines SET qty = 6")
    end.run()
    assert known(end) == ["2", "21"]
    end.source.execute("UPDATE orders SET placed_at = '2016-01-01', note = 'y' WHERE id = 2")
    end.run()
    assert end.query("SELECT payload->>'note' FROM outbox WHERE source_key = '2'") == [("y",)]  # it was begun


def test_a_large_transaction_in_pieces_begins_with_its_insert(opened: Opened) -> None:
    end = opened("none")
    end.source.capture = end.source.capture.model_copy(update={"batch_rows": 10})
    end.source.transaction(
        "INSERT INTO orders SELECT g, now(), NULL FROM generate_series(100, 139) g", "UPDATE orders SET note = 'last'"
    )
    end.run()
    assert known(end) == [str(number) for number in range(100, 140)]
    assert end.query("SELECT DISTINCT payload->>'note' FROM outbox") == [("last",)]


def test_a_row_that_was_inserted_while_its_mapping_was_broken_begins(opened: Opened) -> None:
    end = opened("none")
    end.source.execute("ALTER TABLE orders RENAME note TO remark", "INSERT INTO orders VALUES (5, now(), 'new')")
    end.run()
    assert known(end) == []
    (end.folder / "orders.sql").write_text(ORDERS.format(policy="none").replace("note FROM", "remark AS note FROM"))
    end.run()
    assert known(end) == ["5"]
