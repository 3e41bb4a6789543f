"""Histories against the source: at any moment that was noted, the table as of it is what Postgres had then."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pytest

from cdc.batch import ChangeBatch
from cdc.catalog import describe
from cdc.table_catalog import table_facts
from cdc.table_facts import TableFacts
from config.settings import WarehouseSettings
from tests.fixtures.capture import captured
from tests.fixtures.postgres import FreshDatabase
from tests.integration.warehouse.test_reader_to_mirror import MirrorReplay
from warehouse.mirror import Mirror
from warehouse.query import run_query
from warehouse.store import Warehouse

LONG = "(SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 100))"
TABLES = (
    "CREATE TABLE public.docs (id int, part text, body text, n numeric(12,2), tags text[], PRIMARY KEY (part, id))",
    "ALTER TABLE docs ALTER body SET STORAGE EXTERNAL",
    f"INSERT INTO docs SELECT i, 'p' || i % 2, {LONG}, i, ARRAY['a', NULL] FROM generate_series(1, 60) AS i",
)
WORK = (
    "UPDATE docs SET n = n + 1 WHERE id % 5 = {k} % 5",
    f"UPDATE docs SET body = {LONG} WHERE id % 9 = {{k}} % 9",
    "UPDATE docs SET body = NULL WHERE id % 11 = {k} % 11",
    """UPDATE docs SET id = id + 10000 WHERE id % 7 = {k} % 7
        AND NOT EXISTS (SELECT FROM docs AS d WHERE d.id = docs.id + 10000 AND d.part = docs.part)""",
    "DELETE FROM docs WHERE id % 13 = {k} % 13",
    f"""INSERT INTO docs SELECT 3000 + {{k}} * 50 + i, 'p', {LONG}, 1, ARRAY['b'] FROM generate_series(1, 9) AS i
        ON CONFLICT DO NOTHING""",
    "UPDATE docs SET tags = array_append(tags, 'x') WHERE id % 3 = {k} % 3",
)


@dataclass
class Moment:
    lsn: str
    at: datetime
    rows: list[tuple[Any, ...]]


@dataclass
class Kept:
    """A source whose table's changes are kept, and moments of it."""

    database: FreshDatabase
    warehouse: Warehouse
    capture: dict[str, int] = field(default_factory=dict)
    setting: str = "on"
    ddl: tuple[str, ...] = TABLES
    moments: list[Moment] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.source = captured(self.database, ["public.docs"], *self.ddl, **self.capture)
        self.mirror = Mirror(self.warehouse, self.ask, history=lambda _source, _table: self.setting)
        self.source.replay = MirrorReplay(self.mirror)
        with self.database.connect() as connection:
            self.mirror.begin_snapshot("shop", describe(connection, ["public.docs"]))
        self.source.catch_up()
        self.note()

    def ask(self, _source: str, oids: Sequence[int]) -> dict[int, TableFacts]:
        with self.database.connect() as connection:
            return table_facts(connection, oids)

    def work(self, *statements: str) -> None:
        self.source.transaction(*statements)
        self.note()

    def note(self) -> None:
        with self.database.connect() as connection:
            lsn, at = connection.execute("SELECT pg_current_wal_insert_lsn()::text, clock_timestamp()").fetchone() or ()
            rows = connection.execute("SELECT * FROM docs ORDER BY part, id").fetchall()
        self.moments.append(Moment(lsn, at, rows))

    def as_of(self, moment: object, table: str = "history_shop.docs") -> list[tuple[Any, ...]]:
        with self.warehouse.cursor() as cursor:
            return cursor.execute(f"FROM {table}_as_of(?) ORDER BY part, id", [moment]).fetchall()

    def assert_moments(self) -> None:
        for moment in self.moments:
            assert self.as_of(moment.lsn) == moment.rows
            assert self.as_of(moment.at) == moment.rows

    def query(self, text: str) -> list[tuple[Any, ...]]:
        return run_query(self.warehouse, text).rows


