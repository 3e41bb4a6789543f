"""Every mapping of the demo pack gives in DuckDB what its SELECT gives in Postgres, over the rows of a business day."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pytest

from cdc.batch import BatchKind, ChangeBatch, Position, TableChanges
from cdc.lsn import Lsn
from cdc.relation import Relation
from sandbox.day.business_day import BusinessDay
from sandbox.odoo.schema import create_schema
from sandbox.postgres import EmbeddedPostgres
from tests.fixtures.postgres import FreshDatabase
from tests.fixtures.sources import fresh_sources
from tests.integration.transforms.oracle import Oracle, as_text, make_oracle, plain, prepare, relation_of, sorted_rows
from transforms.changes import Upsert
from transforms.compiled import CompiledMapping, view_sql
from transforms.compiler import compile_mappings
from transforms.fields import entity_fields
from transforms.lastchanges import Found
from transforms.mapper import BatchMapper
from transforms.mapping import Mapping, load_mappings
from transforms.packs import pack_path
from transforms.validation import validate

MAPPINGS = {mapping.name: mapping for mapping in load_mappings([pack_path("demo")])}
ODOO_ROWS = Path(__file__).with_name("odoo_rows.sql")


@pytest.fixture(scope="module")
def played(postgres: EmbeddedPostgres) -> Iterator[dict[str, psycopg.Connection]]:
    """The sources after a small business day, and an Odoo database with a few rows of each kind."""
    day = BusinessDay(seed=3, orders=100)
    dsn = postgres.create_database("oracle_odoo")
    create_schema(dsn)
    with fresh_sources(postgres) as sources, postgres.connect("oracle_odoo", autocommit=True) as odoo:
        for phase in (day.masters, day.trade, day.late):
            phase(sources)
        odoo.execute(ODOO_ROWS.read_bytes())
        yield {"shop": sources.shop, "market": sources.market, "wms": sources.wms, "odoo": odoo}
    postgres.drop_database("oracle_odoo")


def compiled_oracle(played: dict[str, psycopg.Connection], mapping: Mapping) -> tuple[CompiledMapping, Oracle]:
    oracle = make_oracle(played[mapping.source], mapping.table)
    (compiled,) = compile_mappings([mapping], {mapping.source: [oracle.relation]})
    return compiled, oracle


@pytest.mark.parametrize("name", MAPPINGS)
def test_duckdb_gives_what_postgres_gives(name: str, played: dict[str, psycopg.Connection]) -> None:
    compiled, oracle = compiled_oracle(played, MAPPINGS[name])
    outputs = ", ".join(
        f"CAST({output} AS text) AS {output}" if is_text(compiled, output) else output for output in compiled.outputs
    )
    expected = oracle.in_postgres(f"SELECT {outputs} FROM ({compiled.source_sql}) AS given")
    found = oracle.in_duckdb(compiled.select_sql("rows"))
    assert len(expected) > 0
    assert sorted_rows(found) == sorted_rows(expected)


@pytest.mark.parametrize("name", MAPPINGS)
def test_every_row_of_the_day_makes_a_valid_record(name: str, played: dict[str, psycopg.Connection]) -> None:
    compiled, oracle = compiled_oracle(played, MAPPINGS[name])
    rows = oracle.duckdb.execute(compiled.select_sql("rows")).to_arrow_table().to_pylist()
    given = {"source": compiled.source, "source_position": "0/1", "mapping_version": 1}
    wrong = [record for row in rows if isinstance(record := validate(compiled.entity, {**row, **given}), str)]
    assert wrong == []


@pytest.mark.parametrize("name", MAPPINGS)
def test_the_view_shows_every_field_of_the_entity(name: str, played: dict[str, psycopg.Connection]) -> None:
    compiled, oracle = compiled_oracle(played, MAPPINGS[name])
    view = oracle.duckdb.execute(view_sql(compiled, "rows")).to_arrow_table()
    selected = oracle.duckdb.execute(compiled.select_sql("rows")).to_arrow_table()
    assert view.column_names == [
        "source",
        "source_key",
        "record_id",
        "mapping_version",
        *entity_fields(compiled.entity),
    ]
    assert view.select(selected.column_names).to_pylist() == selected.to_pylist()


@pytest.mark.parametrize("source", ["shop", "market", "wms", "odoo"])
def test_no_two_mappings_of_an_entity_give_one_key(source: str, played: dict[str, psycopg.Connection]) -> None:
    seen: dict[tuple[str, str], str] = {}
    for mapping in MAPPINGS.values():
        if mapping.source == source:
            compiled, oracle = compiled_oracle(played, mapping)
            keys = oracle.duckdb.execute(f"SELECT {compiled.key_sql} FROM rows").fetchall()
            for (key,) in keys:
                assert seen.setdefault((mapping.entity, key), mapping.name) == mapping.name


def is_text(compiled: CompiledMapping, output: str) -> bool:
    field = entity_fields(compiled.entity).get(output)
    return field is None or field.kind.name in ("TEXT", "WORD")


def test_text_of_a_table_is_what_capture_hands_on(database: FreshDatabase) -> None:
    """The oracle itself: bool as t, arrays in braces, numeric with its scale."""
    with database.connect() as connection:
        prepare(connection)
        connection.execute("CREATE TABLE t (a bool PRIMARY KEY, b text[], c numeric(5,2), d char(3))")
        connection.execute("INSERT INTO t VALUES (true, ARRAY['x','y z'], 1.5, 'a')")
        table = as_text(connection, relation_of(connection, "public.t"))
        assert table.to_pylist() == [{"a": "t", "b": '{x,"y z"}', "c": "1.50", "d": "a  "}]


def test_both_lanes_say_the_same_of_every_row(played: dict[str, psycopg.Connection]) -> None:
    """The batch mapper over a snapshot, and the canonical view over the mirror, field by field."""
    for source, connection in played.items():
        tables = {mapping.table for mapping in MAPPINGS.values() if mapping.source == source}
        oracles = {table: make_oracle(connection, table) for table in sorted(tables)}
        mappings = [mapping for mapping in MAPPINGS.values() if mapping.source == source]
        compiled = compile_mappings(mappings, {source: [oracle.relation for oracle in oracles.values()]})
        mapper = BatchMapper(compiled)
        said = mapper.map(snapshot(source, oracles.values()), no_fetch)
        for one in compiled:
            view = oracles[one.table].duckdb.execute(view_sql(one, "rows")).to_arrow_table().to_pylist()
            records = [each.record for each in said if isinstance(each, Upsert) and each.mapping == one.name]
            fields = sorted(entity_fields(one.entity))
            theirs = [{"source_key": each.source_key, **each.business_values()} for each in records]
            assert [shown(row, fields) for row in by_key(view)] == [shown(row, fields) for row in by_key(theirs)]
        assert all(isinstance(each, Upsert) for each in said)
        mapper.close()


def by_key(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: str(row["source_key"]))


def shown(row: dict[str, Any], fields: list[str]) -> list[Any]:
    """Values as they compare; records hold blank text as none."""
    return [plain(row[name]) or None if isinstance(row[name], str) else plain(row[name]) for name in fields]


def no_fetch(relation: Relation, keys: pa.Table, xids: frozenset[int]) -> Found:
    raise AssertionError("nothing was to be fetched")


def snapshot(source: str, oracles: Iterable[Oracle]) -> ChangeBatch:
    parts = []
    first = 0
    for oracle in oracles:
        rows = as_text(oracle.source, oracle.relation)
        count = rows.num_rows
        meta = {
            "_op": pa.array(["i"] * count, pa.string()),
            "_seq": pa.array(range(first, first + count), pa.int64()),
            "_lsn": pa.array([1] * count, pa.uint64()),
            "_xid": pa.array([1] * count, pa.uint32()),
            "_committed_at": pa.array([0] * count, pa.timestamp("us", tz="UTC")),
        }
        first += count
        columns = dict(zip(rows.column_names, rows.columns, strict=True))
        parts.append(TableChanges(relation=oracle.relation, rows=pa.table({**meta, **columns})))
    position = Position(source=source, lane="operational", lsn=Lsn(1), slot="s", system_identifier="1", timeline=1)
    return ChangeBatch(kind=BatchKind.SNAPSHOT, position=position, changes=tuple(parts))
