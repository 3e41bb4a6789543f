"""Decoded rows of several relation versions, numbered in one order and dressed as the `TableChanges` of a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cdc.batch import META_COLUMNS, TableChanges
from cdc.row_changes import RowChanges
from cdc.text_column import ArrowArray, arrow_buffer
from cdc.transactions import Transactions
from cdc.wire import Bytes, Int64s, Wire


def number_rows(wire: Wire, parts: Sequence[RowChanges], transactions: Transactions) -> tuple[TableChanges, ...]:
    """Give every row its place in the batch and its transaction's facts."""
    sequences = _sequences([part.message for part in parts])
    return tuple(_changes(wire, part, seq, transactions) for part, seq in zip(parts, sequences, strict=True))


def meta_arrays(operation: Bytes, seq: Int64s, lsn: Int64s, xid: Int64s, committed_us: Int64s) -> list[ArrowArray]:
    """Build the arrays of META_COLUMNS, all (n,)."""
    rows = len(operation)
    offsets = np.arange(rows + 1, dtype=np.int32)
    return [
        pa.Array.from_buffers(pa.string(), rows, [None, arrow_buffer(offsets), arrow_buffer(operation)]),
        pa.array(seq),
        pa.array(lsn.astype(np.uint64)),
        pa.array(xid.astype(np.uint32)),
        pa.array(committed_us).cast(META_COLUMNS[4][1]),
    ]


def rows_table(names: Sequence[str], columns: Sequence[ArrowArray], meta: list[ArrowArray]) -> pa.Table:
    """Build the Arrow table of a part: META_COLUMNS, then the row's columns."""
    return pa.Table.from_arrays([*meta, *columns], names=[name for name, _ in META_COLUMNS] + list(names))


def misfit_texts(rows: int, texts: Mapping[int, str]) -> ArrowArray:
    """Build the array of `TableChanges.misfits` from the texts of these rows."""
    return pa.array([texts.get(row) for row in range(rows)], pa.string())


def _changes(wire: Wire, part: RowChanges, seq: Int64s, transactions: Transactions) -> TableChanges:
    of = transactions.of(part.message)
    meta = meta_arrays(part.operation, seq, transactions.lsns[of], transactions.xids[of], transactions.committed_us[of])
    names = part.relation.column_names
    unchanged: dict[str, NDArray[np.bool_]] = {
        name: column.unchanged
        for name, column in zip(names, part.columns, strict=True)
        if column.unchanged is not None and column.unchanged.any()
    }
    rows = rows_table(names, [column.to_arrow(wire) for column in part.columns], meta)
    return TableChanges(relation=part.relation, rows=rows, unchanged=unchanged, moved=part.moved)


def _sequences(messages: list[Int64s]) -> list[Int64s]:
    """Number the rows of all parts in the order of their messages; within a part they are in order already."""
    if len(messages) == 1:
        return [np.arange(len(messages[0]), dtype=np.int64)]
    if not messages:
        return []
    order = np.argsort(np.concatenate(messages), kind="stable")
    sequence = np.empty(len(order), dtype=np.int64)
    sequence[order] = np.arange(len(order), dtype=np.int64)
    return np.split(sequence, np.cumsum([len(part) for part in messages])[:-1])
