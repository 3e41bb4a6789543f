"""What is asked of a source beside the stream: its tables, rows by key, and checksums in one consistent view."""

from __future__ import annotations

import hashlib
import threading

import duckdb
import pyarrow as pa
import pytest

from cdc.catalog import describe, server_facts
from cdc.checksum import KEY as HASH
from cdc.checksum import NUMBER, bucket_checksums, joined_text, keys_in_buckets, texts_of_keys
from cdc.connection import connect
from cdc.exported_snapshot import consistent_view
from cdc.relation import ReplicaIdentity
from cdc.rows import fetch_rows, look_up
from config.errors import CausewayError, ErrorKind
from tests.fixtures.capture import captured
from tests.fixtures.postgres import FreshDatabase

LINES = (
    "CREATE TABLE public.lines (note text, line_no int, order_id uuid, paid boolean, PRIMARY KEY (order_id, line_no))"
)
KEY = "00000000-0000-0000-0000-00000000000"


def test_tables_are_described_as_the_stream_will_announce_them(database: FreshDatabase) -> None:
    source = captured(
        database,
        ["public.lines", "public.d"],
        LINES,
        "CREATE DOMAIN price AS numeric(8,2)",
        "CREATE DOMAIN net AS price",
        "CREATE TABLE public.d (id int PRIMARY KEY, n net, t timestamp(3), i interval, c varchar(7)[], junk int)",
        "ALTER TABLE d DROP COLUMN junk, REPLICA IDENTITY FULL",
    )
    source.catch_up()
    source.execute("INSERT INTO d VALUES (1)", f"INSERT INTO lines VALUES ('x', 1, '{KEY}1', true)")
    batches = source.catch_up()
    with connect(source.settings.connection, application_name="test") as connection:
        described = describe(connection, ["public.d", "public.lines"])
        facts = server_facts(connection)
    assert {part.relation for batch in batches for part in batch.changes} == set(described)
    assert [column.type_name for column in described[0].columns] == [
        "integer", "numeric(8,2)", "timestamp(3) without time zone", "interval", "character varying(7)[]",
    ]  # fmt: skip
    assert described[0].replica_identity is ReplicaIdentity.FULL
    assert described[0].key_columns == ("id",)
    assert described[1].key_columns == ("line_no", "order_id")
    assert facts.wal_level == "logical"
    assert facts.timeline == 1


def test_rows_are_found_by_their_keys(database: FreshDatabase) -> None:
    source = captured(
        database,
        ["public.lines"],
        LINES,
        *[f"INSERT INTO lines VALUES ('n{n}', {n}, '{KEY}{n}', true)" for n in range(5)],
    )
    keys = pa.table({"order_id": [f"{KEY}1", f"{KEY}3", f"{KEY}4"], "line_no": ["1", "3", "1"]})
    with connect(source.settings.connection, application_name="test") as connection:
        (relation,) = describe(connection, ["public.lines"])
        found = fetch_rows(connection, relation, keys).sort_by("line_no").to_pylist()
        none = fetch_rows(connection, relation, keys.slice(0, 0))
    assert found == [{"note": f"n{n}", "line_no": str(n), "order_id": f"{KEY}{n}", "paid": "t"} for n in (1, 3)]
    assert (none.num_rows, none.column_names) == (0, ["note", "line_no", "order_id", "paid"])


