"""Insert, update and delete messages of one relation version, decoded by the column into the rows of `TableChanges`.

Source: PostgreSQL documentation, "Logical Replication Message Formats": I: relation, 'N', new tuple. U: relation, then 'K'
(old key) or 'O' (old row) with a tuple where there is one, then 'N' and the new tuple. D: relation, 'K' or 'O', old tuple.
Plain changes have their only tuple at the same place, so that they are decoded together, whatever their operation; only
updates with an old tuple need a second pass.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cdc.protocol import DELETE, INSERT, UPDATE, XLOG_HEADER_BYTES, protocol_error
from cdc.relation import Relation
from cdc.text_column import TextColumn, all_null, concatenate, differ
from cdc.tuples import decode_tuples
from cdc.wire import Bools, Bytes, Int64s, Wire

_NEW, _KEY, _OLD = ord("N"), ord("K"), ord("O")
_LOWER = 0x20  # from 'I', 'U', 'D' of the wire to 'i', 'u', 'd' of a batch
_INSERTED, _DELETED, _TRUNCATED = ord("i"), ord("d"), ord("t")


@dataclass(slots=True)
class RowChanges:
    """Decoded rows of one relation version, in the log's order.

    `message`: (n,) number of the row's message in the wire; ascending. `operation`: (n,) bytes of `_op`.
    `moved`: (n,) or None, as in `TableChanges`.
    """

    relation: Relation
    message: Int64s
    operation: Bytes
    columns: list[TextColumn]
    moved: Bools | None = None

    def take(self, rows: NDArray[np.intp]) -> RowChanges:
        """Return these rows, in this order."""
        return RowChanges(
            self.relation,
            self.message[rows],
            self.operation[rows],
            [column.take(rows) for column in self.columns],
            None if self.moved is None else self.moved[rows],
        )


@dataclass(slots=True)
class _OldRows:
    """Old tuples of those updates that carry one. `rows`: which rows of the changes; `whole`: 'O', else 'K'."""

    rows: NDArray[np.intp]
    columns: list[TextColumn]
    whole: Bools


def decode_rows(wire: Wire, relation: Relation, messages: Int64s) -> RowChanges:
    """Decode these insert, update and delete messages, given by their ascending numbers in the wire."""
    body = wire.begins[messages] + XLOG_HEADER_BYTES
    ends = wire.ends[messages]
    if (body + 8 > ends).any():
        raise protocol_error(f"a change of {relation.qualified_name} ends early")
    types, marker = wire.u8[body], wire.u8[body + 5]
    _check_markers(types, marker, relation)
    at = body + 6
    old = _decode_old(wire, relation, at, ends, np.flatnonzero((types == UPDATE) & (marker != _NEW)), marker)
    columns, behind = decode_tuples(wire, at, ends, len(relation.columns))
    if (behind != ends).any():
        raise protocol_error(f"a change of {relation.qualified_name} has trailing bytes")
    changes = RowChanges(relation, messages, types | np.uint8(_LOWER), columns)
    return changes if old is None else _with_old(wire, changes, old)


def with_truncates(changes: RowChanges | None, relation: Relation, messages: list[int]) -> RowChanges:
    """Put rows of TRUNCATE, all null, where the log has them."""
    count = len(messages)
    truncates = RowChanges(
        relation,
        np.array(messages, dtype=np.int64),
        np.full(count, _TRUNCATED, dtype=np.uint8),
        [all_null(count) for _ in relation.columns],
    )
    return truncates if changes is None else _merged(changes, truncates)


def _check_markers(types: Bytes, marker: Bytes, relation: Relation) -> None:
    """Which tuple may come first in which message."""
    new, old = marker == _NEW, (marker == _KEY) | (marker == _OLD)
    fits = np.where(types == INSERT, new, np.where(types == DELETE, old, new | old))
    if not fits.all():
        raise protocol_error(f"a change of {relation.qualified_name} has an unknown kind of tuple")


def _decode_old(
    wire: Wire, relation: Relation, at: Int64s, ends: Int64s, rows: NDArray[np.intp], marker: Bytes
) -> _OldRows | None:
    """Decode the old tuples and move `at` of their rows on to the new ones."""
    if not len(rows):
        return None
    columns, behind = decode_tuples(wire, at[rows], ends[rows], len(relation.columns))
    if (behind >= ends[rows]).any() or (wire.u8[behind] != _NEW).any():
        raise protocol_error(f"an update of {relation.qualified_name} has no new tuple behind its old one")
    at[rows] = behind + 1
    return _OldRows(rows, columns, marker[rows] == _OLD)


def _with_old(wire: Wire, changes: RowChanges, old: _OldRows) -> RowChanges:
    """Fill from the old row what was not sent again, and split updates that changed the key into delete and insert."""
    relation = changes.relation
    keys = set(relation.key_columns)
    for position, column in enumerate(relation.columns):
        known = np.ones(len(old.rows), dtype=np.bool_) if column.is_key else old.whole
        _fill_unchanged(changes.columns[position], old.columns[position], old.rows, known)
    moved = np.zeros(len(old.rows), dtype=np.bool_)
    for position, column in enumerate(relation.columns):
        if column.name in keys:
            moved |= differ(wire, changes.columns[position].take(old.rows), old.columns[position])
    return _split_moved(changes, old, moved) if moved.any() else changes


def _fill_unchanged(new: TextColumn, old: TextColumn, rows: NDArray[np.intp], known: Bools) -> None:
    """Take values that the new tuple leaves out from the old one, where the old one has them."""
    if new.unchanged is None:
        return
    fill = new.unchanged[rows] & known
    to = rows[fill]
    new.views[to] = old.views[fill]
    if new.valid is not None:
        new.valid[to] = True if old.valid is None else old.valid[fill]
    new.unchanged[to] = False
    if not new.unchanged.any():
        new.unchanged = None


def _split_moved(changes: RowChanges, old: _OldRows, moved: Bools) -> RowChanges:
    """Turn each moved update into the delete of its old key and, right behind it, the insert of its new row."""
    rows = old.rows[moved]
    inserts = np.zeros(len(changes.message), dtype=np.bool_)
    inserts[rows] = True
    changes.operation[rows] = _INSERTED
    chosen = np.flatnonzero(moved)
    deletes = RowChanges(
        changes.relation,
        changes.message[rows],
        np.full(len(rows), _DELETED, dtype=np.uint8),
        [_without_unchanged(column.take(chosen)) for column in old.columns],
        np.zeros(len(rows), dtype=np.bool_),
    )
    return _merged(deletes, replace(changes, moved=inserts))


def _without_unchanged(column: TextColumn) -> TextColumn:
    """Of an old row nothing counts as unchanged: what it does not say is null."""
    return TextColumn(column.views, column.valid)


def _merged(first: RowChanges, second: RowChanges) -> RowChanges:
    """Merge two into the log's order; of one message, the rows of `first` come first."""
    moved = None
    if first.moved is not None or second.moved is not None:
        moved = np.concatenate([_moved(first), _moved(second)])
    both = RowChanges(
        first.relation,
        np.concatenate([first.message, second.message]),
        np.concatenate([first.operation, second.operation]),
        [concatenate([a, b]) for a, b in zip(first.columns, second.columns, strict=True)],
        moved,
    )
    return both.take(np.argsort(both.message, kind="stable"))


def _moved(changes: RowChanges) -> Bools:
    return np.zeros(len(changes.message), dtype=np.bool_) if changes.moved is None else changes.moved
