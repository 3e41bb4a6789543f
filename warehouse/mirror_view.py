"""A source's mirrors as one transaction sees them, for whoever compares many of them: what the catalogs say of all is read once.

Contract: the cursor's transaction goes on for as long as this is used. Asked anew for each of hundreds of tables, the catalogs cost
more than the rows: DuckDB makes the list of all columns for each question about one table's.
"""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property

import duckdb

from cdc.relation import Relation
from warehouse import value_exceptions
from warehouse.names import MirrorTable
from warehouse.tables import TableRecord, read_records

_COLUMNS = """
    SELECT schema_name, table_name, lower(column_name) FROM duckdb_columns() WHERE database_name = current_database()
"""
_ROWS = "SELECT schema_name, table_name, estimated_size FROM duckdb_tables() WHERE database_name = current_database()"


class MirrorView:
    """What a cursor's transaction sees of a source's mirrors."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, source: str) -> None:
        self.cursor = cursor
        self.source = source

    def table(self, relation: Relation) -> MirrorTable:
        """Return a version of a captured table with its mirror."""
        return MirrorTable(self.source, relation)

    @cached_property
    def records(self) -> dict[int, TableRecord]:
        """The captured tables, by the OID that their mirrors follow."""
        return read_records(self.cursor, self.source)

    def columns(self, table: MirrorTable) -> frozenset[str]:
        """Return the lower-cased names of the columns that a mirror has, dropped ones too; none where there is no mirror."""
        return self._columns.get((table.schema, table.table), frozenset())

    def about_rows(self, table: MirrorTable) -> int:
        """Return about how many rows a mirror has."""
        return self._rows.get((table.schema, table.table), 0)

    def columns_kept(self, table: MirrorTable) -> frozenset[str]:
        """Return the columns of which meta.value_exceptions keeps texts."""
        return self._kept.get((table.schema, table.table), frozenset())

    @cached_property
    def _columns(self) -> dict[tuple[str, str], frozenset[str]]:
        return _by_table(self.cursor.execute(_COLUMNS).fetchall())

    @cached_property
    def _rows(self) -> dict[tuple[str, str], int]:
        return {(schema, table): int(rows) for schema, table, rows in self.cursor.execute(_ROWS).fetchall()}

    @cached_property
    def _kept(self) -> dict[tuple[str, str], frozenset[str]]:
        return _by_table(value_exceptions.columns_kept(self.cursor, self.source))


def _by_table(rows: list[tuple[str, str, str]]) -> dict[tuple[str, str], frozenset[str]]:
    names = defaultdict(set)
    for schema, table, column in rows:
        names[schema, table].add(column)
    return {table: frozenset(columns) for table, columns in names.items()}
