"""meta.tables: which version of each captured table its mirror follows, and in which state the mirror is.

Contract: runs inside the transaction of the session whose connection it is given.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

import duckdb

from cdc.relation import Column, Relation, ReplicaIdentity
from transforms.columns import duckdb_type
from warehouse.names import MirrorTable, mirror_schema, quoted

_READ = """
    SELECT CAST(relation AS VARCHAR) FROM meta.tables WHERE source = ? AND state <> 'dropped'
"""
_FORGET = "DELETE FROM meta.tables WHERE source = ? AND source_schema = ? AND table_name = ?"
_WRITE = "INSERT INTO meta.tables VALUES (?, ?, ?, ?, ?, ?, now())"
_ALL_STREAMING = (
    "UPDATE meta.tables SET state = 'streaming', updated_at = now() WHERE source = ? AND state = 'snapshot'"
)
_ALL_DROPPED = "UPDATE meta.tables SET state = 'dropped', updated_at = now() WHERE source = ?"
_COLUMNS = """
    SELECT lower(column_name) FROM duckdb_columns()
    WHERE database_name = current_database() AND schema_name = ? AND table_name = ?
"""


def read_relations(connection: duckdb.DuckDBPyConnection, source: str) -> dict[int, Relation]:
    """Return the version of each table that the mirrors of `source` follow, by the table's OID."""
    found = [relation_from_json(text) for (text,) in connection.execute(_READ, [source]).fetchall()]
    return {relation.oid: relation for relation in found}


def write_relation(connection: duckdb.DuckDBPyConnection, source: str, relation: Relation, state: str) -> None:
    """Store the version that a mirror follows from now on."""
    connection.execute(_FORGET, [source, relation.schema, relation.table])
    schema = mirror_schema(source, relation.schema)
    row = [source, relation.schema, relation.table, schema, state, relation_to_json(relation)]
    connection.execute(_WRITE, row)


def recreate(connection: duckdb.DuckDBPyConnection, source: str, relations: Sequence[Relation]) -> None:
    """Make the mirrors of these tables empty, in their present shape; other tables of the source count as dropped."""
    connection.execute(_ALL_DROPPED, [source])
    for relation in relations:
        table = MirrorTable(source, relation)
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(table.schema)}")
        connection.execute(f"DROP TABLE IF EXISTS {table.name}")
        connection.execute(f"CREATE TABLE {table.name} ({table.definition})")
        write_relation(connection, source, relation, "snapshot")


def add_columns(
    connection: duckdb.DuckDBPyConnection, table: MirrorTable, added: Sequence[Column], *, written: bool
) -> None:
    """Add columns to a mirror, NULL in the rows that it has.

    `written`: the open transaction has changed rows of the table. DuckDB 1.5 then fails at the commit ("another transaction
    has altered this table"), so the table is copied: seldom, DDL in the middle of a transaction too large for one batch.
    """
    definitions = [f"{quoted(column.name)} {duckdb_type(column)}" for column in added]
    if not written:
        for definition in definitions:
            connection.execute(f"ALTER TABLE {table.name} ADD COLUMN {definition}")
    elif added:
        values = ", ".join(f"CAST(NULL AS {duckdb_type(column)}) AS {quoted(column.name)}" for column in added)
        copy = f"{quoted(table.schema)}.{quoted('_copy_of_' + table.relation.table)}"
        connection.execute(f"CREATE TABLE {copy} AS SELECT *, {values} FROM {table.name}")
        connection.execute(f"DROP TABLE {table.name}")
        connection.execute(f"ALTER TABLE {copy} RENAME TO {quoted(table.relation.table)}")


def all_streaming(connection: duckdb.DuckDBPyConnection, source: str) -> None:
    """Note that the snapshot is whole."""
    connection.execute(_ALL_STREAMING, [source])


def mirrored_columns(connection: duckdb.DuckDBPyConnection, table: MirrorTable) -> frozenset[str]:
    """Return the lower-cased names of the columns that the mirror has, dropped ones too."""
    rows = connection.execute(_COLUMNS, [table.schema, table.relation.table]).fetchall()
    return frozenset(name for (name,) in rows)


def relation_to_json(relation: Relation) -> str:
    """Return the relation as meta.tables keeps it."""
    return json.dumps(asdict(relation))


def relation_from_json(text: str) -> Relation:
    """Return the relation that `relation_to_json` wrote."""
    tree = json.loads(text)
    columns = tuple(Column(**column) for column in tree.pop("columns"))
    identity = ReplicaIdentity(tree.pop("replica_identity"))
    key = tuple(tree.pop("primary_key"))
    return Relation(**tree, columns=columns, replica_identity=identity, primary_key=key)
