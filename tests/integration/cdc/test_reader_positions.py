"""Nothing lost, nothing twice: the boundary of snapshot and stream, restarts, confirmations, idle sources, large transactions."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import psycopg
import pytest

from cdc.batch import BatchKind, ChangeBatch
from cdc.catalog import server_facts
from cdc.connection import connect
from cdc.handover import StreamChunk
from cdc.lsn import Lsn
from cdc.reader import PostgresReader
from cdc.slots import SlotStatus, status
from config.errors import CausewayError, ErrorKind
from tests.fixtures.capture import CapturedDatabase, captured, rows_of, wal_bytes
from tests.fixtures.postgres import EVERY_POSTGRES, FreshDatabase, Servers, own_server

ORDERS = "CREATE TABLE public.orders (id int PRIMARY KEY, note text)"


def slot_of(source: CapturedDatabase) -> SlotStatus:
    with connect(source.settings.connection, application_name="test") as connection:
        (found,) = status(connection, [source.slot])
        return found


def eventually(condition: Callable[[], object], timeout_s: float = 10) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def next_batch(reader: PostgresReader, timeout_s: float = 10) -> ChangeBatch:
    deadline = time.monotonic() + timeout_s
    while (batch := reader.poll()) is None:
        assert time.monotonic() < deadline, "no batch came in time"
        time.sleep(0.01)
    return batch


class Writer(threading.Thread):
    """Inserts, updates and deletes in small transactions until it is stopped."""

    def __init__(self, database: FreshDatabase) -> None:
        super().__init__()
        self._database = database
        self.stop = threading.Event()
        self.transactions = 0

    def run(self) -> None:
        with self._database.connect() as connection:
            while not self.stop.is_set():
                n = self.transactions
                connection.execute(
                    "INSERT INTO orders SELECT %s + g, 'new' FROM generate_series(1, 5) g", [100_000 + n * 10]
                )
                connection.execute("UPDATE orders SET note = %s WHERE id %% 97 = %s", [f"u{n}", n % 97])
                connection.execute("INSERT INTO orders VALUES (-1, 'gone')")
                connection.execute("DELETE FROM orders WHERE id = -1 OR id = %s", [100_000 + (n - 3) * 10 + 2])
                connection.commit()
                self.transactions += 1


@EVERY_POSTGRES
@pytest.mark.case("insert, update, delete, and insert then delete while the copy runs")
def test_writes_during_the_snapshot_arrive_once(database: FreshDatabase) -> None:
    source = captured(
        database,
        ["public.orders"],
        ORDERS,
        "INSERT INTO orders SELECT g, 'old' FROM generate_series(1, 20000) g",
        batch_rows=500,
    )
    writer = Writer(database)
    writer.start()
    try:
        for _ in range(3):
            source.catch_up()
            time.sleep(0.1)
    finally:
        writer.stop.set()
        writer.join()
    assert writer.transactions > 20
    source.catch_up()
    source.assert_equal()


@EVERY_POSTGRES
def test_a_snapshot_broken_off_begins_again(database: FreshDatabase) -> None:
    source = captured(
        database,
        ["public.orders"],
        ORDERS,
        "INSERT INTO orders SELECT g, 'old' FROM generate_series(1, 5000) g",
        batch_rows=500,
    )
    reader = source.reader()
    reader.open(None)
    eventually(lambda: (batch := reader.poll()) is not None and batch.kind is BatchKind.SNAPSHOT)
    reader.close()
    source.execute("DELETE FROM orders WHERE id % 2 = 0")
    source.catch_up()
    source.assert_equal()


@EVERY_POSTGRES
@pytest.mark.case(
    "several rows at one LSN and a kill in the middle of their transaction",
    "the transaction is repeated whole: a position lies between transactions only",
)
def test_dying_in_the_middle_of_a_transaction_repeats_it_whole(database: FreshDatabase) -> None:
    source = captured(database, ["public.orders"], ORDERS, batch_rows=100)
    source.catch_up()
    source.transaction(
        "INSERT INTO orders SELECT g, 'x' FROM generate_series(1, 1000) g",
        "UPDATE orders SET note = 'y' WHERE id < 500",
    )
    reader = source.reader()
    reader.open(source.replay.position)
    seen = [next_batch(reader) for _ in range(3)]
    assert not any(batch.complete for batch in seen)
    reader.close()  # without applying or confirming: as if killed
    source.catch_up()
    source.assert_equal()


@EVERY_POSTGRES
@pytest.mark.case(
    "a reply lost after the destination committed", "as a kill there: the destination's own position says what it has"
)
@pytest.mark.case(
    "killed after the destination committed and before the slot was told",
    "the stream begins at the destination's own position, not at the slot's",
)
def test_what_was_committed_but_not_confirmed_is_not_sent_again(database: FreshDatabase) -> None:
    source = captured(database, ["public.orders"], ORDERS)
    source.catch_up()
    source.execute("INSERT INTO orders VALUES (1)", "INSERT INTO orders VALUES (2)")
    reader = source.reader()
    reader.open(source.replay.position, source.end())
    while not reader.caught_up:
        if (batch := reader.poll()) is not None:
            source.replay.apply(batch)  # durable at the destination, but the reader is never told
    reader.close()
    assert source.replay.position is not None
    behind = slot_of(source).confirmed_flush_lsn
    assert behind is not None
    assert behind < source.replay.position.lsn
    source.execute("INSERT INTO orders VALUES (3)")
    assert [row["id"] for row in rows_of(source.catch_up())] == ["3"]
    source.assert_equal()


@EVERY_POSTGRES
@pytest.mark.case(
    "millions of rows in one transaction",
    "comes in pieces of bounded size, which the destination commits all at once",
)
def test_a_large_transaction_comes_in_pieces_of_bounded_size(database: FreshDatabase) -> None:
    source = captured(database, ["public.orders"], ORDERS, batch_bytes=2**16)
    source.catch_up()
    source.execute(
        "INSERT INTO orders VALUES (0)",
        "INSERT INTO orders SELECT g, repeat('x', 100) FROM generate_series(1, 20000) g",
    )
    source.execute("INSERT INTO orders VALUES (-1)")
    batches = source.catch_up()
    pieces = [batch for batch in batches if not batch.complete]
    assert len(pieces) > 20
    assert max(batch.row_count for batch in batches) < 2500
    assert {batch.position.lsn for batch in pieces} == {pieces[0].position.lsn}
    lsns = {row["_lsn"] for row in rows_of(batches) if int(row["id"]) > 0}
    assert len(lsns) == 1, "all pieces say the same of their transaction"
    source.assert_equal()


@EVERY_POSTGRES
@pytest.mark.case("a rolled-back savepoint in a spilled transaction", "leaves nothing")
@pytest.mark.case("interleaved large transactions")
def test_spilled_transactions_arrive_whole_and_without_their_rolled_back_savepoints(database: FreshDatabase) -> None:
    source = captured(
        database,
        ["public.orders"],
        ORDERS,
        f"ALTER DATABASE {database.name} SET logical_decoding_work_mem = '64kB'",
        batch_bytes=2**16,
    )
    source.catch_up()
    insert = "INSERT INTO orders SELECT g, repeat('x', 200) FROM generate_series({}, {}) g"
    with database.connect() as first, database.connect() as second:
        for n in range(3):
            for number, writer in enumerate((first, second)):
                begin = 100_000 * number + 10_000 * n
                writer.execute(insert.format(begin, begin + 1000).encode())
                writer.execute("SAVEPOINT s")
                writer.execute(insert.format(begin + 1001, begin + 4000).encode())
                writer.execute("UPDATE orders SET note = 'never'")
                writer.execute("ROLLBACK TO s")
        second.commit()
        first.rollback()
    assert len(rows_of(source.catch_up())) == 3 * 1001
    with database.connect() as connection:
        statistics = "SELECT spill_txns FROM pg_stat_replication_slots WHERE slot_name = %s"
        eventually(lambda: (connection.execute(statistics, [source.slot]).fetchone() or (0,))[0] > 0)
    source.assert_equal()


@EVERY_POSTGRES
@pytest.mark.case("interleaved large transactions", "in the order of their commits, each at once")
def test_interleaved_transactions_arrive_in_commit_order(database: FreshDatabase) -> None:
    source = captured(database, ["public.orders"], ORDERS, batch_rows=50)
    source.catch_up()
    with database.connect() as first, database.connect() as second:
        for n in range(0, 200, 2):
            first.execute("INSERT INTO orders VALUES (%s, 'first')", [n])
            second.execute("INSERT INTO orders VALUES (%s, 'second')", [n + 1])
        second.commit()
        first.commit()
    notes = [row["note"] for row in rows_of(source.catch_up())]
    assert notes == ["second"] * 100 + ["first"] * 100
    source.assert_equal()


@EVERY_POSTGRES
def test_until_ends_exactly_there(database: FreshDatabase) -> None:
    source = captured(database, ["public.orders"], ORDERS)
    source.catch_up()
    source.execute("INSERT INTO orders VALUES (1)")
    until = source.end()
    source.execute("INSERT INTO orders VALUES (2)")
    reader = source.reader()
    reader.open(source.replay.position, until)
    assert [row["id"] for row in rows_of(source.drain(reader))] == ["1"]
    reader.close()
    assert source.replay.position is not None
    assert source.replay.position.lsn == until
    assert [row["id"] for row in rows_of(source.catch_up())] == ["2"]


@EVERY_POSTGRES
def test_until_is_reached_though_the_flushed_log_ends_inside_a_record(database: FreshDatabase) -> None:
    source = captured(database, ["public.orders"], ORDERS)
    source.catch_up()
    source.execute("INSERT INTO orders VALUES (1)")
    with database.connect() as writer:
        until = Lsn(1)
        for _ in range(100):
            writer.execute("INSERT INTO orders SELECT g, 'uncommitted' FROM generate_series(10, 3000) g")
            writer.execute("DELETE FROM orders WHERE id >= 10")
            time.sleep(0.3)  # the WAL writer flushes whole pages
            until = source.end()
            if until % 8192 == 0:
                break
        assert until % 8192 == 0
        reader = source.reader()
        reader.open(source.replay.position, until)
        rows = rows_of(source.drain(reader, timeout_s=10))
        reader.close()
        assert [row["id"] for row in rows] == ["1"]
        writer.commit()
    source.catch_up()
    source.assert_equal()


@EVERY_POSTGRES
@pytest.mark.case("a keepalive before what was sent is durable", "answered with what is durable, and nothing more")
def test_a_keepalive_does_not_confirm_what_is_not_durable(database: FreshDatabase) -> None:
    source = captured(database, ["public.orders"], ORDERS, status_interval_s=0.1)
    source.catch_up()
    assert source.replay.position is not None
    before = source.replay.position.lsn
    source.execute("INSERT INTO orders VALUES (1)")
    reader = source.reader()
    reader.open(source.replay.position)
    batch = next_batch(reader)
    with database.connect(autocommit=True) as connection:
        for _ in range(10):  # keepalives, status messages, other tables' WAL
            wal_bytes(connection, 1_500_000)
            time.sleep(0.1)
            reader.poll()
    assert slot_of(source).confirmed_flush_lsn == before
    reader.confirm(batch.position.lsn)
    eventually(lambda: slot_of(source).confirmed_flush_lsn == batch.position.lsn)
    reader.close()


@EVERY_POSTGRES
@pytest.mark.case(
    "captured tables idle while others write", "the position moves to where the log ends, and the slot with it"
)
def test_the_slot_of_idle_tables_moves_on_while_others_write(database: FreshDatabase) -> None:
    source = captured(database, ["public.orders"], ORDERS, status_interval_s=0.2)
    source.catch_up()
    reader = source.reader()
    reader.open(source.replay.position)
    with database.connect(autocommit=True) as connection:
        wal_bytes(connection, 3_000_000)
        written = server_facts(connection).current_lsn

    def moved() -> bool:
        if (batch := reader.poll()) is not None:
            assert (batch.row_count, batch.complete, batch.changes) == (0, True, ())
            source.replay.apply(batch)
            reader.confirm(batch.position.lsn)
        confirmed = slot_of(source).confirmed_flush_lsn
        return confirmed is not None and confirmed >= written

    eventually(moved)
    reader.close()


@EVERY_POSTGRES
def test_an_open_transaction_keeps_the_position_where_it_is(database: FreshDatabase) -> None:
    source = captured(database, ["public.orders"], ORDERS, status_interval_s=0.1, batch_rows=100)
    source.catch_up()
    assert source.replay.position is not None
    reader = source.reader()
    reader.open(source.replay.position)
    with database.connect() as writer, database.connect(autocommit=True) as other:
        writer.execute("INSERT INTO orders VALUES (1)")
        wal_bytes(other, 2_000_000)
        idle = next_batch(reader)
        assert idle.row_count == 0
        source.replay.apply(idle)
        writer.commit()
    source.execute("INSERT INTO orders VALUES (2)")
    reader.close()
    source.catch_up()
    source.assert_equal()


@EVERY_POSTGRES
def test_only_what_was_handed_out_can_be_confirmed_and_never_less_than_before(database: FreshDatabase) -> None:
    source = captured(database, ["public.orders"], ORDERS)
    source.catch_up()
    assert source.replay.position is not None
    reader = source.reader()
    reader.open(source.replay.position)
    for lsn in (source.replay.position.lsn + 1, source.replay.position.lsn - 1):
        with pytest.raises(CausewayError) as refused:
            reader.confirm(Lsn(lsn))
        assert refused.value.kind is ErrorKind.INTERNAL
    reader.close()


@EVERY_POSTGRES
@pytest.mark.case("two readers on one slot", "the second is refused, and told which process holds the slot")
def test_two_readers_of_one_slot_do_not_take_from_each_other(database: FreshDatabase) -> None:
    source = captured(database, ["public.orders"], ORDERS)
    source.catch_up()
    first, second = source.reader(), source.reader()
    first.open(source.replay.position)
    eventually(lambda: slot_of(source).active_pid)
    pid = slot_of(source).active_pid
    with pytest.raises(CausewayError, match=rf"process {pid}\.") as refused:
        second.open(source.replay.position)
    assert refused.value.kind is ErrorKind.SLOT_IN_USE
    second.close()
    first.close()
    source.execute("INSERT INTO orders VALUES (1)")
    eventually(lambda: slot_of(source).active_pid is None)
    source.catch_up()
    source.assert_equal()


@EVERY_POSTGRES
@pytest.mark.case(
    "wal_sender_timeout while a long batch is applied",
    "the receiving thread goes on with status messages, and reads no more than it may hold",
)
def test_a_full_handover_stops_reading_but_not_the_status_messages(database: FreshDatabase) -> None:
    with psycopg.connect(database.dsn, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {database.name} SET wal_sender_timeout = '1s'")
    source = captured(database, ["public.orders"], ORDERS, batch_bytes=2**16)
    source.catch_up()
    source.execute(
        *[
            f"INSERT INTO orders SELECT {n * 5000} + g, repeat('x', 200) FROM generate_series(1, 5000) g"
            for n in range(20)
        ]
    )
    reader = source.reader()
    reader.open(source.replay.position, source.end())
    time.sleep(4)  # a long apply: nothing is polled, four times the server's patience
    received = reader.received
    assert reader._receiving is not None
    chunks = [chunk for chunk in reader._receiving.handover._chunks if isinstance(chunk, StreamChunk)]
    held = sum(len(message) for chunk in chunks for message in chunk.messages)
    assert held < 3 * 2**16
    assert received < source.end()
    source.drain(reader)
    reader.close()
    source.assert_equal()


@EVERY_POSTGRES
def test_an_aborted_batch_is_read_again_after_reopening_the_same_reader(database: FreshDatabase) -> None:
    source = captured(database, ["public.orders"], ORDERS)
    source.catch_up()
    source.execute("INSERT INTO orders VALUES (1)")
    reader = source.reader()
    for _ in range(3):
        reader.open(source.replay.position, source.end())
        eventually(lambda: reader.poll() is not None)
        reader.close()
        eventually(lambda: slot_of(source).active_pid is None)
    source.catch_up()
    source.assert_equal()


@EVERY_POSTGRES
@pytest.mark.case("a fast shutdown of Postgres", "a connection error; the lane waits and goes on from its position")
def test_a_fast_shutdown_ends_cleanly_and_loses_nothing(postgres_version: int) -> None:
    with own_server(postgres_version) as server:
        dsn = server.create_database("shop")
        source = captured(
            FreshDatabase(server=server, name="shop", dsn=dsn), ["public.orders"], ORDERS, status_interval_s=5
        )
        source.catch_up()
        reader = source.reader()
        reader.open(source.replay.position)
        source.execute("INSERT INTO orders SELECT g FROM generate_series(1, 1000) g")
        stopped = threading.Thread(target=server.stop, args=("fast",))
        stopped.start()
        with pytest.raises(CausewayError) as ended:
            source.drain(reader)
        stopped.join()
        assert ended.value.kind is ErrorKind.CONNECTION
        reader.close()
        server.start()
        source.catch_up()
        source.assert_equal()


@EVERY_POSTGRES
def test_a_crash_of_the_server_is_a_connection_error_and_the_next_reader_goes_on(postgres_version: int) -> None:
    with own_server(postgres_version) as server:
        dsn = server.create_database("shop")
        source = captured(FreshDatabase(server=server, name="shop", dsn=dsn), ["public.orders"], ORDERS)
        source.catch_up()
        source.execute("INSERT INTO orders SELECT g FROM generate_series(1, 1000) g")
        reader = source.reader()
        reader.open(source.replay.position)
        eventually(lambda: reader.received > 0)
        server.crash()
        with pytest.raises(CausewayError) as ended:
            source.drain(reader)
        assert ended.value.kind is ErrorKind.CONNECTION
        reader.close()
        with pytest.raises(CausewayError) as refused:
            reader.open(source.replay.position)
        assert refused.value.kind is ErrorKind.CONNECTION
        server.start()
        source.catch_up()
        source.assert_equal()


@EVERY_POSTGRES
@pytest.mark.case("a stored position behind the slot", "refused as a gap, with how to rebuild")
def test_a_stored_position_behind_the_slot_is_a_gap(database: FreshDatabase) -> None:
    source = captured(database, ["public.orders"], ORDERS)
    source.catch_up()
    old = source.replay.position
    source.execute("INSERT INTO orders VALUES (1)")
    source.catch_up()
    assert_refused(source, old, ErrorKind.GAP, "past the lane's position")


@EVERY_POSTGRES
@pytest.mark.case("dropped", "refused, with how to rebuild; never made anew in silence")
@pytest.mark.case("recreated", "refused as a gap: it begins behind the lane's position")
def test_a_slot_dropped_is_never_made_anew_in_silence(database: FreshDatabase) -> None:
    source = captured(database, ["public.orders"], ORDERS)
    source.catch_up()
    source.execute(f"SELECT pg_drop_replication_slot('{source.slot}')", "INSERT INTO orders VALUES (1)")
    assert_refused(source, source.replay.position, ErrorKind.SLOT_MISSING, "does not exist")
    source.execute(f"SELECT pg_create_logical_replication_slot('{source.slot}', 'pgoutput')")
    assert_refused(source, source.replay.position, ErrorKind.GAP, "past the lane's position")


@EVERY_POSTGRES
def test_another_cluster_timeline_or_slot_is_refused(database: FreshDatabase) -> None:
    source = captured(database, ["public.orders"], ORDERS)
    source.catch_up()
    position = source.replay.position
    assert position is not None
    for other in (
        replace(position, system_identifier="1"),
        replace(position, timeline=7),
        replace(position, lsn=Lsn(position.lsn + 2**40)),
        replace(position, slot="another"),
    ):
        assert_refused(source, other, ErrorKind.IDENTITY, "lane|log")


@EVERY_POSTGRES
@pytest.mark.case("a new slot behind an old stored position", "what the lane has is not sent again")
def test_a_slot_made_anew_behind_the_position_repeats_nothing(database: FreshDatabase) -> None:
    source = captured(database, ["public.orders"], ORDERS)
    source.catch_up()
    source.execute(
        f"SELECT pg_copy_logical_replication_slot('{source.slot}', '{source.slot}_old')",
        "INSERT INTO orders VALUES (1), (2)",
    )
    source.catch_up()
    source.execute(
        f"SELECT pg_drop_replication_slot('{source.slot}')",
        f"SELECT pg_copy_logical_replication_slot('{source.slot}_old', '{source.slot}')",
        "INSERT INTO orders VALUES (3)",
    )
    assert [row["id"] for row in rows_of(source.catch_up())] == ["3"]
    source.assert_equal()


@EVERY_POSTGRES
@pytest.mark.case("another cluster under the same name", "refused by its system identifier")
def test_another_cluster_with_a_database_and_a_slot_of_the_same_name_is_refused(
    database: FreshDatabase, postgres_servers: Servers, postgres_version: int
) -> None:
    source = captured(database, ["public.orders"], ORDERS)
    source.catch_up()
    other = postgres_servers(16 if postgres_version == 18 else 18)
    twin = FreshDatabase(server=other, name=f"{database.name}_twin", dsn=other.create_database(f"{database.name}_twin"))
    captured(twin, ["public.orders"], ORDERS).execute(
        f"SELECT pg_create_logical_replication_slot('{source.slot}', 'pgoutput')"
    )
    source.dsn = twin.dsn
    assert_refused(source, source.replay.position, ErrorKind.IDENTITY, "system identifier|another")
    other.drop_database(twin.name)


@EVERY_POSTGRES
@pytest.mark.case(
    "a promoted standby",
    "refused by its timeline, where it has no synced copy of the slot: what it lacks of the old one's log nobody knows",
)
def test_a_server_on_another_timeline_is_refused(postgres_version: int) -> None:
    with own_server(postgres_version) as server:
        database = FreshDatabase(server=server, name="shop", dsn=server.create_database("shop"))
        source = captured(database, ["public.orders"], ORDERS)
        source.catch_up()
        source.execute("INSERT INTO orders VALUES (1)")
        server.stop("fast")
        # A recovery without an archive ends at once, as a promotion does: on the next timeline.
        server.configure({"restore_command": "false"})
        (server.directory / "data" / "recovery.signal").touch()
        server.start()
        with server.connect(autocommit=True) as connection:
            eventually(lambda: connection.execute("SELECT NOT pg_is_in_recovery()").fetchone() == (True,))
            assert server_facts(connection).timeline == 2
        assert_refused(source, source.replay.position, ErrorKind.IDENTITY, "timeline")


@EVERY_POSTGRES
@pytest.mark.case("lost", "refused as a gap, with how to rebuild")
@pytest.mark.case("invalidated by max_slot_wal_keep_size", "refused as a gap, with the setting's name")
def test_a_lost_slot_is_refused(postgres_version: int) -> None:
    with own_server(
        postgres_version, settings={"max_slot_wal_keep_size": "1MB", "max_wal_size": "32MB", "min_wal_size": "32MB"}
    ) as server:
        dsn = server.create_database("shop")
        source = captured(FreshDatabase(server=server, name="shop", dsn=dsn), ["public.orders"], ORDERS)
        source.catch_up()
        with server.connect("shop", autocommit=True) as connection:
            for _ in range(6):
                wal_bytes(connection, 3_000_000)
                connection.execute("SELECT pg_switch_wal()")
                connection.execute("CHECKPOINT")
        assert slot_of(source).wal_status == "lost"
        assert_refused(source, source.replay.position, ErrorKind.GAP, "is lost: .*max_slot_wal_keep_size")


@pytest.mark.case("invalidated by idle_replication_slot_timeout", "refused as a gap, with how to rebuild")
@pytest.mark.parametrize("postgres_version", [18])
def test_a_slot_that_nobody_read_for_too_long_is_refused(postgres_version: int) -> None:
    with own_server(postgres_version, settings={"idle_replication_slot_timeout": "1s"}) as server:
        database = FreshDatabase(server=server, name="shop", dsn=server.create_database("shop"))
        source = captured(database, ["public.orders"], ORDERS)
        source.catch_up()
        with server.connect(autocommit=True) as connection:

            def invalidated() -> bool:
                connection.execute("CHECKPOINT")
                return slot_of(source).wal_status == "lost"

            eventually(invalidated, 30)
        assert_refused(source, source.replay.position, ErrorKind.GAP, "is lost: nobody .*idle_replication_slot_timeout")


def assert_refused(source: CapturedDatabase, position: object, kind: ErrorKind, words: str) -> None:
    reader = source.reader()
    with pytest.raises(CausewayError) as refused:
        reader.open(position)  # type: ignore[arg-type]
    assert refused.value.kind is kind
    assert re.search(words, f"{refused.value} {refused.value.hint}")
    assert refused.value.hint
    reader.close()


@EVERY_POSTGRES
def test_a_publication_dropped_and_made_again_is_a_gap(database: FreshDatabase) -> None:
    source = captured(database, ["public.t"], "CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    source.catch_up()
    publication = f"CREATE PUBLICATION {source.slot} FOR TABLE ONLY t WITH (publish_via_partition_root = true)"
    insert = "INSERT INTO t VALUES ({})"
    source.execute(insert.format(2), f"DROP PUBLICATION {source.slot}", insert.format(3), publication, insert.format(4))
    for _ in range(2):
        with pytest.raises(CausewayError, match=r"publication .* was dropped") as failed:
            source.catch_up()
        assert failed.value.kind is ErrorKind.GAP
    assert ("4",) not in source.replay.tables["public.t"]


def test_a_large_transaction_comes_in_smaller_pieces_once_it_is_known_to_be_large(database: FreshDatabase) -> None:
    source = captured(database, ["public.orders"], ORDERS, batch_bytes=2**17)
    source.catch_up()
    source.execute("INSERT INTO orders SELECT g, repeat('x', 990) FROM generate_series(1, 4000) g")
    pieces = [batch.row_count for batch in source.catch_up() if not batch.complete]
    # What was on its way when the first piece was handed out is as large as that.
    assert len(pieces) > 40
    assert all(rows <= 2**16 / 990 for rows in pieces[6:])
    source.assert_equal()