@pytest.mark.parametrize("identity", ["DEFAULT", "FULL"])
@pytest.mark.parametrize(("seed", "batch_bytes"), [(1, 2**24), (2, 2**16), (3, 2**16)])
def test_the_table_as_of_any_moment_is_what_the_source_had(
    database: FreshDatabase, warehouse: Warehouse, seed: int, batch_bytes: int, identity: str
) -> None:
    ddl = (*TABLES, f"ALTER TABLE docs REPLICA IDENTITY {identity}")
    kept = Kept(database, warehouse, {"batch_bytes": batch_bytes}, ddl=ddl)
    picks = random.Random(seed)
    for _ in range(4):
        for _ in range(5):
            chosen = [picks.choice(WORK).format(k=picks.randrange(100)) for _ in range(picks.randrange(1, 5))]
            kept.work(*chosen)
        kept.source.catch_up()
    kept.assert_moments()


def test_truncates_and_what_comes_before_them_in_one_transaction(database: FreshDatabase, warehouse: Warehouse) -> None:
    kept = Kept(database, warehouse)
    kept.work("UPDATE docs SET n = 0", "TRUNCATE docs", WORK[5].format(k=1), "UPDATE docs SET n = 5")
    kept.work("TRUNCATE docs")
    kept.work(WORK[5].format(k=2))
    kept.source.catch_up()
    kept.assert_moments()
    assert kept.query("SELECT _op, count(*) FROM history.shop.docs GROUP BY ALL ORDER BY ALL") == [
        ("i", 18), ("s", 60), ("t", 2), ("u", 69),
    ]  # fmt: skip
    before = kept.query("SELECT count(*) FROM history.shop.docs WHERE _op = 'u' AND length(body) = 3200")
    assert before == [(69,)]  # the log did not send these: they did not change


def test_a_change_says_when_and_by_which_transaction_it_came(database: FreshDatabase, warehouse: Warehouse) -> None:
    kept = Kept(database, warehouse)
    kept.source.transaction(
        "UPDATE docs SET n = 1 WHERE id = 1", "UPDATE docs SET n = 2 WHERE id = 1", "DELETE FROM docs WHERE id = 1"
    )
    kept.source.catch_up()
    found = kept.query("SELECT * FROM history.shop.docs WHERE id = 1 AND _op <> 's' ORDER BY _lsn, _seq")
    assert [(row[0], row[8]) for row in found] == [("u", 1), ("u", 2), ("d", None)]
    assert len({(row[1], row[2], row[3]) for row in found}) == 1
    assert found[0][2] > 0
    assert [row[4] for row in found] == [0, 1, 2]


def test_a_transaction_in_pieces_is_there_at_its_end_and_not_before(
    database: FreshDatabase, warehouse: Warehouse
) -> None:
    kept = Kept(database, warehouse, {"batch_bytes": 2**16, "batch_rows": 10})
    kept.work(f"UPDATE docs SET body = {LONG}, n = -1", "UPDATE docs SET n = -2", "UPDATE docs SET tags = NULL")
    kept.work(WORK[0].format(k=1))
    batches: list[ChangeBatch] = kept.source.catch_up()
    assert any(not batch.complete and batch.row_count for batch in batches)
    kept.assert_moments()


def test_a_schema_change_is_followed_by_the_history(database: FreshDatabase, warehouse: Warehouse) -> None:
    kept = Kept(database, warehouse)
    kept.source.transaction(WORK[0].format(k=1), "ALTER TABLE docs ADD more int DEFAULT 7", WORK[1].format(k=1))
    kept.source.transaction("ALTER TABLE docs RENAME n TO amount", WORK[4].format(k=1))
    kept.moments.clear()
    kept.note()
    kept.work("UPDATE docs SET amount = 12 WHERE id < 20")
    kept.source.catch_up()
    kept.assert_moments()
    assert kept.query(f"FROM history.shop.docs_as_of('{kept.moments[0].lsn}') LIMIT 1")


