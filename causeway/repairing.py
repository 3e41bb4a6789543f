"""From differing rows to the batches that mend them: the rows as a consistent view of the source has them now.

Contract: a repair's pieces are applied to the mirror like a large transaction's, in one DuckDB transaction, which the last,
complete batch commits. The mirror must stand exactly where the view does. Memory: one piece.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from cdc.batch import META_COLUMNS, OP_DELETE, OP_INSERT, OP_UPDATE, BatchKind, ChangeBatch, Position, TableChanges
from cdc.checksum import key_columns, rows_of_keys
from cdc.connection import PlainConnection
from cdc.lsn import Lsn
from cdc.relation import Relation
from cdc.table_changes import meta_arrays
from config.failpoints import failpoint
from warehouse.differences import Difference, Differences, Kind, key_table
from warehouse.mirror import Mirror

PIECE_ROWS = 5_000

HandOver = Callable[[Relation, list[dict[str, str]]], None]


def repair_pieces(
    connection: PlainConnection, differences: Differences, position: Position, lsn: Lsn
) -> Iterator[ChangeBatch]:
    """Yield what mends the differing rows, as of the view at `lsn` that `connection` sees. None of the batches is complete."""
    first = 0
    while listed := differences.listed(first, PIECE_ROWS):
        first += len(listed)
        changes = repaired_rows(connection, differences, listed, lsn)
        yield ChangeBatch(kind=BatchKind.REPAIR, position=position, changes=(changes,), complete=False)


def apply_pieces(mirror: Mirror, pieces: Iterator[ChangeBatch] | Sequence[ChangeBatch]) -> int:
    """Write pieces into the open transaction of their source; return how many rows they mend."""
    rows = 0
    for piece in pieces:
        mirror.apply(piece)
        failpoint("repair.piece_written")
        rows += piece.row_count
    return rows


def handed_over(pieces: Iterable[ChangeBatch], hand_over: HandOver) -> Iterator[ChangeBatch]:
    """Yield the pieces, each after the keys of its rows were handed over: the table, and the keys as text."""
    for piece in pieces:
        for changes in piece.changes:
            keys = changes.rows.select(list(key_columns(changes.relation)))
            hand_over(changes.relation, keys.to_pylist())
        yield piece


def commit(mirror: Mirror, position: Position) -> None:
    """Commit what was written, with `position` where it is another one than the mirror's."""
    mirror.apply(ChangeBatch(kind=BatchKind.REPAIR, position=position))


def repaired_rows(
    connection: PlainConnection, differences: Differences, listed: Sequence[Difference], lsn: Lsn
) -> TableChanges:
    """Return the changes that make these rows what the source has: deletes, updates of what is there, inserts of what is not."""
    table = differences.table
    gone = [one for one in listed if one.kind is Kind.EXTRA]
    there = [one for one in listed if one.kind in (Kind.CHANGED, Kind.REPEATED)]
    missing = [one for one in listed if one.kind is Kind.MISSING]
    parts = [(OP_DELETE, _keys_only(table.relation, key_table(table, gone)))]
    for operation, wanted in ((OP_UPDATE, there), (OP_INSERT, missing)):
        parts.append((operation, rows_of_keys(connection, table.relation, key_table(table, wanted))))
    rows = pa.concat_tables([part for _, part in parts])
    letters = np.concatenate([np.full(part.num_rows, ord(operation), dtype=np.uint8) for operation, part in parts])
    same = np.ones(rows.num_rows, dtype=np.int64)
    meta = meta_arrays(letters, np.arange(rows.num_rows), same * lsn, same * 0, same * (time.time_ns() // 1000))
    names = [name for name, _ in META_COLUMNS] + rows.column_names
    arrays = [*meta, *(column.combine_chunks() for column in rows.columns)]
    return TableChanges(relation=table.relation, rows=pa.Table.from_arrays(arrays, names=names))


def _keys_only(relation: Relation, keys: pa.Table) -> pa.Table:
    nothing = pa.nulls(keys.num_rows, pa.string())
    columns = [keys.column(name) if name in keys.column_names else nothing for name in relation.column_names]
    return pa.Table.from_arrays(columns, names=list(relation.column_names))
