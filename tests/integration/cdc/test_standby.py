"""A standby as the source: read like a primary, and refused in words where only the primary can help. Slots that a server gave up."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cdc import slots
from cdc.connection import connect
from config.errors import CausewayError, ErrorKind
from sandbox.postgres import EmbeddedPostgres
from tests.fixtures.capture import captured
from tests.fixtures.postgres import FreshDatabase
from tests.fixtures.standby import standby_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@contextmanager
def logging_snapshots(primary: EmbeddedPostgres) -> Iterator[None]:
    """Log lists of running transactions on the primary again and again."""
    ended = threading.Event()

    def work() -> None:
        with primary.connect(autocommit=True) as connection:
            while not ended.wait(0.2):
                connection.execute("SELECT pg_log_standby_snapshot()")

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.mark.parametrize("postgres_version", [16, 18])
@pytest.mark.case(
    "a standby as the source",
    "read as a primary, from 16 on; what only the primary can do is refused with the statement to run there, and so is a slot that"
    " the primary's VACUUM took",
)
def test_a_standby_is_copied_and_followed_until_its_slot_conflicts(postgres_version: int) -> None:
    with EmbeddedPostgres(postgres_version) as primary:
        database = FreshDatabase(server=primary, name="shop", dsn=primary.create_database("shop"))
        source = captured(
            database, ["public.orders"], "CREATE TABLE orders (id int PRIMARY KEY)", "INSERT INTO orders VALUES (1)"
        )
        with standby_of(primary, "shop", {}) as standby, logging_snapshots(primary):
            source.dsn = standby.dsn("shop")
            with pytest.raises(CausewayError, match="nothing can be made") as refused:
                source.reader().open(None)
            assert refused.value.kind is ErrorKind.SERVER_SETTINGS
            assert "CREATE PUBLICATION" in refused.value.hint
            source.execute(refused.value.hint.partition(": ")[2].rstrip("; "))
            wait_for_replay(primary, standby)
            source.catch_up()
            source.execute("INSERT INTO orders VALUES (2)", "DELETE FROM orders WHERE id = 1")
            wait_for_replay(primary, standby)
            source.catch_up()
            source.assert_equal("public.orders")
            assert len(source.replay.tables["public.orders"]) == 1
            let_the_slot_conflict(primary, standby)
            with pytest.raises(CausewayError, match="a VACUUM on the primary has removed catalog rows") as refused:
                source.reader().open(source.replay.position)
            assert refused.value.kind is ErrorKind.GAP
            assert "hot_standby_feedback = on" in refused.value.hint
            assert "`causeway slots rebuild SOURCE`" in refused.value.hint


def let_the_slot_conflict(primary: EmbeddedPostgres, standby: EmbeddedPostgres) -> None:
    """Let a VACUUM on the primary remove rows of its catalog that the standby's slot needs, as without hot_standby_feedback."""
    with standby.connect("shop", autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET hot_standby_feedback = off")
        connection.execute("SELECT pg_reload_conf()")
    with primary.connect("shop", autocommit=True) as there, standby.connect("shop", autocommit=True) as here:
        for _ in range(100):
            there.execute("CREATE TABLE passing (id int)")
            there.execute("DROP TABLE passing")
            there.execute("VACUUM pg_class, pg_attribute")
            wait_for_replay(primary, standby)
            if here.execute("SELECT FROM pg_replication_slots WHERE conflicting").fetchone() is not None:
                return
            time.sleep(0.2)
    raise AssertionError("the slot did not conflict")


def wait_for_replay(primary: EmbeddedPostgres, standby: EmbeddedPostgres) -> None:
    with primary.connect(autocommit=True) as there, standby.connect(autocommit=True) as here:
        (end,) = there.execute("SELECT pg_current_wal_flush_lsn()").fetchone() or ("",)
        for _ in range(300):
            if here.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", [end]).fetchone() == (True,):
                return
            time.sleep(0.1)
    raise AssertionError("the standby did not follow")


@pytest.mark.case("invalidated by idle_replication_slot_timeout")
def test_a_slot_that_idle_replication_slot_timeout_took_is_refused_with_its_reason() -> None:
    with EmbeddedPostgres(18, settings={"idle_replication_slot_timeout": "1s"}) as server:
        database = FreshDatabase(server=server, name="shop", dsn=server.create_database("shop"))
        source = captured(database, ["public.orders"], "CREATE TABLE orders (id int PRIMARY KEY)")
        source.catch_up()
        for _ in range(100):
            source.execute("INSERT INTO orders SELECT coalesce(max(id), 0) + 1 FROM orders", "CHECKPOINT")
            with connect(source.settings.connection, application_name="test") as connection:
                (found,) = slots.status(connection, [source.slot])
            if found.invalidation_reason:
                break
            time.sleep(0.2)
        assert found.invalidation_reason == "idle_timeout"
        with pytest.raises(CausewayError, match="longer than idle_replication_slot_timeout") as refused:
            source.reader().open(source.replay.position)
        assert refused.value.kind is ErrorKind.GAP
        assert "rebuild" in refused.value.hint
