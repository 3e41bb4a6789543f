"""Postgres is the oracle of values: it renders random ones of every type, and the mirror gives each back, or its exact text.

The same values come by the snapshot, by the stream, and by a copy while streaming goes on. Whatever the mirror holds is written as a literal and given back to Postgres,
which compares it with what it holds itself. CAUSEWAY_TEST_SEED repeats a run.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from cdc.batch import ChangeBatch
from cdc.catalog import describe
from cdc.checksum import bucket_rows as source_rows
from cdc.relation import Column, Relation
from config.settings import WarehouseSettings
from tests.fixtures.capture import captured
from tests.fixtures.postgres import FreshDatabase
from tests.integration.transforms.oracle import prepare
from tests.integration.warehouse.copying_lane import CopyingLane
from tests.integration.warehouse.test_reader_to_mirror import MirrorReplay
from tests.property.edges import EDGES
from tests.property.values import ARRAYS, CONTRIB, CONTRIB_ARRAYS, SCALARS, TYPES, Sample, literal, strings
from transforms.columns import type_of
from warehouse.checksum import bucket_rows, postgres_expressions
from warehouse.mirror import Mirror
from warehouse.store import Warehouse

ROWS = 60
LATER = 1000  # by how much the streamed copies' keys are higher


@pytest.fixture
def seed() -> int:
    chosen = int(os.environ.get("CAUSEWAY_TEST_SEED", random.SystemRandom().randrange(2**32)))
    sys.stdout.write(f"CAUSEWAY_TEST_SEED={chosen}\n")
    return chosen


@dataclass
class Mirrored:
    """A table of random values and its mirror."""

    connection: psycopg.Connection
    warehouse: Warehouse
    samples: Sequence[Sample]
    relation: Relation
    lane: CopyingLane

    def copy_anew(self) -> None:
        self.lane.copy("public.v")

    def typed(self) -> dict[int, dict[str, str | None]]:
        """The mirror's values as literals, by key and column."""
        columns = self.relation.columns[1:]
        listed = ", ".join(f"{strings(type_of(column), f't.{column.name}')} AS {column.name}" for column in columns)
        with self.warehouse.cursor() as cursor:
            rows = cursor.execute(f"SELECT id, {listed} FROM shop.v AS t").fetchall()
        return {
            row[0]: {
                column.name: literal(type_of(column), value) for column, value in zip(columns, row[1:], strict=True)
            }
            for row in rows
        }

    def exceptions(self) -> dict[tuple[int, str], str]:
        query = "SELECT CAST(key AS INTEGER), \"column\", text FROM meta.value_exceptions WHERE source = 'shop'"
        with self.warehouse.cursor() as cursor:
            return {(key, column): text for key, column, text in cursor.execute(query).fetchall()}

    def assert_given_back(self, note: str) -> None:
        """Every value is in the mirror or, exactly as text, among its exceptions; NULL nowhere else."""
        typed, kept = self.typed(), self.exceptions()
        for sample, column in zip(self.samples, self.relation.columns[1:], strict=True):
            at_source = self.connection.execute(
                f"SELECT id, {column.name} IS NOT DISTINCT FROM NULL, concat({column.name}) FROM v"
            ).fetchall()
            assert sorted(typed) == sorted(key for key, _, _ in at_source)
            back = []
            for key, is_null, text in at_source:
                value, exception = typed[key][column.name], kept.pop((key, column.name), None)
                where = f"{note}, {sample.name}, key {key}: {text!r}"
                if is_null or exception is not None:
                    assert (value, exception) == (None, None if is_null else text), where
                else:
                    assert value is not None, where
                    back.append((key, value))
            self._assert_same(sample, column, back, note)
        assert not kept, note

    def assert_kept_alike_by_snapshot_and_stream(self, note: str) -> None:
        """A value of the snapshot that was streamed again under another key is an exception under both, or under neither."""
        pairs = f"SELECT a.id, b.id FROM v AS a JOIN v AS b ON b.id = a.id + {LATER} WHERE a.id BETWEEN {ROWS // 3} AND {LATER - 1}"
        kept = self.exceptions()
        compared = [
            (kept.get((first, name)), kept.get((second, name)))
            for first, second in self.connection.execute(pairs).fetchall()
            for name in self.relation.column_names[2:]
        ]
        assert compared, note
        assert all(first == second for first, second in compared), note

    def _assert_same(self, sample: Sample, column: Column, back: list[tuple[int, str]], note: str) -> None:
        name, keys, values = column.name, [key for key, _ in back], [value for _, value in back]
        given = f"CAST(back.value AS {sample.name})"
        unlike = f"concat(v.{name}) <> concat({given})"
        if sample.scaled:
            unlike += f" AND v.{name} IS DISTINCT FROM {given}"
        query = f"""
            SELECT v.id, concat(v.{name}), back.value FROM v
            JOIN unnest(%s::int[], %s::text[]) AS back (id, value) ON back.id = v.id WHERE {unlike} LIMIT 3"""
        assert self.connection.execute(query, [keys, values]).fetchall() == [], f"{note}, {sample.name}"

    def assert_verified(self, note: str) -> None:
        """Both sides name every value alike."""
        expressions = postgres_expressions(self.relation)
        theirs = source_rows(self.connection, self.relation, expressions, digits=0, bucket="").to_pylist()
        with self.warehouse.querying():
            ours = bucket_rows(self.warehouse, "shop", self.relation, digits=0, bucket="").to_pylist()
        expected, found = ({row["id"]: row for row in rows} for rows in (theirs, ours))
        assert expected.keys() == found.keys(), note
        for sample, name in zip(self.samples, self.relation.column_names[1:], strict=True):
            for key, row in expected.items():
                assert found[key][name] == row[name], f"{note}, {sample.name}, key {key}"
        assert found == expected, note


