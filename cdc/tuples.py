"""Row data decoded a column at a time, all rows in step: pgoutput's TupleData, and rows of COPY (FORMAT binary).

Both hold a count of columns (int16) and then each column's value; here every row keeps its own position, and one pass a column
moves all of them on. Sources: PostgreSQL documentation, "Logical Replication Message Formats" (TupleData), and COPY, "Binary
Format". No bytes behind a row's end are taken for its data: CausewayError PROTOCOL.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cdc.binary_values import Read, Values, cells
from cdc.protocol import protocol_error
from cdc.text_column import TextColumn, text_views
from cdc.wire import Int64s, Wire

_TEXT, _NULL, _UNCHANGED = ord("t"), ord("n"), ord("u")
_LENGTH_BYTES = 4


def decode_tuples(wire: Wire, at: Int64s, ends: Int64s, width: int) -> tuple[list[TextColumn], Int64s]:
    """Decode the TupleData that begin at `at` (n,), of `width` columns each; return columns and positions behind them."""
    at = _behind_width(wire, at, ends, width)
    columns = []
    for _ in range(width):
        column, at = _tuple_column(wire, at, ends)
        columns.append(column)
    return columns, at


def decode_copied_rows(wire: Wire, reads: Sequence[Read]) -> list[Values]:
    """Decode all messages of the wire as rows of a binary COPY; `reads`: what reads each column."""
    at, ends = _behind_width(wire, wire.begins, wire.ends, len(reads)), wire.ends
    columns = []
    for read in reads:
        column = cells(wire, at)
        at = at + _LENGTH_BYTES + column.length
        _check(column.length, at, ends)
        columns.append(read(column))
    if (at != ends).any():
        raise protocol_error("a copied row has trailing bytes")
    return columns


def _behind_width(wire: Wire, at: Int64s, ends: Int64s, width: int) -> Int64s:
    if (at + 2 > ends).any() or (wire.int16(at) != width).any():
        raise protocol_error(f"a row does not have the {width} columns of its table")
    return at + 2


def _tuple_column(wire: Wire, at: Int64s, ends: Int64s) -> tuple[TextColumn, Int64s]:
    """Take one column: kind byte, and for text an int32 length and the value.

    A row that ended early is caught without a test of its own: no kind byte is 'w', which begins the next message, or the
    padding's zero.
    """
    kind = wire.u8[at]
    text = kind == _TEXT
    if text.all():
        views, length = text_views(wire, at + 1)
        behind = at + 5 + length
        _check(length, behind, ends)
        return TextColumn(views), behind
    unchanged = kind == _UNCHANGED
    if not (text | unchanged | (kind == _NULL)).all():
        raise protocol_error("a value is neither text, null nor unchanged, or its row ends early")
    views, length = text_views(wire, at + 1, text)
    behind = at + np.where(text, length + 5, 1)
    _check(length, behind, ends)
    return TextColumn(views, text, unchanged if unchanged.any() else None), behind


def _check(length: Int64s, behind: Int64s, ends: Int64s) -> None:
    if (length < 0).any() or (behind > ends).any():
        raise protocol_error("a value is longer than its row")
