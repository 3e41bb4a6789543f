"""How the mirror of a table holds its columns, where that is not how a new mirror would.

A column is held as it was when it came into the mirror, until the table is copied anew: also where a later version of the bridge
has a better form for its type, or its composite type has got another field. What a version without that form made holds Postgres's
text: exact, and cast on the way where a canonical view or a checksum needs the type.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import duckdb

from cdc.column_types import AS_TEXT
from cdc.relation import Column, Relation
from transforms.columns import duckdb_type, type_of
from warehouse.names import MirrorTable

TEXT = "VARCHAR"
_TEXTS = """
    SELECT lower(schema_name), lower(table_name), lower(column_name) FROM duckdb_columns()
    WHERE database_name = current_database() AND data_type = 'VARCHAR'
"""


def held_as_made(
    connection: duckdb.DuckDBPyConnection, source: str, relations: Sequence[Relation]
) -> tuple[Relation, ...]:
    """Return the tables' versions with their columns' types as their mirrors have them."""
    texts = set(connection.execute(_TEXTS).fetchall()) if relations else set()
    return tuple(_as_made(MirrorTable(source, relation), texts) for relation in relations)


def as_mirrored(known: Relation, announced: Relation) -> Relation:
    """Return an announced version, with its columns' types as the mirror of the `known` version holds them."""
    before = {(column.name, column.type_oid, column.typmod): column for column in known.columns}

    def held(column: Column) -> Column:
        made = before.get((column.name, column.type_oid, column.typmod))
        same = made is None or duckdb_type(made) == duckdb_type(column)
        return column if made is None or same else replace(column, type=type_of(made))

    return replace(announced, columns=tuple(map(held, announced.columns)))


def is_text_of(held: str | None, column: Column) -> bool:
    """Return whether a mirror's column of the DuckDB type `held` has the text of a value that a new one would hold typed."""
    return held == TEXT and duckdb_type(column) != TEXT


def _as_made(table: MirrorTable, texts: set[tuple[str, str, str]]) -> Relation:
    schema, name = table.schema.lower(), table.relation.table.lower()

    def held(column: Column) -> Column:
        is_text = is_text_of(TEXT, column) and (schema, name, column.name.lower()) in texts
        return replace(column, type=AS_TEXT) if is_text else column

    return replace(table.relation, columns=tuple(map(held, table.relation.columns)))
