"""Publications: exactly the configured tables of a lane, by name, and what must hold before one is created.

A publication acts on the source's own statements: a published table without replica identity, or a row filter over columns
outside of it, makes UPDATE and DELETE fail there. So both are refused before, or in the same transaction.
Source: PostgreSQL documentation, CREATE PUBLICATION, notes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from cdc.connection import PlainConnection
from cdc.driver_errors import translate
from cdc.relation import Relation
from config.errors import CausewayError, ErrorKind

_PUBLICATION = """
SELECT p.puballtables, p.pubinsert AND p.pubupdate AND p.pubdelete AND p.pubtruncate, p.pubviaroot,
    EXISTS (SELECT FROM pg_publication_namespace s WHERE s.pnpubid = p.oid),
    coalesce(to_jsonb(p) ->> 'pubgencols', 'n') <> 'n' -- from 18 on
FROM pg_publication p WHERE p.pubname = %s
"""
_TABLES = """
SELECT n.nspname || '.' || c.relname, r.prattrs IS NOT NULL, pg_get_expr(r.prqual, r.prrelid)
FROM pg_publication p
JOIN pg_publication_rel r ON r.prpubid = p.oid JOIN pg_class c ON c.oid = r.prrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE p.pubname = %s ORDER BY 1
"""
_FILTER_COLUMNS = """
SELECT n.nspname || '.' || c.relname, a.attname
FROM pg_publication p JOIN pg_publication_rel r ON r.prpubid = p.oid
JOIN pg_depend d ON d.classid = 'pg_publication_rel'::regclass AND d.objid = r.oid
    AND d.refclassid = 'pg_class'::regclass AND d.refobjid = r.prrelid AND d.refobjsubid > 0
JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
JOIN pg_class c ON c.oid = r.prrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE p.pubname = %s
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Publication:
    """A publication as it is: `filters` has an entry for each table, None where it has no row filter."""

    name: str
    all_tables: bool
    all_operations: bool
    via_root: bool
    generated_columns: bool
    filters: Mapping[str, str | None]
    column_lists: tuple[str, ...]


def find_publication(connection: PlainConnection, name: str) -> Publication | None:
    """Return the publication of that name, None where there is none."""
    try:
        row = connection.execute(_PUBLICATION, [name]).fetchone()
        tables = connection.execute(_TABLES, [name]).fetchall()
    except psycopg.Error as error:
        raise translate(error, f"reading the publication {name}", publication=name) from error
    if row is None:
        return None
    return Publication(
        name=name,
        all_tables=row[0] or row[3],
        all_operations=row[1],
        via_root=row[2],
        generated_columns=row[4],
        filters={table: condition for table, _, condition in tables},
        column_lists=tuple(table for table, listed, _ in tables if listed),
    )


def differences(publication: Publication, tables: Sequence[str], row_filters: Mapping[str, str]) -> list[str]:
    """Return in words how a publication differs from what the settings ask for; empty where it does not.

    Of row filters only their presence is compared: Postgres keeps them parsed, and prints them in its own way.
    """
    published = publication.filters
    found = [f"misses {table}" for table in tables if table not in published]
    found += [f"has {table}, which is not configured" for table in published if table not in tables]
    for table in published.keys() & set(tables):
        if (published[table] is None) != (table not in row_filters):
            found.append(f"has {'no' if table in row_filters else 'a'} row filter on {table}")
    found += [f"has a column list on {table}" for table in publication.column_lists]
    if publication.all_tables:
        found.append("is FOR ALL TABLES or for all tables of a schema")
    if not publication.all_operations:
        found.append("does not publish insert, update, delete and truncate")
    if not publication.via_root:
        found.append("has publish_via_partition_root off")
    if publication.generated_columns:
        found.append("publishes generated columns")
    return found


def check_publication(
    connection: PlainConnection, name: str, tables: Sequence[str], row_filters: Mapping[str, str]
) -> bool:
    """Return whether the publication exists; CausewayError SCHEMA where it is not as the settings ask for."""
    publication = find_publication(connection, name)
    if publication is None:
        return False
    wrong = differences(publication, tables, row_filters)
    if wrong:
        raise CausewayError(
            ErrorKind.SCHEMA,
            f"publication {name} {', '.join(wrong)}.",
            hint="`causeway slots plan` prints the statements that mend it; a table that was missing needs a new snapshot.",
            publication=name,
        )
    return True


def create_statement(name: str, tables: Sequence[str], row_filters: Mapping[str, str]) -> sql.Composed:
    """Build CREATE PUBLICATION for these tables (each schema.table)."""
    return sql.SQL(
        "CREATE PUBLICATION {} FOR TABLE {} WITH (publish = 'insert, update, delete, truncate',"
        " publish_via_partition_root = true)"
    ).format(sql.Identifier(name), _table_list(tables, row_filters))


def set_statement(name: str, tables: Sequence[str], row_filters: Mapping[str, str]) -> sql.Composed:
    """Build ALTER PUBLICATION ... SET TABLE: exactly these tables from now on."""
    return sql.SQL("ALTER PUBLICATION {} SET TABLE {}").format(sql.Identifier(name), _table_list(tables, row_filters))


def options_statement(publication: Publication) -> sql.Composed:
    """Build ALTER PUBLICATION ... SET: every operation, partitions under their root's name, no generated columns."""
    generated = ", publish_generated_columns = none" if publication.generated_columns else ""  # unknown before 18
    return sql.SQL(
        "ALTER PUBLICATION {} SET (publish = 'insert, update, delete, truncate', publish_via_partition_root = true{})"
    ).format(sql.Identifier(publication.name), sql.SQL(generated))


def check_filters(connection: PlainConnection, name: str, relations: Sequence[Relation]) -> None:
    """Refuse row filters over columns outside of the replica identity: CausewayError SCHEMA, in an open transaction."""
    keys = {
        relation.qualified_name: {column.name for column in relation.columns if column.is_key} for relation in relations
    }
    for table, column in connection.execute(_FILTER_COLUMNS, [name]).fetchall():
        if column not in keys.get(table, set()):
            raise CausewayError(
                ErrorKind.SCHEMA,
                f"the row filter of {table} names {column}, which is not part of the replica identity:"
                " UPDATE and DELETE would fail at the source.",
                hint=f"ALTER TABLE {table} REPLICA IDENTITY FULL, or filter by the key.",
                table=table,
            )


def table_identifier(table: str) -> sql.Identifier:
    """Quote schema.table as Postgres stores it."""
    return sql.Identifier(*table.split(".", 1))


def _table_list(tables: Sequence[str], row_filters: Mapping[str, str]) -> sql.Composed:
    return sql.SQL(", ").join(_table(table, row_filters.get(table)) for table in tables)


def _table(table: str, row_filter: str | None) -> sql.Composed:
    # The filter is SQL of the settings, reviewed with them, as a mapping is.
    condition = sql.SQL(f" WHERE ({row_filter})") if row_filter else sql.SQL("")
    return sql.SQL("ONLY {}{}").format(table_identifier(table), condition)
