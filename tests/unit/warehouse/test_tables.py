"""Table versions as meta.tables keeps them."""

from __future__ import annotations

import duckdb
import pytest

from cdc.column_types import ColumnType, TypeKind, builtin_type
from cdc.lsn import Lsn
from cdc.relation import Column, Relation, ReplicaIdentity
from warehouse.store import sql_text
from warehouse.tables import (
    TableRecord,
    TableState,
    read_records,
    relation_from_json,
    relation_to_json,
    write_record,
)

ORDERS = Relation(
    oid=16400, schema="public", table="orders", columns=(Column(name="id", type_oid=20, is_key=True),),
    replica_identity=ReplicaIdentity.DEFAULT, primary_key=("id",),
)  # fmt: skip


PAIR = ColumnType(
    kind=TypeKind.COMPOSITE, oid=20001, fields=(("a", builtin_type(1184, -1)), ("b", builtin_type(1007, -1)))
)


def test_a_relation_that_was_stored_without_types_is_read() -> None:
    old = """{"oid": 1, "schema": "public", "table": "t", "replica_identity": "d", "primary_key": [],
        "columns": [{"name": "a", "type_oid": 23, "typmod": -1, "is_key": true, "type_name": "integer"}]}"""
    assert relation_from_json(old).columns == (Column(name="a", type_oid=23, is_key=True, type_name="integer"),)


def test_a_relation_comes_back_as_it_went_in() -> None:
    relation = Relation(
        oid=16400,
        schema="public",
        table='Odd "name"',
        columns=(
            Column(name="é", type_oid=1700, typmod=786438, is_key=True, type_name="numeric(12,2)"),
            Column(name="b", type_oid=25),
            Column(name="c", type_oid=20000, type=ColumnType(kind=TypeKind.ARRAY, oid=20000, element=PAIR)),
        ),
        replica_identity=ReplicaIdentity.FULL,
        primary_key=("é",),
    )
    assert relation_from_json(relation_to_json(relation)) == relation


@pytest.mark.parametrize(
    "record",
    [
        TableRecord(relation=ORDERS, state=TableState.STREAMING),
        TableRecord(
            relation=ORDERS, state=TableState.STOPPED, problem="has another key", stopped_at=Lsn(77), skipped_rows=3
        ),
        TableRecord(relation=ORDERS, state=TableState.COPYING, exact_from=Lsn(2**33)),
    ],
)
def test_a_tables_state_comes_back_as_it_went_in(record: TableRecord) -> None:
    with duckdb.connect() as connection:
        connection.execute(sql_text("meta.sql"))
        write_record(connection, "shop", TableRecord(relation=ORDERS, state=TableState.SNAPSHOT))
        write_record(connection, "shop", record)
        assert read_records(connection, "shop") == {16400: record}


def test_a_warehouse_of_before_gets_the_new_columns() -> None:
    with duckdb.connect() as connection:
        connection.execute("""
            CREATE SCHEMA meta;
            CREATE TABLE meta.tables (source VARCHAR NOT NULL, source_schema VARCHAR NOT NULL, table_name VARCHAR NOT NULL,
                mirror_schema VARCHAR NOT NULL, state VARCHAR NOT NULL, relation JSON NOT NULL,
                updated_at TIMESTAMPTZ NOT NULL);
        """)
        connection.execute(
            "INSERT INTO meta.tables VALUES ('shop', 'public', 'orders', 'shop', 'streaming', ?, now())",
            [relation_to_json(ORDERS)],
        )
        connection.execute(sql_text("meta.sql"))
        connection.execute(sql_text("meta.sql"))
        assert read_records(connection, "shop") == {16400: TableRecord(relation=ORDERS, state=TableState.STREAMING)}
