"""Table versions as meta.tables keeps them."""

from __future__ import annotations

import duckdb
import pytest

from cdc.lsn import Lsn
from cdc.relation import Column, Relation, ReplicaIdentity, relation_to_json
from warehouse.store import sql_text
from warehouse.tables import TableRecord, TableState, read_records, write_record

ORDERS = Relation(
    oid=16400, schema="public", table="orders", columns=(Column(name="id", type_oid=20, is_key=True),),
    replica_identity=ReplicaIdentity.DEFAULT, primary_key=("id",),
)  # fmt: skip


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
