"""Publications: what a lane wants of a source (`cdc.wanted`), by name, and what must hold before one is created.

A publication acts on the source's own statements: a published table without replica identity, or with a generated column in it, or a
row filter over columns outside of it, makes UPDATE and DELETE fail there. So these are refused before, or in the same transaction.
Source: PostgreSQL documentation, CREATE PUBLICATION, notes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from cdc.connection import PlainConnection
from cdc.driver_errors import translate
from cdc.relation import Relation
from cdc.wanted import PublishedTable, Wanted, with_identities
from config.errors import CausewayError, ErrorKind

_PUBLICATION = """
SELECT p.puballtables, p.pubinsert AND p.pubupdate AND p.pubdelete AND p.pubtruncate, p.pubviaroot,
    EXISTS (SELECT FROM pg_publication_namespace s WHERE s.pnpubid = p.oid),
    coalesce(to_jsonb(p) ->> 'pubgencols', 'n') <> 'n' -- from 18 on
FROM pg_publication p WHERE p.pubname = %s
"""
_TABLES = """
SELECT n.nspname || '.' || c.relname, pg_get_expr(r.prqual, r.prrelid), (
    SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a
    WHERE a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs::int2[])), r.oid::int8
FROM pg_publication p
JOIN pg_publication_rel r ON r.prpubid = p.oid JOIN pg_class c ON c.oid = r.prrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE p.pubname = %s ORDER BY 1
"""
# By the filter's own tree: pg_depend does not tell its columns from those of a column list.
_FILTER_COLUMNS = r"""
SELECT DISTINCT n.nspname || '.' || c.relname, a.attname
FROM pg_publication p JOIN pg_publication_rel r ON r.prpubid = p.oid
CROSS JOIN regexp_matches(r.prqual::text, ':varattno (\d+)', 'g') AS variable (attnum)
JOIN pg_attribute a ON a.attrelid = r.prrelid AND a.attnum = variable.attnum[1]::int2
JOIN pg_class c ON c.oid = r.prrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE p.pubname = %s ORDER BY 2
"""


# From 18 on; of a partitioned table each partition counts. Source: CheckCmdReplicaIdentity, src/backend/executor/execReplication.c.
_GENERATED = """
SELECT DISTINCT n.nspname || '.' || c.relname, a.attname, c.relreplident <> 'f' AND i.indexrelid IS NULL
FROM unnest(%s::oid[]) AS wanted (oid) LEFT JOIN LATERAL pg_partition_tree(wanted.oid) AS part ON true
JOIN pg_class c ON c.oid = coalesce(part.relid, wanted.oid) JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisvalid
    AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident END
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> ''
    AND (i.indexrelid IS NULL OR a.attnum = ANY (i.indkey[0:i.indnkeyatts - 1]))
WHERE current_setting('server_version_num')::int >= 180000 ORDER BY 1, 2
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Publication:
    """A publication as it is; `tables`, and the OIDs of their entries, by name."""

    name: str
    all_tables: bool
    all_operations: bool
    via_root: bool
    generated_columns: bool
    tables: Mapping[str, PublishedTable]
    entries: Mapping[str, int]


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
        tables={
            table: PublishedTable(name=table, row_filter=condition, columns=None if columns is None else tuple(columns))
            for table, condition, columns, _ in tables
        },
        entries={table: entry for table, _, _, entry in tables},
    )


def put_back(before: Publication | None, now: Publication | None) -> list[str]:
    """Return the tables that have been taken out of a publication and put back, as they were before, between two looks at it.

    SET TABLE leaves such a table its entry; it gives one with other columns another, without a moment in which it is not published.
    """
    if before is None or now is None:
        return []
    same = (name for name, table in now.tables.items() if before.tables.get(name) == table)
    return [name for name in same if before.entries[name] != now.entries[name]]


def differences(publication: Publication, wanted: Wanted) -> list[str]:
    """Return in words how a publication differs from what a lane wants (`with_identities`); empty where it will do."""
    return lacking(publication, wanted.tables) + amiss(publication, wanted)


def lacking(publication: Publication, tables: Iterable[PublishedTable]) -> list[str]:
    """Return in words which tables and columns a publication does not have."""
    found = []
    for table in tables:
        published = publication.tables.get(table.name)
        if published is None:
            found.append(f"misses {table.name}")
        elif published.columns is not None and table.columns is None:
            found.append(f"has a column list on {table.name}")
        elif published.columns is not None and (missing := _beyond(table.columns, published.columns)):
            found.append(f"does not publish {', '.join(missing)} of {table.name}")
    return found


