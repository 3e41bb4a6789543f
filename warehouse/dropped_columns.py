"""meta.dropped_columns: columns that stay in a mirror though the source has them no more, and from which LSN on."""

from __future__ import annotations

import duckdb

from cdc.lsn import Lsn
from warehouse.evolution import Reshape
from warehouse.names import MirrorTable

_MARK = "INSERT INTO meta.dropped_columns VALUES (?, ?, ?, ?, ?)"
_READ = 'SELECT "column", dropped_at FROM meta.dropped_columns WHERE source = ? AND "schema" = ? AND "table" = ?'
_FORGET = 'DELETE FROM meta.dropped_columns WHERE source = ? AND "schema" = ? AND "table" = ?'


def note(connection: duckdb.DuckDBPyConnection, table: MirrorTable, step: Reshape, lsn: Lsn) -> None:
    """Note what a step drops, and new names of what earlier ones did."""
    of = [table.source, table.schema, table.relation.table]
    before = connection.execute(_READ, of).fetchall() if step.renamed else []
    if before:
        forget(connection, table)
    marks = [(step.new_name(name), dropped_at) for name, dropped_at in before]
    for name, dropped_at in [*marks, *((name, str(lsn)) for name in step.dropped)]:
        connection.execute(_MARK, [*of, name, dropped_at])


def forget(connection: duckdb.DuckDBPyConnection, table: MirrorTable) -> None:
    """The mirror is made anew, with the columns that there are."""
    connection.execute(_FORGET, [table.source, table.schema, table.relation.table])
