"""What a played day consists of: statements in transactions, each of one database and at one time.

A transaction is plain data, made before anything is played, so that two plays of a seed are the same statement by statement.
`play` sends them. Values travel as JSON or as literals; names of tables and columns are constants of this package.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

import psycopg

from sandbox.databases import SOURCES, Sources

Row = Mapping[str, object]

# One simple query a database and chunk. At 20 the round trips show, above 200 the three databases drift visibly apart.
_CHUNK_TRANSACTIONS = 100


@dataclass(frozen=True, kw_only=True)
class Statement:
    """A query and the values of its placeholders."""

    query: str
    values: tuple[object, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Transaction:
    """Statements that `database` commits together. `starts_order` marks those that pacing counts."""

    at: datetime
    database: str
    statements: tuple[Statement, ...]
    starts_order: bool = False


def insert(table: str, rows: Sequence[Row]) -> Statement:
    """Insert rows, which have the same columns, in one statement; Decimals, UUIDs and times travel as their text."""
    columns = ", ".join(rows[0])
    query = f"INSERT INTO {table} ({columns}) SELECT {columns} FROM json_populate_recordset(NULL::{table}, %s)"
    return Statement(query=query, values=(json.dumps(rows, default=str),))


def execute(query: str, *values: object) -> Statement:
    """Any other statement, with %s for each value."""
    return Statement(query=query, values=values)


def play(transactions: Iterable[Transaction], sources: Sources, *, pace_orders_s: float | None = None) -> int:
    """Commit the transactions one by one, in their order within a database, and return how many they were.

    The three databases run side by side and meet after every 100 transactions, as real systems do that know of each other by
    messages. `pace_orders_s` allows at most so many orders a second.
    """
    started, orders, count = time.monotonic(), 0, 0
    with ThreadPoolExecutor(len(SOURCES)) as pool:
        for chunk in _chunks(transactions):
            # list() lets an error out.
            list(pool.map(lambda name, chunk=chunk: commit(sources.of(name), _of(name, chunk)), SOURCES))
            count += len(chunk)
            orders += sum(transaction.starts_order for transaction in chunk)
            if pace_orders_s is not None:
                time.sleep(max(0.0, started + orders / pace_orders_s - time.monotonic()))
    return count


def commit(connection: psycopg.Connection, transactions: Iterable[Transaction]) -> None:
    """Commit the transactions one by one over the connection to their database, in one round trip."""
    cursor = psycopg.ClientCursor(connection)
    parts: list[str] = []
    for transaction in transactions:
        queries = (cursor.mogrify(each.query, each.values or None) for each in transaction.statements)
        parts += ["BEGIN", *queries, "COMMIT"]
    if parts:
        # mogrify has put the values in, quoted.
        cursor.execute(";\n".join(parts).encode())


def _of(database: str, chunk: Sequence[Transaction]) -> Iterator[Transaction]:
    return (transaction for transaction in chunk if transaction.database == database)


def _chunks(transactions: Iterable[Transaction]) -> Iterator[list[Transaction]]:
    rest = iter(transactions)
    while chunk := list(islice(rest, _CHUNK_TRANSACTIONS)):
        yield chunk