class CountingReplay(MirrorReplay):
    """Counts the values that Postgres left out because they had not changed."""

    left_out = 0

    def apply(self, batch: ChangeBatch) -> None:
        self.left_out += sum(int(mask.sum()) for part in batch.changes for mask in part.unchanged.values())
        super().apply(batch)


def mirror_of(
    database: FreshDatabase,
    folder: Path,
    samples: Sequence[Sample],
    seed: int,
    *ddl: str,
    stored_apart: bool = False,
) -> Iterator[Mirrored]:
    """Fill a table, copy it, and change it while it is streamed."""
    columns = ", ".join(f"c{number} {sample.name}" for number, sample in enumerate(samples))
    source = captured(
        database,
        ["public.v"],
        *ddl,
        *TYPES,
        f"CREATE TABLE v (id int PRIMARY KEY, {columns}) WITH (toast_tuple_target = 128)",
    )
    chosen = random.Random(seed)
    settings = WarehouseSettings(path=folder / "warehouse.duckdb", extracts=folder)
    with database.connect() as connection, Warehouse.open(settings) as warehouse:
        prepare(connection)
        for key in range(ROWS):
            values = ", ".join("NULL" if chosen.random() < 0.05 else sample.make(chosen) for sample in samples)
            connection.execute(f"INSERT INTO v VALUES ({key}, {values})".encode())
        mirror = Mirror(warehouse)
        source.replay = replay = CountingReplay(mirror)
        (relation,) = describe(connection, ["public.v"])
        mirror.begin_snapshot("shop", [relation])
        source.catch_up()
        listed = ", ".join(relation.column_names[1:])
        source.transaction(
            f"INSERT INTO v SELECT id + {LATER}, {listed} FROM v",
            f"UPDATE v AS a SET ({listed}) = (SELECT {listed} FROM v AS b WHERE b.id = {LATER + ROWS - 1} - a.id) WHERE id < {ROWS // 3}",
        )
        source.catch_up()
        assert replay.left_out == 0
        # What is stored out of line and did not change is not sent: the mirror's own value stays, also under another key.
        source.transaction(
            f"UPDATE v SET c0 = NULL WHERE id < {LATER} AND id % 3 = 0",
            f"UPDATE v SET id = id + {2 * LATER} WHERE id % 7 = 0",
        )
        source.catch_up()
        assert replay.left_out > 0 or not stored_apart
        lane = CopyingLane(source=source, warehouse=warehouse, mirror=mirror, chunk_rows=100)
        yield Mirrored(connection, warehouse, samples, relation, lane)
        mirror.close()


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "samples",
    [
        pytest.param(SCALARS, id="values"),
        pytest.param(EDGES, id="edges"),
        pytest.param(ARRAYS, id="arrays", marks=pytest.mark.slow),
    ],
)
@pytest.mark.case("infinity and -infinity of date, timestamp and timestamptz", "held by DuckDB")
@pytest.mark.case("BC dates", "held by DuckDB")
@pytest.mark.case("24:00:00", "held by DuckDB")
@pytest.mark.case("NaN and infinite numeric", "NULL in the column, the exact text in `meta.value_exceptions`")
@pytest.mark.case("numeric of more than 38 digits", "NULL in the column, the exact text in `meta.value_exceptions`")
@pytest.mark.case("numeric without precision", "`DECIMAL(38,10)`; what does not fit is kept as exact text")
@pytest.mark.case("money", "`DECIMAL(19,2)`")
@pytest.mark.case("intervals with months", "`INTERVAL`, months, days and microseconds apart")
@pytest.mark.case(
    "arrays: nested, NULL elements, shifted bounds",
    "`LIST` with its NULLs; several dimensions and shifted bounds are kept as exact text",
)
@pytest.mark.case("domains of domains", "the type at the bottom")
@pytest.mark.case("enums", "`VARCHAR`")
@pytest.mark.case("composites", "`STRUCT`")
@pytest.mark.case(
    "json and jsonb: duplicate keys, \\u0000 refused by Postgres", "`JSON`, the text as Postgres writes it"
)
@pytest.mark.case("bytea", "`BLOB`")
@pytest.mark.case("bit", "`BIT`")
@pytest.mark.case("uuid", "`UUID`")
@pytest.mark.case("inet", "`VARCHAR`")
@pytest.mark.case("macaddr", "`VARCHAR`")
@pytest.mark.case("ranges and multiranges", "`STRUCT`, and a list of them")
@pytest.mark.case("tsvector", "`VARCHAR`")
@pytest.mark.case("oid", "`UINTEGER`")
@pytest.mark.case("empty strings", "empty, not NULL")
@pytest.mark.case("every kind of NULL", "NULL")
def test_the_mirror_gives_back_every_value_of_every_type(
    database: FreshDatabase, tmp_path: Path, seed: int, samples: Sequence[Sample]
) -> None:
    for mirrored in mirror_of(database, tmp_path, samples, seed, stored_apart=samples is ARRAYS):
        mirrored.assert_given_back(f"seed {seed}")
        mirrored.assert_verified(f"seed {seed}")
        kept = mirrored.exceptions()
        assert kept
        mirrored.assert_kept_alike_by_snapshot_and_stream(f"seed {seed}")
        mirrored.copy_anew()
        assert mirrored.exceptions() == kept
        mirrored.assert_given_back(f"seed {seed}, copied anew")
        mirrored.assert_verified(f"seed {seed}, copied anew")


@pytest.mark.case("hstore", "`MAP(VARCHAR, VARCHAR)`")
@pytest.mark.case("xml", "`VARCHAR`")
@pytest.mark.parametrize(
    "postgres_version", [15], ids=["pg15"]
)  # Debian's has the extensions, and was built with libxml
def test_the_mirror_gives_back_every_value_of_extensions_types(
    database: FreshDatabase, tmp_path: Path, seed: int
) -> None:
    ddl = ("CREATE EXTENSION hstore", "CREATE EXTENSION citext", "CREATE EXTENSION ltree")
    for mirrored in mirror_of(database, tmp_path, (*CONTRIB, *CONTRIB_ARRAYS), seed, *ddl):
        mirrored.assert_given_back(f"seed {seed}")
        mirrored.assert_verified(f"seed {seed}")
