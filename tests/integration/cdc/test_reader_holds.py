"""A reader that is held and cut: what it has handed out is what a view of the source at that point sees, load or no load."""

from __future__ import annotations

import time

import pytest

from cdc.exported_snapshot import consistent_view
from cdc.reader import PostgresReader
from config.errors import CausewayError, ErrorKind
from tests.fixtures.capture import CapturedDatabase, captured
from tests.fixtures.postgres import FreshDatabase
from tests.integration.cdc.test_reader_positions import ORDERS, Writer, next_batch


def test_a_held_reader_hands_out_exactly_what_a_view_of_the_source_sees(database: FreshDatabase) -> None:
    source = captured(
        database, ["public.orders"], ORDERS, "INSERT INTO orders SELECT g, 'old' FROM generate_series(1, 500) g"
    )
    source.catch_up()
    reader = source.reader()
    reader.open(source.replay.position)
    writer = Writer(database)
    writer.start()
    try:
        for _ in range(3):
            source.replay.apply(next_batch(reader))
            reader.hold(60)
            with consistent_view(source.settings.connection, application_name="test") as view:
                assert reader.poll() is None
                reader.cut_at(view.lsn)
                drain_to_cut(source, reader)
                seen = view.connection.execute("SELECT id::text, note FROM orders").fetchall()
            assert {key[0]: row["note"] for key, row in source.replay.tables["public.orders"].items()} == dict(seen)
            assert source.replay.position is not None
            assert source.replay.position.lsn == view.lsn
            reader.release()
    finally:
        writer.stop.set()
        writer.join()
    reader.close()
    source.catch_up()
    source.assert_equal()


def test_an_idle_source_is_cut_and_goes_on(database: FreshDatabase) -> None:
    source = captured(database, ["public.orders"], ORDERS)
    source.catch_up()
    reader = source.reader()
    reader.open(source.replay.position)
    reader.hold(60)
    with consistent_view(source.settings.connection, application_name="test") as view:
        source.execute("INSERT INTO orders VALUES (1)")
        reader.cut_at(view.lsn)
        drain_to_cut(source, reader)
        assert not source.replay.tables.get("public.orders")
    reader.release()
    source.replay.apply(next_batch(reader))
    reader.close()
    source.assert_equal()


def test_a_reader_that_copies_or_ends_somewhere_cannot_be_held(database: FreshDatabase) -> None:
    source = captured(database, ["public.orders"], ORDERS)
    for position, until in ((None, None), (None, source.end())):
        reader = source.reader()
        reader.open(position, until)
        with pytest.raises(CausewayError, match="cannot be held") as raised:
            reader.hold(60)
        assert raised.value.kind is ErrorKind.TRANSIENT
        reader.close()


def test_a_hold_ends_by_itself(database: FreshDatabase) -> None:
    source = captured(database, ["public.orders"], ORDERS)
    source.catch_up()
    reader = source.reader()
    reader.open(source.replay.position)
    reader.hold(0.2)
    with pytest.raises(CausewayError, match="held already"):
        reader.hold(60)
    source.execute("INSERT INTO orders VALUES (1)")
    source.replay.apply(next_batch(reader))
    assert not reader.holding
    reader.close()
    source.assert_equal()


def drain_to_cut(source: CapturedDatabase, reader: PostgresReader, timeout_s: float = 20) -> None:
    deadline = time.monotonic() + timeout_s
    while not reader.at_cut:
        batch = reader.poll()
        if batch is not None:
            source.replay.apply(batch)
        assert time.monotonic() < deadline, "the cut was not reached"
