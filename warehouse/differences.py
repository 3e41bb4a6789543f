"""The rows of one table in which a source and its mirror differ, found in DuckDB: it may be any number of rows.

Contract: the caller adds what `cdc.checksum` yields of the source's rows (hash of the key, number, key columns as text), for some
buckets of keys or for some keys; `compare` joins them with the mirror's rows of the same buckets or keys. Everything lies in
temporary tables of the cursor, which DuckDB moves to disk when memory is short. One table at a time on one cursor.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Self

import pyarrow as pa

from transforms.columns import cast_sql, literal_sql
from warehouse.checksum import BUCKET, KEY, NUMBER, hashed_rows, translated
from warehouse.mirror_view import MirrorView
from warehouse.names import MirrorTable, quoted

_THEIRS, _OURS, _FOUND, _WANTED, _BUCKETS = (
    f"temp._{name}" for name in ("theirs", "ours", "found", "wanted", "buckets")
)


class Kind(StrEnum):
    """How a row differs."""

    MISSING = "missing in the mirror"
    EXTRA = "only in the mirror"
    CHANGED = "different"
    REPEATED = "several times in the mirror"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One row that differs: `key` as text in the table's order, `key_hash` as `cdc.checksum` has it."""

    kind: Kind
    key: tuple[str | None, ...]
    key_hash: str


class Differences:
    """What differs in one table; a context manager, because its temporary tables are large."""

    def __init__(self, view: MirrorView, table: MirrorTable) -> None:
        self.table = table
        self._view = view
        self._cursor = view.cursor
        self._texts = [f"w{number}" for number in range(len(table.keys))]
        self._typed = [f"k{number}" for number in range(len(table.keys))]
        texts = ", ".join(f"{name} VARCHAR" for name in self._texts)
        with translated(table):
            self._drop()
            self._cursor.execute(f"CREATE TEMP TABLE {_THEIRS} (key VARCHAR, number BIGINT, {texts})")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._drop()

    def add(self, rows: pa.Table, key: str, number: str) -> None:
        """Take in rows of the source: the columns named `key` and `number`, and the key columns by their own names."""
        names = ", ".join(quoted(column.name) for column in self.table.keys)
        with translated(self.table):
            with self._chunk(rows):
                self._cursor.execute(
                    f"INSERT INTO {_THEIRS} SELECT {quoted(key)}, {quoted(number)}, {names} FROM _chunk"
                )

    def compare_buckets(self, digits: int, buckets: Sequence[str]) -> dict[Kind, int]:
        """Compare what was added with the mirror's rows of these buckets; return how many rows differ in which way."""
        with translated(self.table):
            wanted = pa.table({"bucket": pa.array(buckets, type=pa.string())})
            with self._chunk(wanted):
                self._cursor.execute(f"CREATE OR REPLACE TEMP TABLE {_BUCKETS} AS SELECT * FROM _chunk")
            mine = hashed_rows(self._view, self.table, digits)
            return self._compare(f"SELECT * FROM ({mine}) WHERE {BUCKET} IN (SELECT bucket FROM {_BUCKETS})")

    def compare_keys(self, keys: pa.Table) -> dict[Kind, int]:
        """Compare what was added with the mirror's rows of these keys (key columns by name, as text); as `compare_buckets`."""
        with translated(self.table):
            return self._compare(self._rows_of(keys))

    def listed(self, first: int, count: int) -> list[Difference]:
        """Return differing rows in the order of their keys, from number `first` (0) on."""
        names = ", ".join(self._texts)
        query = f"SELECT kind, key, {names} FROM {_FOUND} WHERE n > ? AND n <= ? ORDER BY n"
        with translated(self.table):
            rows = self._cursor.execute(query, [first, first + count]).fetchall()
        return [Difference(kind=Kind(row[0]), key_hash=row[1], key=tuple(row[2:])) for row in rows]

    def mirror_texts(self, keys: pa.Table) -> dict[str, tuple[str | None, ...]]:
        """Return the canonical texts of the mirror's rows with these keys, by the keys' hashes; one of repeated rows."""
        names = ", ".join(f"x{number}" for number in range(len(self.table.relation.columns)))
        with translated(self.table):
            rows = self._cursor.execute(f"SELECT {KEY}, {names} FROM ({self._rows_of(keys)})").fetchall()
        return {row[0]: tuple(row[1:]) for row in rows}

    def _rows_of(self, keys: pa.Table) -> str:
        typed = ", ".join(
            f"{cast_sql(column, quoted(column.name))} AS {name}"
            for column, name in zip(self.table.keys, self._typed, strict=True)
        )
        with self._chunk(keys):
            self._cursor.execute(f"CREATE OR REPLACE TEMP TABLE {_WANTED} AS SELECT {typed} FROM _chunk")
        return hashed_rows(self._view, self.table, 0, _WANTED)

    def _compare(self, mine: str) -> dict[Kind, int]:
        firsts = ", ".join(f"first({name}) AS {name}" for name in self._typed)
        self._cursor.execute(f"""
            CREATE OR REPLACE TEMP TABLE {_OURS} AS
            SELECT {KEY} AS key, count(*) AS copies, first({NUMBER}) AS number, {firsts} FROM ({mine}) GROUP BY {KEY}
        """)
        columns = self.table.keys
        typed = ", ".join(
            f"coalesce(o.{k}, {cast_sql(column, f't.{w}')}) AS {k}, coalesce(t.{w}, {literal_sql(column, f'o.{k}')}) AS {w}"
            for column, k, w in zip(columns, self._typed, self._texts, strict=True)
        )
        self._cursor.execute(f"""
            CREATE OR REPLACE TEMP TABLE {_FOUND} AS
            SELECT *, row_number() OVER (ORDER BY {", ".join(self._typed)}) AS n FROM (
                SELECT coalesce(t.key, o.key) AS key, {typed},
                    CASE WHEN o.key IS NULL THEN '{Kind.MISSING}' WHEN t.key IS NULL THEN '{Kind.EXTRA}'
                        WHEN o.copies > 1 THEN '{Kind.REPEATED}' ELSE '{Kind.CHANGED}' END AS kind
                FROM {_THEIRS} AS t FULL JOIN {_OURS} AS o ON t.key = o.key
                WHERE t.key IS NULL OR o.key IS NULL OR o.copies > 1 OR t.number <> o.number)
        """)
        found = self._cursor.execute(f"SELECT kind, count(*) FROM {_FOUND} GROUP BY kind").fetchall()
        return {Kind(kind): int(count) for kind, count in found}

    @contextmanager
    def _chunk(self, rows: pa.Table) -> Iterator[None]:
        self._cursor.register("_chunk", rows)
        try:
            yield
        finally:
            self._cursor.unregister("_chunk")

    def _drop(self) -> None:
        for name in (_THEIRS, _OURS, _FOUND, _WANTED, _BUCKETS):
            self._cursor.execute(f"DROP TABLE IF EXISTS {name}")


def key_table(table: MirrorTable, differences: Sequence[Difference]) -> pa.Table:
    """Return the keys of these rows as a table: the key columns by name, as text."""
    columns = zip(*(one.key for one in differences), strict=True) if differences else ((),) * len(table.keys)
    return pa.table(
        {
            column.name: pa.array(list(texts), type=pa.string())
            for column, texts in zip(table.keys, columns, strict=True)
        }
    )
