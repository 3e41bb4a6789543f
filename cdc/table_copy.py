"""One table read in chunks while the stream goes on: for a table that came later, or is to be copied anew.

No snapshot is held over the chunks: each is a short transaction of its own, in the order of the key, from the last key on; of a
snapshot that was interrupted in the middle of a table, the pages that it had not read. Contract:
the lane reads a chunk while it applies nothing of this source, so that the chunk is no older than what is applied. It may be newer;
until the log reaches the watermark behind the chunk, what the log says may be in the chunk already (`cdc.batch.CopyProgress`).

A watermark is a message in the source's log (pg_logical_emit_message), committed, so that the log is flushed behind it; a standby
can't write one, there it is the end of what was replayed. Keys are ordered and compared by the source alone: a collation is its
own affair. A key goes to the server as a setting of the transaction (set_config), never as a part of the statement.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import LiteralString

import psycopg
from psycopg import sql

from cdc.batch import PageRange, TableChanges, Unread
from cdc.catalog import check_identities, describe
from cdc.connection import PlainConnection
from cdc.driver_errors import translate
from cdc.lsn import Lsn
from cdc.relation import Relation, ReplicaIdentity
from cdc.snapshot import CopiedColumns, CopyFrame, copied_columns, decode_copied, output_functions, partitioned
from cdc.snapshot_parts import Heap, files_of, heaps_of, part_of
from config.errors import CausewayError, ErrorKind
from config.failpoints import failpoint

# The key's columns in the order of their index: another order would have the server sort the table for every chunk.
_KEY_ORDER = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod)
FROM pg_index i CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, n)
JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
WHERE i.indrelid = %s AND k.n <= i.indnkeyatts AND CASE WHEN %s THEN i.indisreplident ELSE i.indisprimary END
ORDER BY k.n
"""
_ESTIMATE = """
SELECT coalesce(sum(greatest(c.reltuples, 0)), 0)::int8
FROM (SELECT %s::oid AS relid UNION SELECT relid FROM pg_partition_tree(%s)) AS part JOIN pg_class c ON c.oid = part.relid
WHERE c.relkind = 'r'
"""
# A transaction that holds the newest id counts as open without being in any snapshot: only an id of our own is surely behind it. A
# standby, which gives none, shows a commit to queries before it sends it.
_NEXT = """
SELECT CASE WHEN pg_is_in_recovery() THEN pg_snapshot_xmax(pg_current_snapshot()) ELSE pg_current_xact_id() END::text::int8
"""
_OLDEST = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::int8"
_WATERMARK = """
SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
    ELSE pg_logical_emit_message(true, 'causeway', %s) END::text
"""


_FIRST_PAGES = 64
_MOST_PAGES = 1024  # 8 MB: behind dead rows there may be a page full of them


@dataclass(frozen=True, kw_only=True, slots=True)
class CopiedChunk:
    """Rows of one chunk, all of one moment.

    `relation`: the table as it was then. `running`: transactions (32-bit ids) that the chunk does not see because they had not
    ended. `ends_at`: the watermark behind the chunk. `last_key` as in CopyProgress; None in a chunk without rows. `unread`: what is
    left behind a chunk of pages. `moved`: the rows may be elsewhere than the snapshot saw them, nothing was read.
    """

    relation: Relation
    changes: TableChanges | None
    rows: int
    last_key: tuple[str, ...] | None
    running: frozenset[int]
    ends_at: Lsn
    unread: Unread | None = None
    moved: bool = False


