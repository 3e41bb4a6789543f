"""The seam between the snapshot and the stream: what is committed while rows are copied arrives once, with its last state."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from cdc.batch import BatchKind
from cdc.reader import PostgresReader
from tests.fixtures.capture import CapturedDatabase, captured, rows_of
from tests.fixtures.postgres import EVERY_POSTGRES, FreshDatabase
from tests.integration.cdc.test_reader_positions import next_batch

pytestmark = EVERY_POSTGRES

ROWS = 6000
TABLES = (
    "CREATE TABLE public.orders (id int PRIMARY KEY, note text)",
    "CREATE TABLE public.lines (id int PRIMARY KEY, note text)",
    f"INSERT INTO orders SELECT g, repeat('x', 2000) FROM generate_series(1, {ROWS}) g",
    f"INSERT INTO lines SELECT g, 'old' FROM generate_series(1, {ROWS}) g",
)


def paused_copy(source: CapturedDatabase, *, bounded: bool = True) -> PostgresReader:
    """Begin a snapshot and take one batch: the copy waits until somebody takes more, with most rows not yet read."""
    reader = source.reader()
    reader.open(None, source.end() if bounded else None)
    first = next_batch(reader)
    assert first.kind is BatchKind.SNAPSHOT
    assert not first.complete
    source.replay.apply(first)
    return reader


@pytest.mark.case(
    "a commit between the exported snapshot and the recorded LSN",
    "there is no between: the snapshot is the one of its LSN, and the stream sends what it does not see",
)
@pytest.mark.case(
    "insert, update, delete, and insert then delete while the copy runs",
    "come by the stream, after the rows as they were",
)
def test_changes_made_while_the_copy_runs_arrive_once(database: FreshDatabase) -> None:
    source = captured(database, ["public.orders", "public.lines"], *TABLES, batch_bytes=2**16, batch_rows=100)
    reader = paused_copy(source)
    source.execute(
        "INSERT INTO lines VALUES (0, 'new')",
        "UPDATE lines SET note = 'changed' WHERE id = 5900",
        "UPDATE orders SET id = -id WHERE id = 5901",
        "DELETE FROM lines WHERE id = 5902",
        "INSERT INTO lines VALUES (7000, 'gone soon')",
        "DELETE FROM lines WHERE id = 7000",
        "DELETE FROM lines WHERE id = 5903",
        "INSERT INTO lines VALUES (5903, 'here again')",
    )
    source.drain(reader)
    reader.close()
    copied = rows_of(source.replay.batches, kind=BatchKind.SNAPSHOT)
    assert not any(row["note"] in ("new", "changed", "gone soon", "here again") for row in copied)
    assert sum(row["_table"] == "public.lines" for row in copied) == ROWS
    changes = rows_of(source.catch_up())
    assert [row["_op"] for row in changes] == ["i", "u", "d", "i", "d", "i", "d", "d", "i"]
    source.assert_equal()


@pytest.mark.case(
    "a commit between the exported snapshot and the recorded LSN",
    "there is no between: the snapshot is the one of its LSN, and the stream sends what it does not see",
)
def test_a_reader_that_has_copied_streams_on_from_the_copys_point(database: FreshDatabase) -> None:
    source = captured(database, ["public.orders", "public.lines"], *TABLES, batch_bytes=2**16, batch_rows=100)
    reader = paused_copy(source, bounded=False)
    source.execute(
        "UPDATE lines SET note = 'changed' WHERE id = 5900",
        "DELETE FROM lines WHERE id = 5902",
        "INSERT INTO lines VALUES (0, 'the last')",
    )
    streamed: list[dict[str, Any]] = []
    while not any(row["note"] == "the last" for row in streamed):
        batch = next_batch(reader)
        source.replay.apply(batch)
        streamed += rows_of([batch], kind=BatchKind.STREAM)
    reader.close()
    assert [row["_op"] for row in streamed] == ["u", "d", "i"]
    source.assert_equal()


def test_a_transaction_that_is_open_when_the_slot_is_made_arrives_whole_and_once(database: FreshDatabase) -> None:
    source = captured(database, ["public.orders", "public.lines"], *TABLES)
    with database.connect() as writer, database.connect() as other:
        writer.execute("INSERT INTO lines VALUES (10000, 'before the slot')")
        caught = threading.Thread(target=source.catch_up)
        caught.start()
        caught.join(0.5)
        assert caught.is_alive(), "making a slot waits for the transactions that run"
        writer.execute("INSERT INTO lines VALUES (10001, 'while it is made')")
        other.execute("INSERT INTO lines VALUES (10002, 'by somebody else')")
        writer.commit()
        other.commit()
        caught.join(30)
        assert not caught.is_alive()
    source.catch_up()
    source.assert_equal()
