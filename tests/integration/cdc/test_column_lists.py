"""Publications of some tables with some of their columns: what Postgres demands of a column list, and what it refuses because of one."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
import pytest

from cdc import publications, slots
from cdc.connection import connect
from cdc.slot_plan import Plan, plan, script
from cdc.wanted import PublishedTable, Wanted
from config.errors import CausewayError, ErrorKind
from config.settings import Lane
from tests.fixtures.capture import CapturedDatabase, captured
from tests.fixtures.postgres import EVERY_POSTGRES, FreshDatabase

ITEMS = (
    "CREATE TABLE items (id int PRIMARY KEY, sku text, qty int, secret text, twice int GENERATED ALWAYS AS (qty * 2) STORED)",
    "CREATE TABLE other (id int PRIMARY KEY)",
    "INSERT INTO items VALUES (1, 'a', 1, 'mine')",
)


def wanting(source: CapturedDatabase, **tables: Sequence[str] | None) -> CapturedDatabase:
    """Let the operational lane want these columns of these tables."""
    source.lane = Lane.OPERATIONAL
    wanted = tuple(
        PublishedTable(name=f"public.{name}", columns=None if columns is None else tuple(columns))
        for name, columns in tables.items()
    )
    source.wanted = lambda: Wanted(tables=wanted, exact=False)
    return source


def create(source: CapturedDatabase) -> list[str]:
    assert source.wanted is not None
    with connect(source.settings.connection, application_name="test") as connection:
        steps = slots.create(connection, source.settings, source.lane, source.slot, source.wanted())
    return [step.statement for step in steps]


def planned(source: CapturedDatabase) -> Plan:
    assert source.wanted is not None
    with connect(source.settings.connection, application_name="test") as connection:
        return plan(connection, source.settings, {source.lane: source.slot}, {source.lane: source.wanted()})


def published(source: CapturedDatabase) -> dict[str, tuple[str, ...] | None]:
    with connect(source.settings.connection, application_name="test") as connection:
        found = publications.find_publication(connection, source.slot)
    assert found is not None
    return {name: table.columns for name, table in found.tables.items()}


@EVERY_POSTGRES
@pytest.mark.case("column lists")
def test_snapshot_and_stream_hold_the_listed_columns_of_the_wanted_tables(database: FreshDatabase) -> None:
    source = wanting(captured(database, ["public.items", "public.other"], *ITEMS), items=["sku", "no_such"])
    source.catch_up()
    assert published(source) == {"public.items": ("id", "sku")}
    assert source.replay.tables == {"public.items": {("1",): {"id": "1", "sku": "a"}}}
    source.execute(
        "INSERT INTO items VALUES (2, 'b', 2, 'yours')", "UPDATE items SET secret = 'x', sku = 'c' WHERE id = 1",
        "DELETE FROM items WHERE id = 2", "INSERT INTO other VALUES (1)",
    )  # fmt: skip
    source.catch_up()
    assert source.replay.tables == {"public.items": {("1",): {"id": "1", "sku": "c"}}}


@EVERY_POSTGRES
@pytest.mark.case("column lists")
def test_no_list_makes_a_tables_own_updates_fail(database: FreshDatabase) -> None:
    source = captured(
        database,
        [f"public.{name}" for name in ("plain", "whole", "by_code", "parts", "mixed", "every")],
        "CREATE TABLE plain (b int, a int, note text, more text, PRIMARY KEY (a, b))",
        "CREATE TABLE whole (id int PRIMARY KEY, note text, more text)",
        "ALTER TABLE whole REPLICA IDENTITY FULL",
        "CREATE TABLE by_code (id int PRIMARY KEY, code text NOT NULL, note text, more text)",
        "CREATE UNIQUE INDEX codes ON by_code (code) INCLUDE (more)",
        "ALTER TABLE by_code REPLICA IDENTITY USING INDEX codes",
        "CREATE TABLE parts (at int, code text NOT NULL, note text, more text, PRIMARY KEY (at)) PARTITION BY RANGE (at)",
        "CREATE TABLE parts_1 (more text, code text NOT NULL, note text, at int PRIMARY KEY)",
        "CREATE UNIQUE INDEX parts_codes ON parts_1 (code)",
        "ALTER TABLE parts_1 REPLICA IDENTITY USING INDEX parts_codes",
        "ALTER TABLE parts ATTACH PARTITION parts_1 FOR VALUES FROM (0) TO (10)",
        "CREATE TABLE mixed (id int PRIMARY KEY, note text, more text) PARTITION BY RANGE (id)",
        "CREATE TABLE mixed_1 PARTITION OF mixed FOR VALUES FROM (0) TO (10)",
        "ALTER TABLE mixed_1 REPLICA IDENTITY FULL",
        "CREATE TABLE every (id int PRIMARY KEY, note text)",
        "INSERT INTO plain VALUES (1, 1, 'n', 'm')",
        "INSERT INTO whole VALUES (1, 'n', 'm')",
        "INSERT INTO by_code VALUES (1, 'c', 'n', 'm')",
        "INSERT INTO parts VALUES (1, 'c', 'n', 'm')",
        "INSERT INTO mixed VALUES (1, 'n', 'm')",
        "INSERT INTO every VALUES (1, 'n')",
    )
    names = ("plain", "whole", "by_code", "parts", "mixed", "every")
    create(wanting(source, **dict.fromkeys(names, ("note",))))
    assert published(source) == {
        "public.plain": ("b", "a", "note"),
        "public.whole": None,
        "public.by_code": ("code", "note"),
        "public.parts": ("at", "code", "note"),
        "public.mixed": None,
        "public.every": None,
    }
    for name in names:
        source.execute(f"UPDATE {name} SET note = 'changed'", f"DELETE FROM {name}")


@EVERY_POSTGRES
def test_a_publication_that_lacks_something_is_altered_and_one_with_more_is_left(database: FreshDatabase) -> None:
    source = wanting(captured(database, ["public.items", "public.other"], *ITEMS), items=["sku"])
    assert create(source)[0].startswith(
        f'CREATE PUBLICATION "{source.slot}" FOR TABLE ONLY "public"."items" ("id", "sku")'
    )
    assert create(source) == []
    wanting(source, items=["qty"], other=[])
    alter = f'ALTER PUBLICATION "{source.slot}" SET TABLE ONLY "public"."items" ("id", "qty"), ONLY "public"."other"'
    (step,) = [step for step in planned(source).steps if "PUBLICATION" in step.statement]
    assert step.statement == alter
    assert step.reason == "the publication does not publish qty of public.items, misses public.other"
    assert create(source) == [alter]
    source.catch_up()
    source.execute(f"ALTER PUBLICATION {source.slot} SET TABLE items, other")
    wanting(source, items=["sku"])
    assert create(source) == []
    text = script("shop", planned(source))
    narrows = f'this narrows it: ALTER PUBLICATION "{source.slot}" SET TABLE ONLY "public"."items" ("id", "sku");'
    assert narrows in text
    assert "public.items, public.other than the lane reads" in text
    source.execute("INSERT INTO items VALUES (7, 'g', 7, 's')", "INSERT INTO other VALUES (7)")
    source.catch_up()
    assert source.replay.tables["public.items"]["7",] == {"id": "7", "sku": "g", "qty": "7", "secret": "s"}


@EVERY_POSTGRES
def test_what_a_list_forbids_is_said_in_the_plan_with_the_statement_that_allows_it(database: FreshDatabase) -> None:
    source = wanting(
        captured(database, ["public.items"], "CREATE TABLE items (id int PRIMARY KEY, sku text, qty int)"),
        items=["sku"],
    )
    create(source)
    for refused in ("ALTER TABLE items DROP COLUMN sku", "ALTER TABLE items ALTER id TYPE bigint"):
        with pytest.raises(psycopg.Error):
            source.execute(refused)
    (warning,) = [note for section in planned(source).sections for note in section.notes if "refuses to drop" in note]
    whole = f'ALTER PUBLICATION "{source.slot}" SET TABLE ONLY "public"."items"'
    assert f"{whole};" in warning
    source.execute("INSERT INTO items VALUES (1)", "ALTER TABLE items REPLICA IDENTITY FULL")
    with pytest.raises(psycopg.Error, match="cannot update table"):
        source.execute("UPDATE items SET qty = 2")
    assert create(source) == [whole]
    source.execute("UPDATE items SET qty = 2", "ALTER TABLE items ALTER id TYPE bigint, DROP COLUMN sku")


def test_a_lane_with_nothing_mapped_for_a_source_reads_on(database: FreshDatabase) -> None:
    source = wanting(captured(database, ["public.items"], *ITEMS))
    source.catch_up()
    before = source.replay.position
    source.execute("INSERT INTO items VALUES (2)")
    source.catch_up()
    assert source.replay.tables == {}
    assert before is not None
    assert source.replay.position is not None
    assert source.replay.position.lsn > before.lsn
    source.execute(f"ALTER PUBLICATION {source.slot} SET TABLE items")
    assert f'ALTER PUBLICATION "{source.slot}" DROP TABLE ONLY "public"."items"' in script("shop", planned(source))


def test_a_first_run_over_a_publication_that_lacks_a_column_is_refused(database: FreshDatabase) -> None:
    source = wanting(captured(database, ["public.items"], *ITEMS), items=["sku", "qty"])
    source.execute(f"CREATE PUBLICATION {source.slot} FOR TABLE items (id, sku) WITH (publish_via_partition_root)")
    with pytest.raises(CausewayError, match=r"does not publish qty of public\.items") as refused:
        source.catch_up()
    assert refused.value.kind is ErrorKind.SCHEMA