class TableReader:
    """Reads chunks of one source's tables over an ordinary connection; used by one thread at a time.

    `publication`: whose columns are read; None for all. `typed`: rows come as typed values where that is exact, but for their keys.
    """

    def __init__(
        self, connection: PlainConnection, source: str, lane: str, publication: str | None = None, *, typed: bool
    ) -> None:
        self._connection = connection
        self._source = source
        self._lane = lane
        self._publication = publication
        self._typed = typed
        self._pages = _FIRST_PAGES  # read at once; so many that they have about as many rows as are wanted

    def begin(self, table: str) -> tuple[Relation, Lsn, int]:
        """Return the table as it is, the watermark that its copy begins at, and the server's estimate of its rows.

        CausewayError SCHEMA where there is no such table, or it has no key.
        """
        with _Reading(table):
            relation = self._described(table)
            rows = self._connection.execute(_ESTIMATE, [relation.oid, relation.oid]).fetchone()
            began_at = self._watermark(table, "begin")
        return relation, began_at, int(rows[0]) if rows else 0

    def read(self, table: str, after: tuple[str, ...] | None, *, rows: int, row_filter: str | None) -> CopiedChunk:
        """Read up to `rows` rows behind the key `after`; errors as `begin`, and TRANSIENT where the table is locked."""
        with _Reading(table):
            chunk = self._read(table, after, rows, row_filter)
        failpoint("copy.chunk_read")
        return chunk

    def read_pages(self, table: str, unread: Unread, *, rows: int, row_filter: str | None) -> CopiedChunk:
        """Read about `rows` rows of what an interrupted snapshot has not read; errors as `read`."""
        with _Reading(table):
            chunk = self._read_pages(table, unread, rows, row_filter)
        failpoint("copy.chunk_read")
        return chunk

    def next_transaction(self) -> int:
        """Return a transaction id (64 bits) behind those of all transactions that are open or have ended."""
        return self._transaction(_NEXT)

    def oldest_transaction(self) -> int:
        """Return the id (64 bits) before which all transactions have ended, for every query from now on."""
        return self._transaction(_OLDEST)

    def cancel(self) -> None:
        """Break off, from another thread, what the server is doing for this reader."""
        self._connection.cancel_safe(timeout=1)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _transaction(self, query: LiteralString) -> int:
        with _Reading("tables"):
            ((xid,),) = self._connection.execute(query).fetchall()
        return int(xid)

    def _read(self, table: str, after: tuple[str, ...] | None, rows: int, row_filter: str | None) -> CopiedChunk:
        connection = self._connection
        with self._one_moment(table) as relation:
            running = _running(connection)
            key = self._key(relation)
            outputs = output_functions(connection, [relation])
            # The last key goes back to the server as text.
            columns = copied_columns(relation, outputs, typed=self._typed, texts=[name for name, _ in key])
            statement = self._statement(relation, columns, key, after, rows, row_filter)
            for number, text in enumerate(after or ()):
                connection.execute("SELECT set_config(%s, %s, true)", [f"causeway.after_{number}", text])
            messages = _copied(connection, statement)
        chunk = self._chunk(relation, columns, messages, running)
        if chunk.changes is None:
            return chunk
        last = chunk.changes.rows.slice(chunk.rows - 1)
        return replace(chunk, last_key=tuple(str(last[name][0].as_py()) for name, _ in key))

    def _read_pages(self, table: str, unread: Unread, rows: int, row_filter: str | None) -> CopiedChunk:
        connection = self._connection
        with self._one_moment(table) as relation:
            running = _running(connection)
            heaps = heaps_of(connection, relation)
            columns = copied_columns(relation, output_functions(connection, [relation]), typed=self._typed)
            moved = files_of(heaps) != unread.files or not all(heap.divisible for heap in heaps)
            messages, left = [], unread
            if unread.ranges and not moved:
                heap = next(heap for heap in heaps if heap.oid == unread.ranges[0].heap)
                pages, left = self._first_pages(unread, heap)
                messages = _copied(connection, part_of(relation, columns, heap, pages, row_filter).statement)
                self._pages = max(1, min(_MOST_PAGES, self._pages * rows // max(len(messages), 1), self._pages * 4))
        return replace(self._chunk(relation, columns, messages, running), unread=left, moved=moved)

    def _first_pages(self, unread: Unread, heap: Heap) -> tuple[PageRange, Unread]:
        """Return the pages to read next, and what is left behind them. A range without an end is read to where the heap ends now."""
        pages, *others = unread.ranges
        end = heap.pages if pages.end is None else pages.end
        if pages.first + self._pages >= end:
            return pages, replace(unread, ranges=tuple(others))
        some = replace(pages, end=pages.first + self._pages)
        return some, replace(unread, ranges=(replace(pages, first=pages.first + self._pages), *others))

    @contextmanager
    def _one_moment(self, table: str) -> Iterator[Relation]:
        """A transaction that sees the table at one moment; yields it as it is then."""
        connection = self._connection
        with connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            # The lock comes before the snapshot: what was described can't change before it is read.
            connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(_identifier(table)))
            yield self._described(table)

    def _chunk(
        self, relation: Relation, columns: CopiedColumns, messages: list[bytes], running: frozenset[int]
    ) -> CopiedChunk:
        """Write the watermark behind a chunk, and decode it."""
        ends_at = self._watermark(relation.qualified_name, "chunk")
        changes = None
        if messages:
            now_us = time.time_ns() // 1000
            changes = decode_copied(relation, columns.reads, messages, ends_at, now_us)
        return CopiedChunk(
            relation=relation, changes=changes, rows=len(messages), last_key=None, running=running, ends_at=ends_at
        )

    def _described(self, table: str) -> Relation:
        (relation,) = describe(self._connection, [table], self._publication)
        check_identities([relation])
        return relation

    def _key(self, relation: Relation) -> Sequence[tuple[str, str]]:
        """Return the key's columns with their types, in their index's order."""
        by_index = relation.replica_identity is ReplicaIdentity.INDEX
        key = self._connection.execute(_KEY_ORDER, [relation.oid, by_index]).fetchall()
        if not key:
            raise CausewayError(
                ErrorKind.SCHEMA,
                f"{relation.qualified_name} has no primary key to be copied by.",
                hint="Add one, or set REPLICA IDENTITY USING INDEX.",
                table=relation.qualified_name,
            )
        return [(name, type_name) for name, type_name in key]

    def _statement(
        self,
        relation: Relation,
        columns: CopiedColumns,
        key: Sequence[tuple[str, str]],
        after: tuple[str, ...] | None,
        rows: int,
        row_filter: str | None,
    ) -> sql.Composed:
        # Qualified: an unqualified name in ORDER BY would be the result's column, which is text.
        names = sql.SQL(", ").join(sql.Identifier("copied", name) for name, _ in key)
        conditions: list[sql.Composable] = []
        if after is not None:
            values = sql.SQL(", ").join(
                # format_type's text is SQL already.
                sql.SQL("current_setting({})::{}").format(sql.Literal(f"causeway.after_{number}"), sql.SQL(type_name))
                for number, (_, type_name) in enumerate(key)
            )
            conditions.append(sql.SQL("ROW ({}) > ROW ({})").format(names, values))
        if row_filter:
            # The filter is SQL of the settings, reviewed with them, as a mapping is.
            conditions.append(sql.SQL(f"({row_filter})"))
        where = sql.SQL(" WHERE {}").format(sql.SQL(" AND ").join(conditions)) if conditions else sql.SQL("")
        only = sql.SQL("" if relation.oid in partitioned(self._connection, [relation]) else "ONLY ")
        return sql.SQL("COPY (SELECT {} FROM {}{} AS copied{} ORDER BY {} LIMIT {}) TO STDOUT (FORMAT binary)").format(
            columns.listed,
            only,
            sql.Identifier(relation.schema, relation.table),
            where,
            names,
            sql.Literal(rows),
        )

    def _watermark(self, table: str, what: str) -> Lsn:
        content = json.dumps({"lane": self._lane, "source": self._source, "table": table, "mark": what})
        row = self._connection.execute(_WATERMARK, [content]).fetchone()
        failpoint("copy.watermark_written")
        assert row is not None
        return Lsn.parse(row[0])


class _Reading:
    """psycopg's exceptions in this block become the bridge's."""

    def __init__(self, table: str) -> None:
        self._table = table

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, psycopg.Error):
            raise translate(error, f"copying {self._table}", table=self._table) from error


def _identifier(table: str) -> sql.Identifier:
    schema, _, name = table.partition(".")
    return sql.Identifier(schema, name)


def _running(connection: PlainConnection) -> frozenset[int]:
    """Return the transactions that this one's snapshot takes for running, as the stream numbers them."""
    rows = connection.execute("SELECT pg_snapshot_xip(pg_current_snapshot())::text").fetchall()
    return frozenset(int(xid) & 0xFFFF_FFFF for (xid,) in rows)


def _copied(connection: PlainConnection, statement: sql.Composed) -> list[bytes]:
    frame, messages = CopyFrame(), []
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        messages = [bytes(data) for data in copy]
    frame.strip(messages)
    frame.end()
    return messages
