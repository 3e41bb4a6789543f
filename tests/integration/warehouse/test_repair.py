"""Rows that were spoiled in a mirror are mended whatever the table is: partitioned, with any replica identity, with any key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from causeway.holding import reading
from causeway.verdict import TableVerdict
from causeway.verify import compare_all
from cdc.catalog import describe
from cdc.exported_snapshot import ConsistentView, consistent_view
from config.settings import Lane, TableSettings
from tests.fixtures.capture import CapturedDatabase, captured
from tests.fixtures.postgres import FreshDatabase
from tests.integration.warehouse.test_reader_to_mirror import MirrorReplay
from warehouse.differences import Kind
from warehouse.mirror import Mirror
from warehouse.store import Warehouse

TABLES = {
    "public.parts": """CREATE TABLE parts (region text, id int, amount numeric, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
        CREATE TABLE parts_a PARTITION OF parts FOR VALUES IN ('a');
        CREATE TABLE parts_b PARTITION OF parts FOR VALUES IN ('b');
        INSERT INTO parts SELECT CASE WHEN i % 2 = 0 THEN 'a' ELSE 'b' END, i, i / 7.0 FROM generate_series(1, 60) AS i""",
    "public.full_rows": """CREATE TABLE full_rows (id int PRIMARY KEY, amount numeric, body text);
        ALTER TABLE full_rows REPLICA IDENTITY FULL;
        INSERT INTO full_rows SELECT i, i, repeat('x', i) FROM generate_series(1, 60) AS i""",
    "public.by_index": """CREATE TABLE by_index (id int PRIMARY KEY, code char(5) NOT NULL, amount numeric);
        CREATE UNIQUE INDEX codes ON by_index (code);
        ALTER TABLE by_index REPLICA IDENTITY USING INDEX codes;
        INSERT INTO by_index SELECT i, 'c' || i, i FROM generate_series(1, 60) AS i""",
    'public."Odd ""Names"""': """CREATE TYPE mood AS ENUM ('good', 'bad');
        CREATE TABLE "Odd ""Names\""" ("text 0" bytea, _causeway_key mood, "k0" timestamptz, number uuid, amount numeric,
            PRIMARY KEY (number, "k0", "text 0", _causeway_key));
        INSERT INTO "Odd ""Names\""" SELECT decode(lpad(to_hex(i), 4, '0'), 'hex'), CASE WHEN i % 2 = 0 THEN 'good' ELSE 'bad' END::mood,
            CASE WHEN i % 3 = 0 THEN '0044-03-15 12:00:00+00 BC' ELSE '2026-03-15 12:00:00.5+00' END::timestamptz,
            md5(i::text)::uuid, i FROM generate_series(1, 60) AS i""",
    "public.exact": """CREATE TABLE exact (id int PRIMARY KEY, amount numeric, days date[]);
        INSERT INTO exact SELECT i, CASE i % 3 WHEN 0 THEN 'NaN' WHEN 1 THEN 1e-30 ELSE i END, ARRAY[[date '2026-01-01' + i]]
            FROM generate_series(1, 60) AS i""",
    "public.parent": """CREATE TABLE parent (id int PRIMARY KEY, amount numeric);
        CREATE TABLE child () INHERITS (parent);
        INSERT INTO parent SELECT i, i FROM generate_series(1, 60) AS i;
        INSERT INTO child SELECT i, -i FROM generate_series(1, 90) AS i""",
}
MIRRORS = {name: 'shop."Odd ""Names"""' if "Odd" in name else name.replace("public", "shop") for name in TABLES}
NAMES = {name: name.replace('"', "") if "Odd" not in name else 'public.Odd "Names"' for name in TABLES}


def begin(source: CapturedDatabase, mirror: Mirror) -> None:
    """Mirror the source as it is."""
    source.replay = MirrorReplay(mirror)
    with source.database.connect() as connection:
        mirror.begin_snapshot("shop", describe(connection, source.settings.table_names))
    source.catch_up()


@contextmanager
def view_of(source: CapturedDatabase, mirror: Mirror) -> Iterator[ConsistentView]:
    """A view of the source, and the mirror where it is."""
    with consistent_view(source.settings.connection, application_name="test") as view:
        reader = source.reader()
        reader.open(source.replay.position, view.lsn)
        source.drain(reader)
        reader.close()
        yield view


def compared(
    source: CapturedDatabase, mirror: Mirror, warehouse: Warehouse, *, repair: bool = False
) -> Mapping[str, TableVerdict]:
    with view_of(source, mirror) as view:
        relations = describe(view.connection, source.settings.table_names)
        verdicts = compare_all(warehouse, "shop", view, relations, mirror, repair=repair)
        return {verdict.table: verdict for verdict in verdicts}


