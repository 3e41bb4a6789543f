"""What a lane wants of a source: which tables, which of their columns, under which row filter.

The analytical lane wants every column of every captured table, and nothing else published. The operational lane wants what the mappings
read: a column list spares the walsender what nobody reads. Postgres wants more of such a list than the mappings do: the replica
identity, for each partition its own, else UPDATE and DELETE fail at the source; under FULL that is every column, so there is no list.
Source: PostgreSQL documentation, "Logical Replication", Column Lists; pub_collist_contains_invalid_column in
src/backend/commands/publicationcmds.c.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import psycopg

from cdc.catalog import find_described
from cdc.connection import PlainConnection
from cdc.driver_errors import translate
from cdc.relation import Relation
from config.settings import Lane, SourceSettings

# Without an index for the identity (FULL, or none yet) the table goes whole; also where it has a generated column, which can't be
# listed before 18.
_IDENTITIES = """
SELECT wanted.oid::int8, bool_or(i.indexrelid IS NULL OR a.attgenerated <> ''),
    array_agg(DISTINCT a.attname::text)
FROM unnest(%s::oid[]) AS wanted (oid)
LEFT JOIN LATERAL pg_partition_tree(wanted.oid) AS part ON true
JOIN pg_class p ON p.oid = coalesce(part.relid, wanted.oid) AND p.relkind IN ('r', 'p')
LEFT JOIN pg_index i ON i.indrelid = p.oid AND i.indisvalid
    AND CASE p.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident END
LEFT JOIN pg_attribute a ON a.attrelid = p.oid AND a.attnum = ANY (i.indkey[0:i.indnkeyatts - 1])
GROUP BY wanted.oid
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedTable:
    """A table (schema.table) as a publication has it, or as a lane wants it. `columns`: None for all of them.

    `identity`: columns that its replica identity must have, for the sake of the row filter; none named: it is left as it is.
    `from_now_on`: only changes are wanted, none of the rows that there are before.
    """

    name: str
    columns: tuple[str, ...] | None = None
    row_filter: str | None = None
    identity: tuple[str, ...] = ()
    from_now_on: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What a lane wants published. `exact`: whether a publication of anything else is wrong; else more of it does no harm."""

    tables: tuple[PublishedTable, ...]
    exact: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """The tables, each schema.table."""
        return tuple(table.name for table in self.tables)

    @property
    def copied(self) -> tuple[str, ...]:
        """The tables of which the rows that there are before are wanted, too: by a snapshot."""
        return tuple(table.name for table in self.tables if not table.from_now_on)

    def only(self, names: Collection[str]) -> Wanted:
        """Return the same of these tables only."""
        return replace(self, tables=tuple(table for table in self.tables if table.name in names))


def everything(settings: SourceSettings, lane: Lane) -> Wanted:
    """Return the captured tables with all their columns; row filters are of the operational lane."""
    filters = wanted_filters(settings, lane)
    return Wanted(
        tables=tuple(PublishedTable(name=name, row_filter=filters.get(name)) for name in settings.table_names),
        exact=lane is Lane.ANALYTICAL,
    )


def wanted_filters(settings: SourceSettings, lane: Lane) -> dict[str, str]:
    """Return the row filters of a lane's publication: only the operational lane has them."""
    return settings.row_filters if lane is Lane.OPERATIONAL else {}


def there(connection: PlainConnection, wanted: Wanted) -> Wanted:
    """Return what is wanted of those tables that the database has; CausewayError as the driver's errors map."""
    found, _ = find_described(connection, wanted.names)
    return wanted.only({relation.qualified_name for relation in found})


def with_identities(connection: PlainConnection, wanted: Wanted) -> Wanted:
    """Return what a publication must list: the wanted columns that there are, and the replica identity; None where that is all.

    CausewayError as the driver's errors map.
    """
    narrow = [table.name for table in wanted.tables if table.columns is not None]
    if not narrow:
        return wanted
    found, _ = find_described(connection, narrow)
    relations = {relation.qualified_name: relation for relation in found}
    identities = _identities(connection, found)
    return replace(
        wanted,
        tables=tuple(
            replace(table, columns=_column_list(table, relations.get(table.name), identities))
            for table in wanted.tables
        ),
    )


def _column_list(
    table: PublishedTable, relation: Relation | None, identities: dict[int, frozenset[str]]
) -> tuple[str, ...] | None:
    if table.columns is None or relation is None or relation.oid not in identities:
        return None
    needed = identities[relation.oid].union(table.columns)
    listed = tuple(name for name in relation.column_names if name in needed)
    return None if listed == relation.column_names else listed


def _identities(connection: PlainConnection, relations: Collection[Relation]) -> dict[int, frozenset[str]]:
    """Return the columns of the replica identity, by the OID of those tables that may have a column list."""
    try:
        rows = connection.execute(_IDENTITIES, [[relation.oid for relation in relations]]).fetchall()
    except psycopg.Error as error:
        raise translate(error, "reading the captured tables' replica identities") from error
    return {oid: frozenset(columns) for oid, whole, columns in rows if not whole}