def amiss(publication: Publication, wanted: Wanted) -> list[str]:
    """Return in words what a publication does otherwise than a lane wants, besides what it lacks.

    Of row filters only their presence is compared: Postgres keeps them parsed, and prints them in its own way.
    """
    published, tables = publication.tables, {table.name: table for table in wanted.tables}
    found = [f"has {name}, which is not configured" for name in published if wanted.exact and name not in tables]
    for name in published.keys() & tables.keys():
        row_filter = tables[name].row_filter
        if (published[name].row_filter is None) != (row_filter is None):
            found.append(f"has {'no' if row_filter else 'a'} row filter on {name}")
    if publication.all_tables:
        found.append("is FOR ALL TABLES or for all tables of a schema")
    if not publication.all_operations:
        found.append("does not publish insert, update, delete and truncate")
    if not publication.via_root:
        found.append("has publish_via_partition_root off")
    if publication.generated_columns:
        found.append("publishes generated columns")
    return found


def excess(publication: Publication, wanted: Wanted) -> list[str]:
    """Return the tables that a publication has, or has more columns of, than a lane wants (`with_identities`)."""
    tables = {table.name: table for table in wanted.tables}
    return [
        name
        for name, published in publication.tables.items()
        if name not in tables or _beyond(published.columns, tables[name].columns) != ()
    ]


def _beyond(columns: tuple[str, ...] | None, others: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Return the columns that are not among the others; None, which stands for all columns, where that can't be said by name."""
    if others is None:
        return ()
    return None if columns is None else tuple(name for name in columns if name not in others)


def check_publication(connection: PlainConnection, name: str, wanted: Wanted, *, may_lack: bool = False) -> bool:
    """Return whether the publication exists; CausewayError SCHEMA where it is not as the lane wants it.

    may_lack: tables and columns may be missing; whoever reads them is told by name.
    """
    publication = find_publication(connection, name)
    if publication is None:
        return False
    wrong = amiss(publication, wanted) if may_lack else differences(publication, with_identities(connection, wanted))
    if wrong:
        raise CausewayError(
            ErrorKind.SCHEMA,
            f"publication {name} {', '.join(wrong)}.",
            hint="`causeway slots plan SOURCE` prints the statements that mend it; a table that was missing needs a new snapshot.",
            publication=name,
        )
    return True


def create_statement(name: str, tables: Sequence[PublishedTable]) -> sql.Composed:
    """Build CREATE PUBLICATION for these tables."""
    return sql.SQL(
        "CREATE PUBLICATION {}{} WITH (publish = 'insert, update, delete, truncate', publish_via_partition_root = true)"
    ).format(sql.Identifier(name), sql.SQL(" FOR TABLE {}").format(_table_list(tables)) if tables else sql.SQL(""))


def set_statement(name: str, tables: Sequence[PublishedTable], before: Iterable[str] = ()) -> sql.Composed:
    """Build ALTER PUBLICATION ... SET TABLE: exactly these tables from now on; DROP TABLE of those before where there are none."""
    if tables:
        return sql.SQL("ALTER PUBLICATION {} SET TABLE {}").format(sql.Identifier(name), _table_list(tables))
    dropped = sql.SQL(", ").join(sql.SQL("ONLY {}").format(table_identifier(table)) for table in before)
    return sql.SQL("ALTER PUBLICATION {} DROP TABLE {}").format(sql.Identifier(name), dropped)


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


def generated_identities(connection: PlainConnection, relations: Iterable[Relation]) -> list[tuple[str, str, bool]]:
    """Return the tables and columns because of which UPDATE and DELETE would fail once they are published, and whether it would only be
    so with REPLICA IDENTITY FULL, for want of any identity.
    """
    try:
        rows = connection.execute(_GENERATED, [[relation.oid for relation in relations]]).fetchall()
    except psycopg.Error as error:
        raise translate(error, "looking for generated columns in replica identities") from error
    return [(table, column, only_full) for table, column, only_full in rows]


def check_generated(connection: PlainConnection, relations: Iterable[Relation]) -> None:
    """Refuse tables with a generated column in their replica identity: CausewayError SCHEMA."""
    for table, column, only_full in generated_identities(connection, relations):
        if not only_full:
            raise CausewayError(
                ErrorKind.SCHEMA,
                f"the replica identity of {table} has the generated column {column}: published, its UPDATE and DELETE fail at the"
                " source.",
                hint="Give it a primary key of other columns and REPLICA IDENTITY DEFAULT, or leave the table out.",
                table=table,
            )


def table_identifier(table: str) -> sql.Identifier:
    """Quote schema.table as Postgres stores it."""
    return sql.Identifier(*table.split(".", 1))


def _table_list(tables: Sequence[PublishedTable]) -> sql.Composed:
    return sql.SQL(", ").join(_table(table) for table in tables)


def _table(table: PublishedTable) -> sql.Composed:
    listed: sql.Composable = sql.SQL("")
    if table.columns is not None:
        listed = sql.SQL(" ({})").format(sql.SQL(", ").join(map(sql.Identifier, table.columns)))
    # The filter is SQL of the settings, reviewed with them, as a mapping is.
    condition = sql.SQL(f" WHERE ({table.row_filter})" if table.row_filter else "")
    return sql.SQL("ONLY {}{}{}").format(table_identifier(table.name), listed, condition)
