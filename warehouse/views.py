"""Canonical views and marts: what the mappings make of the mirrors, under one name an entity.

Contract: views are made again whenever the lane starts or its mappings have changed; they hold no data, so readers that are in the
middle of a query keep what they see. A mapping whose table has no mirror yet contributes nothing. `canonical_id` is the bridge's
own identity (mirror of causeway.identity) where that is captured, else the record's own id.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from transforms.canonical import ENTITIES
from transforms.columns import cast_sql, duckdb_type
from transforms.compiled import CompiledMapping, view_sql
from transforms.fields import entity_fields, null_of
from warehouse.held_types import is_text_of
from warehouse.names import literal, mirror_schema, quoted
from warehouse.store import Warehouse, sql_text, translate

MARTS = ("orders_by_channel_day", "fulfilment")
_PROVENANCE = ("source", "source_key", "record_id")
_SCHEMAS = ("canonical", "mart")


def build_views(
    warehouse: Warehouse, compiled: Sequence[CompiledMapping], left_out: Sequence[CompiledMapping] = ()
) -> None:
    """Make canonical.<entity> for every entity, the marts over them, and note the mappings' versions in meta.mappings.

    `left_out`: what transforms.left_out gives; its records are those of canonical.out_of_scope.
    """
    cursor = warehouse.cursor()
    try:
        cursor.execute("BEGIN")
        for schema in _SCHEMAS:
            cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        for entity in ENTITIES:
            selects = [_select(cursor, mapping) for mapping in compiled if mapping.entity == entity]
            cursor.execute(_view(cursor, entity, [select for select in selects if select is not None]))
        cursor.execute(_out_of_scope(cursor, left_out))
        for mart in MARTS:
            cursor.execute(sql_text(f"marts/{mart}.sql"))
        _note_mappings(cursor, compiled)
        cursor.execute("COMMIT")
    except duckdb.Error as error:
        raise translate(error, "making the canonical views") from error
    finally:
        cursor.close()


def _view(cursor: duckdb.DuckDBPyConnection, entity: str, selects: list[str]) -> str:
    records = " UNION ALL BY NAME ".join(f"({select})" for select in selects) or _empty(entity)
    identity = ""
    canonical_id = "r.record_id"
    if _columns(cursor, "causeway", "identity"):
        canonical_id = "coalesce(i.canonical_id, r.record_id)"
        identity = f"""LEFT JOIN causeway.identity AS i
            ON i.entity = {literal(entity)} AND i.source = r.source AND i.source_key = r.source_key"""
    return f"""
        CREATE OR REPLACE VIEW canonical.{quoted(entity)} AS
        SELECT {canonical_id} AS canonical_id, r.* FROM ({records}) AS r {identity}
    """


def _out_of_scope(cursor: duckdb.DuckDBPyConnection, left_out: Sequence[CompiledMapping]) -> str:
    """The records that a row filter or a backfill policy keeps from the operational lane."""
    known = bool(_columns(cursor, "causeway", "outbox"))
    selects = [_left_out(cursor, mapping, known) for mapping in left_out]
    records = " UNION ALL ".join(select for select in selects if select is not None)
    nothing = "SELECT CAST(NULL AS VARCHAR) AS record_id WHERE false"
    return f"CREATE OR REPLACE VIEW canonical.out_of_scope AS {records or nothing}"


def _left_out(cursor: duckdb.DuckDBPyConnection, mapping: CompiledMapping, outbox_is_mirrored: bool) -> str | None:
    """Without a date, what the outbox has never had is left out: of orders those from before its first record of the source."""
    select = _select(cursor, mapping)
    if select is None or not mapping.begins_at_insert_only:
        return None if select is None else f"SELECT record_id FROM ({select})"
    if not outbox_is_mirrored:
        return None
    first = f"SELECT min(first_seen_at) FROM causeway.outbox WHERE source = {literal(mapping.source)}"
    before = f" AND ordered_at < ({first})" if mapping.entity == "sales_order" else ""
    unknown = "NOT EXISTS (SELECT 1 FROM causeway.outbox AS o WHERE o.record_id = r.record_id)"
    return f"SELECT record_id FROM ({select}) AS r WHERE {unknown}{before}"


def _select(cursor: duckdb.DuckDBPyConnection, mapping: CompiledMapping) -> str | None:
    """Return the mapping over its mirror; None where there is none.

    Columns that the mirror has yet to get are NULL; those that an older mirror holds as Postgres's text are cast on the way.
    """
    schema, table = mirror_schema(mapping.source, mapping.relation.schema), mapping.relation.table
    mirrored = _columns(cursor, schema, table)
    if not mirrored:
        return None
    mirror = f"{quoted(schema)}.{quoted(table)}"
    missing = [
        f"CAST(NULL AS {duckdb_type(column)}) AS {quoted(column.name)}"
        for column in mapping.relation.columns
        if column.name.casefold() not in mirrored
    ]
    texts = [
        f"{cast_sql(column, quoted(column.name))} AS {quoted(column.name)}"
        for column in mapping.relation.columns
        if is_text_of(mirrored.get(column.name.casefold()), column)
    ]
    if texts:
        mirror = f"(SELECT * REPLACE ({', '.join(texts)}) FROM {mirror})"
    return view_sql(mapping, f"(SELECT *, {', '.join(missing)} FROM {mirror})" if missing else mirror)


def _columns(cursor: duckdb.DuckDBPyConnection, schema: str, table: str) -> dict[str, str]:
    """Return the lower-cased names of a table's columns and their types."""
    rows = cursor.execute(
        "SELECT lower(column_name), data_type FROM duckdb_columns()"
        " WHERE database_name = current_database() AND schema_name = ? AND table_name = ?",
        [schema, table],
    ).fetchall()
    return dict(rows)


def _empty(entity: str) -> str:
    """An entity that no mapping gives: no rows, but every column, so that what is built on it works."""
    provenance = [f"CAST(NULL AS VARCHAR) AS {name}" for name in _PROVENANCE]
    fields = [f"{null_of(field)} AS {quoted(name)}" for name, field in entity_fields(entity).items()]
    return f"SELECT {', '.join([*provenance, 'CAST(NULL AS INTEGER) AS mapping_version', *fields])} WHERE false"


def _note_mappings(cursor: duckdb.DuckDBPyConnection, compiled: Sequence[CompiledMapping]) -> None:
    cursor.execute("DELETE FROM meta.mappings")
    for mapping in compiled:
        row = [mapping.name, mapping.entity, mapping.source, mapping.table, mapping.version]
        cursor.execute("INSERT INTO meta.mappings VALUES (?, ?, ?, ?, ?)", row)