def test_checksums_are_of_one_view_and_of_the_formula(database: FreshDatabase) -> None:
    source = captured(
        database,
        ["public.t"],
        "CREATE TABLE t (id int PRIMARY KEY, a text)",
        "INSERT INTO t SELECT g, nullif('é' || g, 'é7') FROM generate_series(1, 300) g",
    )
    expressions = {"id": '"id"::text', "a": '"a"'}
    with consistent_view(source.settings.connection, application_name="test") as view:
        source.execute("INSERT INTO t VALUES (1000, 'later')")
        (relation,) = describe(view.connection, ["public.t"])
        sums = bucket_checksums(view.connection, relation, expressions, digits=1)
        total = bucket_checksums(view.connection, relation, expressions, digits=0)[""]
        (keys,) = keys_in_buckets(view.connection, relation, expressions, digits=1, buckets=["a"])
        rows = texts_of_keys(view.connection, relation, expressions, keys).join(keys.drop_columns("id"), HASH)
        assert view.lsn < source.end()
    assert sum(checksum.rows for checksum in sums.values()) == total.rows == 300
    assert sum(checksum.hash_sum for checksum in sums.values()) == total.hash_sum
    assert rows.num_rows == sums["a"].rows
    assert sum(int(number or 0) for number in rows.column(NUMBER).to_pylist()) == sums["a"].hash_sum
    row = next(row for row in rows.to_pylist() if row["a"])
    text = f"{len(row['id'])}:{row['id']}|{len(row['a'])}:{row['a']}"
    assert row[NUMBER] == int(hashlib.md5(text.encode()).hexdigest()[:15], 16)
    with duckdb.connect() as connection:
        joined = joined_text(["id", "a"]).as_string(None)
        query = f"SELECT sum(CAST('0x' || substr(md5({joined}), 1, 15) AS BIGINT)) FROM rows"
        assert connection.sql(query).fetchone() == (sums["a"].hash_sum,)


def test_keys_of_fixed_length_text_are_not_cut_to_their_first_letter(database: FreshDatabase) -> None:
    source = captured(
        database, ["public.codes"], "CREATE TABLE codes (code char(3) PRIMARY KEY)", "INSERT INTO codes VALUES ('abc')"
    )
    with connect(source.settings.connection, application_name="test") as connection:
        (relation,) = describe(connection, ["public.codes"])
        assert fetch_rows(connection, relation, pa.table({"code": ["abc"]})).to_pylist() == [{"code": "abc"}]


def test_a_look_up_waits_for_the_transaction_that_asked_for_it(database: FreshDatabase) -> None:
    source = captured(
        database, ["public.t"], "CREATE TABLE t (id int PRIMARY KEY, a text)", "INSERT INTO t VALUES (1, 'x')"
    )
    with database.connect() as writer, connect(source.settings.connection, application_name="test") as connection:
        writer.execute("UPDATE t SET a = 'y'")
        row = writer.execute("SELECT pg_current_xact_id()::text::int8").fetchone()
        assert row is not None
        xid = row[0] & 0xFFFFFFFF
        timer = threading.Timer(0.2, writer.commit)
        timer.start()
        found = look_up(connection, "public.t", pa.table({"id": ["1"]}), xids=[xid])
        timer.join()
    assert found.rows.to_pylist() == [{"id": "1", "a": "y"}]
    assert found.visibility.sees(xid)


def test_a_transaction_that_stays_invisible_is_a_passing_error(database: FreshDatabase) -> None:
    source = captured(database, ["public.t"], "CREATE TABLE t (id int PRIMARY KEY)")
    with database.connect() as writer, connect(source.settings.connection, application_name="test") as connection:
        row = writer.execute("SELECT pg_current_xact_id()::text::int8").fetchone()
        assert row is not None
        with pytest.raises(CausewayError) as raised:
            look_up(connection, "public.t", pa.table({"id": ["1"]}), xids=[row[0] & 0xFFFFFFFF])
    assert raised.value.kind is ErrorKind.TRANSIENT


def test_a_look_up_that_dies_at_its_last_statement_is_a_connection_error(
    database: FreshDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = captured(database, ["public.t"], "CREATE TABLE t (id int PRIMARY KEY)")
    monkeypatch.setattr("cdc.rows._END", "SELECT pg_terminate_backend(pg_backend_pid())::text")
    with connect(source.settings.connection, application_name="test") as connection:
        with pytest.raises(CausewayError) as raised:
            look_up(connection, "public.t", pa.table({"id": ["1"]}))
    assert raised.value.kind is ErrorKind.CONNECTION


def test_a_row_that_a_filter_leaves_out_is_not_there(database: FreshDatabase) -> None:
    source = captured(database, ["public.t"], "CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1), (2)")
    with connect(source.settings.connection, application_name="test") as connection:
        found = look_up(connection, "public.t", pa.table({"id": ["1", "2"]}), row_filter="id > 1")
    assert found.rows.to_pylist() == [{"id": "2"}]
