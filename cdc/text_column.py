"""A column of text values lying in a `Wire`: the 16-byte views of Arrow's string_view layout, built without copying.

Layout (Arrow columnar format, "Variable-size Binary View Layout"), little-endian: int32 length; up to 12 bytes of data
inline, padded with zeros; longer ones: 4 bytes of prefix, int32 number of the buffer, int32 offset in it. We have one
buffer, the wire itself, number 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cdc.wire import Bools, Int64s, UInt64s, Wire

INLINE_BYTES = 12

if TYPE_CHECKING:
    ArrowArray = pa.Array[Any]  # generic in its stubs only
else:
    ArrowArray = pa.Array

# What of a view's two words belongs to a value of 0 to 12 bytes: of the first the length and 4 bytes, of the second 8 bytes.
_LENGTH_BYTES = 4
_LENGTH_AND_4 = np.array([(1 << 8 * (_LENGTH_BYTES + min(n, 4))) - 1 for n in range(INLINE_BYTES + 1)], dtype=np.uint64)
_NEXT_8 = np.array([(1 << 8 * max(n - 4, 0)) - 1 for n in range(INLINE_BYTES + 1)], dtype=np.uint64)
_32 = np.uint64(32)
_TEXT: pa.DataType = pa.string_view()


@dataclass(slots=True)
class TextColumn:
    """One column of n rows. `valid` None: no nulls. `unchanged` None: no value was left out (TOAST).

    `views`: (n, 2) uint64, the string_view layout. Null and unchanged values have a view of length 0.
    """

    views: UInt64s
    valid: Bools | None = None
    unchanged: Bools | None = None

    def take(self, rows: NDArray[np.intp]) -> TextColumn:
        """Return the column with these rows, in this order."""
        return TextColumn(
            self.views[rows],
            None if self.valid is None else self.valid[rows],
            None if self.unchanged is None else self.unchanged[rows],
        )

    def to_arrow(self, wire: Wire, kind: pa.DataType = _TEXT) -> ArrowArray:
        """Return the column as an Arrow string_view (or binary_view) array over the wire's buffer, which it keeps alive."""
        rows = len(self.views)
        validity = None
        if self.valid is not None:
            validity = arrow_buffer(np.packbits(self.valid, bitorder="little"))
        buffers = [validity, arrow_buffer(self.views), pa.py_buffer(wire.buffer)]
        return pa.Array.from_buffers(kind, rows, buffers)


def text_views(wire: Wire, at: Int64s, present: Bools | None = None) -> tuple[UInt64s, Int64s]:
    """Build the views of values whose int32 length stands at `at` (n,), the bytes behind it; return views and lengths.

    `present`: which of them are there (None: all); of the others the length is 0, whatever stands there. One that is negative is
    returned as it is; its view has the length 0.
    """
    head = wire.raw16(at)
    length = lengths(head)
    if present is not None:
        length[~present] = 0
    return as_views(head, at, length), length


def lengths(head: UInt64s) -> Int64s:
    """Return the int32 lengths that the 16 bytes of each value begin with."""
    return head.view(np.int32).reshape(-1, 4)[:, 0].byteswap().astype(np.int64)


def as_views(head: UInt64s, at: Int64s, length: Int64s) -> UInt64s:
    """Turn the 16 bytes from each value's length on, which stands at `at`, into its view, in place.

    On the wire a value of up to 12 bytes looks like its view already, but for the byte order of its length and for what stands
    behind it: so 16 bytes are read at once, where numpy takes 4 ns whatever it reads.
    """
    shortest, longest = length.min(initial=INLINE_BYTES), length.max(initial=0)
    head.view(np.int32).reshape(-1, 4)[:, 0] = length if shortest >= 0 else np.maximum(length, 0)
    if shortest < INLINE_BYTES:
        inline = length if shortest >= 0 and longest <= INLINE_BYTES else np.clip(length, 0, INLINE_BYTES)
        head[:, 0] &= _LENGTH_AND_4[inline]
        head[:, 1] &= _NEXT_8[inline]
    if longest > INLINE_BYTES:
        offsets = (at + _LENGTH_BYTES).astype(np.uint64) << _32
        head[:, 1] = np.where(length > INLINE_BYTES, offsets, head[:, 1])
    return head


def arrow_buffer(array: NDArray[Any]) -> pa.Buffer:
    """Return an array's memory as an Arrow buffer, which keeps the array alive."""
    return pa.py_buffer(np.ascontiguousarray(array).data)


def all_null(rows: int) -> TextColumn:
    """Return a column of nulls."""
    return TextColumn(np.zeros((rows, 2), dtype=np.uint64), np.zeros(rows, dtype=np.bool_))


def concatenate(parts: list[TextColumn]) -> TextColumn:
    """Return the rows of several columns over the same wire, one after the other."""
    return TextColumn(
        np.concatenate([part.views for part in parts]),
        _joined(parts, [part.valid for part in parts], absent=True),
        _joined(parts, [part.unchanged for part in parts], absent=False),
    )


def _joined(parts: list[TextColumn], masks: list[Bools | None], *, absent: bool) -> Bools | None:
    if all(mask is None for mask in masks):
        return None
    filled = [
        np.full(len(part.views), absent) if mask is None else mask for part, mask in zip(parts, masks, strict=True)
    ]
    return np.concatenate(filled)


def differ(wire: Wire, left: TextColumn, right: TextColumn) -> Bools:
    """Tell for each row whether two columns over the same wire hold different values; null equals null only."""
    apart: Bools = left.views[:, 0] != right.views[:, 0]
    if left.valid is not None or right.valid is not None:
        apart |= _validity(left) != _validity(right)
    length = (left.views[:, 0] & np.uint64(0xFFFFFFFF)).astype(np.int64)
    short = length <= INLINE_BYTES
    apart |= short & (left.views[:, 1] != right.views[:, 1])
    undecided = np.flatnonzero(~short & ~apart)
    apart[undecided] = _long_differ(wire, left.views[undecided, 1], right.views[undecided, 1], length[undecided])
    return apart


def _validity(column: TextColumn) -> Bools:
    return np.ones(len(column.views), dtype=np.bool_) if column.valid is None else column.valid


def _long_differ(wire: Wire, left: UInt64s, right: UInt64s, length: Int64s) -> Bools:
    """Compare long values of equal length 8 bytes at a time, all rows in step; rows drop out as they are decided."""
    apart = np.zeros(len(length), dtype=np.bool_)
    one, other = (left >> _32).astype(np.int64), (right >> _32).astype(np.int64)
    rows = np.flatnonzero(length > 0)
    at = 0
    while len(rows):
        left_over = np.minimum(length[rows] - at, 8)
        wanted = ~np.uint64(0) >> (np.uint64(64) - (left_over * 8).astype(np.uint64))
        unequal = ((wire.raw8(one[rows] + at) ^ wire.raw8(other[rows] + at)) & wanted) != 0
        apart[rows[unequal]] = True
        at += 8
        rows = rows[~unequal & (length[rows] > at)]
    return apart
