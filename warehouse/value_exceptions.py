"""meta.value_exceptions: values that their typed column cannot hold, kept as Postgres's text.

Contract: looked for in the rows that a batch writes, in three steps: a look at how the texts lie in memory, which clears nearly
every batch; of what is left a cheap test in SQL that no harmless value fails; the cast itself only over columns with a suspect.
Runs in the session's transaction.
"""

from __future__ import annotations

from dataclasses import replace

import duckdb

from cdc.batch import TableChanges
from cdc.relation import Column
from transforms.columns import cast_sql, surely_fit, suspect_sql
from warehouse.evolution import Reshape
from warehouse.names import MirrorTable, key_text, literal, quoted

_LSN_TEXT = "printf('%X/%X', f._lsn >> 32, f._lsn & 4294967295)"

_COUNTS = """
    SELECT e."schema", e."table", count(*) FROM meta.value_exceptions AS e
    JOIN meta.tables AS t ON t.source = e.source AND t.mirror_schema = e."schema" AND t.table_name = e."table"
    WHERE e.source = ? AND t.state <> 'dropped' GROUP BY ALL
"""


def record_misfits(connection: duckdb.DuckDBPyConnection, table: MirrorTable, rows: str, changes: TableChanges) -> bool:
    """Keep the texts that do not fit; return whether there were any.

    `rows` is a relation in SQL with columns and rows of the changes, as `toast.with_flags` has them. Misfits are looked for among
    texts; those of typed values have been found, and the N-th such column's stand in `_misfit_N`.
    """
    kept = sum(_record_found(connection, table, name, f"_misfit_{n}", rows) for n, name in enumerate(changes.misfits))
    candidates = [
        column
        for column in table.relation.columns
        if column.name not in table.typed and not surely_fit(column, changes.rows[column.name])
    ]
    if not candidates:
        return kept > 0
    tests = ", ".join(f"bool_or({suspect_sql(column, f'f.{quoted(column.name)}')})" for column in candidates)
    found = connection.execute(f"SELECT {tests} FROM {rows} AS f").fetchone() or ()
    suspects = [column for column, suspect in zip(candidates, found, strict=True) if suspect]
    return kept + sum(_record(connection, table, column, rows) for column in suspects) > 0


def forget_rows(connection: duckdb.DuckDBPyConnection, table: MirrorTable, keys: str) -> None:
    """Remove what was kept of the rows whose typed keys stand in the relation `keys`."""
    connection.execute(f"""
        DELETE FROM meta.value_exceptions WHERE {_of(table)}
        AND key IN (SELECT {table.key_text("k")} FROM {keys} AS k)
    """)


def forget_table(connection: duckdb.DuckDBPyConnection, table: MirrorTable) -> None:
    """Remove all that was kept of a table."""
    connection.execute(f"DELETE FROM meta.value_exceptions WHERE {_of(table)}")


def rename_table(connection: duckdb.DuckDBPyConnection, before: MirrorTable, now: MirrorTable) -> None:
    """Take over what was kept of a mirror to the name that it has now."""
    connection.execute(f'UPDATE meta.value_exceptions SET "table" = {literal(now.table)} WHERE {_of(before)}')


def counts(connection: duckdb.DuckDBPyConnection, source: str) -> dict[tuple[str, str], int]:
    """Return how many values are kept of each mirror of a source, by its schema and name; none of the others, nor of histories."""
    rows = connection.execute(_COUNTS, [source]).fetchall()
    return {(schema, table): int(count) for schema, table, count in rows}


def follow(connection: duckdb.DuckDBPyConnection, before: MirrorTable, table: MirrorTable, step: Reshape) -> None:
    """Keep the texts under the names and keys that their rows have behind a step, the mirror being in its new shape."""
    if step.renamed:
        cases = " ".join(f"WHEN {literal(old)} THEN {literal(new)}" for old, new in step.renamed.items())
        names = f'CASE "column" {cases} ELSE "column" END'
        connection.execute(f'UPDATE meta.value_exceptions SET "column" = {names} WHERE {_of(before)}')
    if step.rekeyed:
        renamed = [replace(key, name=step.new_name(key.name)) for key in before.keys]
        connection.execute(f"""
            UPDATE meta.value_exceptions SET key = m.new_key
            FROM (SELECT {key_text("t", renamed)} AS old_key, {table.key_text("t")} AS new_key FROM {table.name} AS t) AS m
            WHERE {_of(before)} AND key = m.old_key
        """)


def columns_kept(connection: duckdb.DuckDBPyConnection, source: str) -> list[tuple[str, str, str]]:
    """Return the columns of a source's mirrors of which something is kept: schema, table and column."""
    query = 'SELECT DISTINCT "schema", "table", "column" FROM meta.value_exceptions WHERE source = ?'
    return connection.execute(query, [source]).fetchall()


def texts_of(table: MirrorTable) -> str:
    """SQL for what is kept of each row: its key, and `texts`, a MAP from column to text."""
    return f"""(
        SELECT key, map(list("column"), list(text)) AS texts FROM meta.value_exceptions WHERE {_of(table)} GROUP BY key
    )"""


def _record(connection: duckdb.DuckDBPyConnection, table: MirrorTable, column: Column, rows: str) -> int:
    text = f"f.{quoted(column.name)}"
    misfits = f"{rows} AS f WHERE {text} IS NOT NULL AND {cast_sql(column, text)} IS NULL"
    return _keep(connection, table, column.name, text, misfits)


def _record_found(connection: duckdb.DuckDBPyConnection, table: MirrorTable, name: str, texts: str, rows: str) -> int:
    return _keep(connection, table, name, f"f.{texts}", f"{rows} AS f WHERE f.{texts} IS NOT NULL")


def _keep(connection: duckdb.DuckDBPyConnection, table: MirrorTable, name: str, text: str, misfits: str) -> int:
    """Keep `text` of the rows in `misfits`, SQL of rows under the name f."""
    keys = ", ".join(f"{table.value(key, 'f')} AS {quoted(key.name)}" for key in table.keys)
    inserted = connection.execute(f"""
        INSERT INTO meta.value_exceptions
        SELECT {literal(table.source)}, {literal(table.schema)}, {literal(table.table)},
            {table.key_text("m")}, {literal(name)}, m.lsn, m.text
        FROM (SELECT {keys}, {_LSN_TEXT} AS lsn, {text} AS text FROM {misfits}) AS m
    """).fetchone()
    return int(inserted[0]) if inserted else 0


def _of(table: MirrorTable) -> str:
    return (
        f'source = {literal(table.source)} AND "schema" = {literal(table.schema)} AND "table" = {literal(table.table)}'
    )