def test_spoiled_rows_are_mended_in_tables_of_every_kind(
    database: FreshDatabase, mirror: Mirror, warehouse: Warehouse
) -> None:
    source = captured(database, [NAMES[name] for name in TABLES], *TABLES.values())
    begin(source, mirror)
    assert all(verdict.equal for verdict in compared(source, mirror, warehouse).values())
    exceptions = "SELECT * FROM meta.value_exceptions WHERE \"column\" <> 'lsn' ORDER BY ALL"
    with warehouse.cursor() as cursor:
        before = cursor.execute(exceptions.replace("*", "* EXCLUDE (lsn)")).fetchall()
        for table in MIRRORS.values():
            rows = f"(SELECT rowid FROM {table} ORDER BY hash(rowid))"
            cursor.execute(
                f"CREATE OR REPLACE TEMP TABLE again AS SELECT * FROM {table} WHERE rowid IN (SELECT * FROM {rows} LIMIT 1)"
            )
            cursor.execute(f"DELETE FROM {table} WHERE rowid IN (SELECT * FROM {rows} LIMIT 3 OFFSET 1)")
            cursor.execute(f"UPDATE {table} SET amount = 99999 WHERE rowid IN (SELECT * FROM {rows} LIMIT 2 OFFSET 10)")
            cursor.execute(f"INSERT INTO {table} SELECT * FROM again")
        cursor.execute("INSERT INTO shop.parts VALUES ('nowhere', 1, 1)")
        cursor.execute("INSERT INTO shop.full_rows (id) VALUES (1000)")
        cursor.execute("INSERT INTO shop.by_index (code) VALUES ('new')")
        cursor.execute(
            """INSERT INTO shop."Odd ""Names\""" SELECT '\\x00"\\xff'::BLOB, 'good', '0100-01-01 (BC) 00:00:00+00', uuid(), 1"""
        )
        cursor.execute("INSERT INTO shop.exact (id) VALUES (1000)")
        cursor.execute("INSERT INTO shop.parent (id) VALUES (90)")
    source.execute("INSERT INTO parent VALUES (61, 61)", "INSERT INTO parts VALUES ('a', 61, 61)")
    found = compared(source, mirror, warehouse, repair=True)
    for name in NAMES.values():
        verdict = found[name]
        assert verdict.counts == {Kind.MISSING: 3, Kind.CHANGED: 2, Kind.REPEATED: 1, Kind.EXTRA: 1}, name
        assert verdict.repaired_rows == 7
        assert verdict.equal, name
        assert all(row.columns == ("amount",) for row in verdict.rows if row.kind is Kind.CHANGED)
    with warehouse.cursor() as cursor:
        assert cursor.execute(exceptions.replace("*", "* EXCLUDE (lsn)")).fetchall() == before
    odd = 'UPDATE "Odd ""Names""" SET amount = -amount'
    source.execute(odd, "UPDATE by_index SET amount = -amount", "UPDATE exact SET amount = 'NaN' WHERE id < 30")
    assert all(verdict.equal for verdict in compared(source, mirror, warehouse).values())


def test_a_row_filter_of_the_operational_lane_leaves_the_mirror_whole(
    database: FreshDatabase, mirror: Mirror, warehouse: Warehouse
) -> None:
    ddl = TABLES["public.full_rows"]
    source = captured(database, [], ddl)
    source.tables = (TableSettings(name="public.full_rows", row_filter="id > 50"),)
    assert source.lane is Lane.ANALYTICAL
    begin(source, mirror)
    with warehouse.cursor() as cursor:
        cursor.execute("DELETE FROM shop.full_rows WHERE id IN (10, 55)")
    (verdict,) = compared(source, mirror, warehouse, repair=True).values()
    assert (verdict.source_rows, verdict.repaired_rows, verdict.equal) == (60, 2, True)


def test_what_was_mended_is_seen_all_at_once(database: FreshDatabase, mirror: Mirror, warehouse: Warehouse) -> None:
    source = captured(database, ["public.full_rows"], TABLES["public.full_rows"])
    begin(source, mirror)
    with warehouse.cursor() as cursor:
        cursor.execute("DELETE FROM shop.full_rows")
    with reading(warehouse) as before:
        (verdict,) = compared(source, mirror, warehouse, repair=True).values()
        assert verdict.repaired_rows == 60
        assert before.execute("SELECT count(*) FROM shop.full_rows").fetchone() == (0,)


def test_a_position_is_not_moved_by_a_repair(database: FreshDatabase, mirror: Mirror, warehouse: Warehouse) -> None:
    source = captured(database, ["public.full_rows"], TABLES["public.full_rows"])
    begin(source, mirror)
    with warehouse.cursor() as cursor:
        cursor.execute("DELETE FROM shop.full_rows WHERE id = 1")
        with view_of(source, mirror) as view:
            stored = cursor.execute(
                "SELECT * REPLACE (CAST(updated_at AS VARCHAR) AS updated_at, NULL AS last_commit_at) FROM meta.positions"
            ).fetchall()
            relations = describe(view.connection, source.settings.table_names)
            compare_all(warehouse, "shop", view, relations, mirror, repair=True)
        assert (
            cursor.execute(
                "SELECT * REPLACE (CAST(updated_at AS VARCHAR) AS updated_at, NULL AS last_commit_at) FROM meta.positions"
            ).fetchall()
            == stored
        )