def test_retention_keeps_what_every_later_question_needs(database: FreshDatabase, warehouse: Warehouse) -> None:
    kept = Kept(database, warehouse, setting="1 hour")
    for number in range(6):
        kept.work(WORK[number].format(k=number), "UPDATE docs SET n = n + 1")
    kept.work("TRUNCATE docs")
    for number in range(4):
        kept.work(WORK[5].format(k=number), "UPDATE docs SET n = n + 1", "DELETE FROM docs WHERE id % 4 = 1")
    kept.source.catch_up()
    rows = kept.query("SELECT count(*) FROM history.shop.docs")
    kept.assert_moments()
    for moment in (kept.moments[4], kept.moments[-2]):
        gone = kept.mirror.prune_histories(moment.at + timedelta(hours=1))
        assert gone
        kept.moments = [each for each in kept.moments if each.at >= moment.at]
        kept.assert_moments()
        with pytest.raises(duckdb.Error, match="begins at"):
            kept.as_of(moment.at - timedelta(seconds=1))
    assert kept.query("SELECT count(*) FROM history.shop.docs") < rows
    assert kept.mirror.prune_histories(datetime.now(UTC)) == 0


def test_a_history_turned_on_begins_with_what_the_mirror_has(database: FreshDatabase, warehouse: Warehouse) -> None:
    kept = Kept(database, warehouse, setting="off")
    assert kept.query("SELECT count(*) FROM duckdb_schemas() WHERE schema_name LIKE 'history%'") == [(0,)]
    kept.work(WORK[0].format(k=1))
    kept.source.catch_up()
    kept.setting = "on"
    kept.mirror.close()
    kept.moments.clear()
    kept.work(WORK[1].format(k=1))
    kept.work(WORK[4].format(k=1))
    kept.source.catch_up()
    kept.assert_moments()
    kept.setting = "off"
    kept.mirror.close()
    kept.work(WORK[2].format(k=1))
    kept.source.catch_up()
    kept.setting = "on"
    kept.mirror.close()
    kept.moments.clear()
    kept.work(WORK[3].format(k=1))
    kept.source.catch_up()
    kept.assert_moments()


def test_the_names_of_people_work_in_a_file_opened_to_read(
    database: FreshDatabase, warehouse: Warehouse, warehouse_settings: WarehouseSettings
) -> None:
    kept = Kept(database, warehouse)
    kept.work(WORK[4].format(k=1))
    kept.source.catch_up()
    moment = kept.moments[0]
    warehouse.close()
    with Warehouse.open(warehouse_settings, read_only=True) as reopened:
        found = run_query(reopened, f"SELECT count(*) FROM history.shop.docs_as_of('{moment.lsn}')").rows
    assert found == [(60,)]
    with duckdb.connect(str(warehouse_settings.path), read_only=True) as plain:
        assert plain.execute(f"SELECT count(*) FROM history_shop.docs_as_of('{moment.lsn}')").fetchall() == [(60,)]


def test_what_a_type_cannot_hold_is_kept_as_text_of_its_change(database: FreshDatabase, warehouse: Warehouse) -> None:
    kept = Kept(database, warehouse, ddl=(*TABLES, "UPDATE docs SET n = 'NaN' WHERE id = 4"))
    kept.source.transaction("UPDATE docs SET n = 'NaN' WHERE id = 3")
    kept.source.catch_up()
    kept.source.transaction("UPDATE docs SET n = 1 WHERE id = 3")
    kept.source.catch_up()
    assert kept.query('SELECT "schema", key, text FROM meta.value_exceptions ORDER BY ALL') == [
        ("history_shop", '["3","p1"]', "NaN"),
        ("history_shop", '["4","p0"]', "NaN"),  # by the snapshot, as the mirror's own
        ("shop", '["4","p0"]', "NaN"),
    ]
