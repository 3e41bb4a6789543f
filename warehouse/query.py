"""One statement that reads, asked of the warehouse; anything that would write is refused before it runs.

Contract: DuckDB's own parser says what kind of statement a text is, and the transaction is a read-only one besides. Whoever asks
is a user of this machine: what a SELECT can read with DuckDB's functions (other files, say) is not limited here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from config.errors import CausewayError, ErrorKind
from warehouse.store import Warehouse

# What Arrow or Python has no value for: a bit string, months in an interval, an offset with a time of day, 24:00:00.
_AS_TEXT = re.compile(r"\b(BIT|INTERVAL|(?<!TIMESTAMP WITH )TIME)\b")
_READS = frozenset({duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN})


@dataclass(frozen=True, kw_only=True)
class QueryResult:
    """Names of the columns, and the rows as Python values."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


def run_query(warehouse: Warehouse, text: str) -> QueryResult:
    """Return the result of one SELECT or EXPLAIN; CausewayError REFUSED for anything else, and for what DuckDB refuses."""
    cursor = warehouse.cursor()
    try:
        _check(cursor, text)
        cursor.execute("BEGIN TRANSACTION READ ONLY")
        # Through Arrow: DuckDB makes Python objects of instants only where pytz is installed.
        result = cursor.execute(text)
        texts = [bool(_AS_TEXT.search(str(kind))) for _, kind, *_ in result.description or ()]
        table = result.to_arrow_table()
        if any(texts):
            cursor.execute("SET SESSION arrow_lossless_conversion = true")
            whole = cursor.execute(text).to_arrow_table()
            values = [
                _texts(cursor, whole.column(number)) if as_text else _values(cursor, table.column(number))
                for number, as_text in enumerate(texts)
            ]
        else:
            values = [_values(cursor, column) for column in table.columns]
        return QueryResult(columns=tuple(table.column_names), rows=list(zip(*values, strict=True)))
    except duckdb.Error as error:
        raise CausewayError(
            ErrorKind.REFUSED, f"DuckDB refuses the statement: {_words(error)}", hint="Nothing was changed."
        ) from error
    finally:
        cursor.close()


def _values(cursor: duckdb.DuckDBPyConnection, column: pa.ChunkedArray[Any]) -> list[Any]:
    """Return a column as Python values; as DuckDB's text where Python has no such date (infinity, the year 12000, BC)."""
    try:
        return column.to_pylist()
    except (OverflowError, ValueError):
        return _texts(cursor, column)


def _texts(cursor: duckdb.DuckDBPyConnection, column: pa.ChunkedArray[Any]) -> list[Any]:
    cursor.register("_column", pa.table({"v": column}))
    texts = cursor.execute("SELECT CAST(v AS VARCHAR) AS v FROM _column").to_arrow_table()
    cursor.unregister("_column")
    return texts["v"].to_pylist()


def _check(cursor: duckdb.DuckDBPyConnection, text: str) -> None:
    statements = cursor.extract_statements(text)
    if len(statements) != 1:
        raise CausewayError(ErrorKind.REFUSED, f"One statement is run at a time, not {len(statements)}.")
    if statements[0].type not in _READS:
        kind = statements[0].type.name
        raise CausewayError(
            ErrorKind.REFUSED,
            f"Only statements that read are run this way, not {kind}.",
            hint="The mirrors change through capture alone.",
        )


def _words(error: duckdb.Error) -> str:
    """DuckDB's message, with the line that shows the place, which is the asker's own text."""
    return " ".join(str(error).split())
