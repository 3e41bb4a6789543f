"""Values that Postgres did not send because they did not change (TOAST): which rows lack them, and which pieces can be merged.

Contract: `warehouse.apply` merges the pieces of `independent_parts` one after the other; `warehouse.completion` finds the values.
A row whose key changed is looked for in the mirror under its old key, so a batch is cut wherever the mirror does not yet show
the old key's row as the moved row needs it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cdc.batch import TableChanges
from warehouse.names import MirrorTable


def part_of(changes: TableChanges, start: int, stop: int) -> TableChanges:
    """Return rows `start` to `stop` of the changes; columns without an unchanged value there are not named."""
    masks = {name: mask[start:stop] for name, mask in changes.unchanged.items()}
    return TableChanges(
        relation=changes.relation,
        rows=changes.rows.slice(start, stop - start),
        unchanged={name: mask for name, mask in masks.items() if mask.any()},
        moved=None if changes.moved is None else changes.moved[start:stop],
        misfits={name: texts.slice(start, stop - start) for name, texts in changes.misfits.items()},
    )


def independent_parts(changes: TableChanges, table: MirrorTable) -> Iterator[TableChanges]:
    """Yield the changes in pieces, of each of which every moved row finds its old row in the mirror as it stands then.

    Nearly always one piece. A cut is needed only where a row that moved without all its values had its old key touched
    earlier in the same piece; the cut is before the delete of the old key.
    """
    moved = _moved_incomplete(changes)
    if not moved.any():
        yield changes
        return
    keys = list(zip(*(changes.rows[key.name].to_pylist() for key in table.keys), strict=True))
    leaves = np.append(moved[1:], False)
    start = 0
    seen: set[tuple[object, ...]] = set()
    for index, key in enumerate(keys):
        if leaves[index] and key in seen:
            yield part_of(changes, start, index)
            start, seen = index, set()
        seen.add(key)
    yield part_of(changes, start, len(keys))


def with_flags(changes: TableChanges) -> pa.Table:
    """Return the rows with `_misfit_N`, the texts of the N-th of `changes.misfits`, and where values lack: `_unchanged_N` for the
    N-th of `changes.unchanged`, and `_from_seq`.

    `_from_seq` is the `_seq` of the delete of a moved row's old key, null on all other rows.
    """
    rows = changes.rows
    for number, texts in enumerate(changes.misfits.values()):
        rows = rows.append_column(f"_misfit_{number}", texts)
    for number, mask in enumerate(changes.unchanged.values()):
        rows = rows.append_column(f"_unchanged_{number}", pa.array(mask))
    if changes.unchanged:
        before = np.concatenate(([-1], rows["_seq"].to_numpy()[:-1]))
        rows = rows.append_column("_from_seq", pa.array(before, pa.int64(), mask=~_moved(changes)))
    return rows


def _moved_incomplete(changes: TableChanges) -> NDArray[np.bool_]:
    """True on the rows that changed their key and did not bring all their values."""
    incomplete = np.zeros(changes.rows.num_rows, dtype=np.bool_)
    for mask in changes.unchanged.values():
        incomplete |= mask
    return incomplete & _moved(changes)


def _moved(changes: TableChanges) -> NDArray[np.bool_]:
    return np.zeros(changes.rows.num_rows, dtype=np.bool_) if changes.moved is None else changes.moved
