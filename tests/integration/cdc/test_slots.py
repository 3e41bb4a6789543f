"""Slots and publications: planned without a change, created as planned, watched, mended and dropped."""

from __future__ import annotations

import pytest

from cdc import publications, slots
from cdc.connection import connect
from config.errors import CausewayError, ErrorKind
from config.settings import Lane, TableSettings
from tests.fixtures.capture import captured, wal_bytes
from tests.fixtures.postgres import FreshDatabase

TABLES = ("CREATE TABLE public.a (id int PRIMARY KEY)", 'CREATE TABLE public."B c" (id int PRIMARY KEY)')


def test_a_plan_changes_nothing_and_create_does_what_it_says(database: FreshDatabase) -> None:
    source = captured(database, ["public.a", "public.B c"], *TABLES)
    with connect(source.settings.connection, application_name="test") as connection:
        planned = slots.missing(connection, source.settings, Lane.ANALYTICAL, source.slot)
        assert [step.statement.split(" ")[0] for step in planned] == ["CREATE", "SELECT"]
        assert 'ONLY "public"."B c"' in planned[0].statement
        assert all(step.reason for step in planned)
        assert slots.status(connection, [source.slot]) == []
        assert slots.create(connection, source.settings, Lane.ANALYTICAL, source.slot) == planned
        assert slots.missing(connection, source.settings, Lane.ANALYTICAL, source.slot) == []


def test_status_says_what_the_server_keeps(database: FreshDatabase) -> None:
    source = captured(database, ["public.a"], *TABLES)
    with connect(source.settings.connection, application_name="test") as connection:
        slots.create(connection, source.settings, Lane.ANALYTICAL, source.slot)
        wal_bytes(connection, 2_000_000)
        (status,) = slots.status(connection, [source.slot, "another"])
    assert (status.name, status.lane, status.plugin, status.active_pid) == (
        source.slot,
        Lane.ANALYTICAL,
        "pgoutput",
        None,
    )
    assert status.wal_status == "reserved"
    assert status.retained_bytes is not None
    assert status.retained_bytes > 2_000_000
    assert status.lag_bytes is not None
    assert 2_000_000 < status.lag_bytes <= status.retained_bytes


def test_a_publication_is_mended_to_exactly_the_configured_tables(database: FreshDatabase) -> None:
    source = captured(database, ["public.a"], *TABLES)
    with connect(source.settings.connection, application_name="test") as connection:
        slots.create(connection, source.settings, Lane.ANALYTICAL, source.slot)
        source.tables = (TableSettings(name="public.B c"),)
        connection.execute(f"ALTER PUBLICATION {source.slot} SET (publish = 'insert')")
        steps = slots.create(connection, source.settings, Lane.ANALYTICAL, source.slot)
        assert "misses public.B c" in steps[0].reason
        publication = publications.find_publication(connection, source.slot)
        assert publication is not None
        assert list(publication.tables) == ["public.B c"]
        assert publication.all_operations


def test_drop_leaves_nothing_and_refuses_a_slot_in_use(database: FreshDatabase) -> None:
    source = captured(database, ["public.a"], *TABLES)
    source.catch_up()
    reader = source.reader()
    reader.open(source.replay.position)
    while reader.received == 0:
        reader.poll()
    with connect(source.settings.connection, application_name="test") as connection:
        with pytest.raises(CausewayError) as refused:
            slots.drop(connection, source.slot)
        assert refused.value.kind is ErrorKind.SLOT_IN_USE
        reader.close()
        while slots.status(connection, [source.slot])[0].active_pid:
            pass
        assert len(slots.drop(connection, source.slot)) == 2
        assert slots.status(connection, [source.slot]) == []
        assert publications.find_publication(connection, source.slot) is None
        assert slots.drop(connection, source.slot) == []


def test_a_slot_of_idle_tables_moves_on_with_what_others_write(database: FreshDatabase) -> None:
    source = captured(database, ["public.a"], *TABLES)
    source.catch_up()
    with connect(source.settings.connection, application_name="test") as connection:
        (before,) = slots.status(connection, [source.slot])
        assert before.restart_lsn is not None
        reached = before.restart_lsn
        for _ in range(50):
            wal_bytes(connection, 200_000)  # of a table that no publication shows
            connection.execute("SELECT pg_log_standby_snapshot()")
            source.catch_up()
            (after,) = slots.status(connection, [source.slot])
            reached = min(after.restart_lsn or reached, after.confirmed_flush_lsn or reached)
            if reached > before.head:
                break
    assert reached > before.head
