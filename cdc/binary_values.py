"""Values of a binary COPY as Arrow arrays: typed, where a type's binary form says exactly what the mirror's type holds.

A type that is not in TYPED is asked for as text. What an array's type cannot hold (NaN in a decimal, a year past 294247) is null
in it and stands in `misfits`, in the very text that Postgres's output function writes: a value has one form, whichever way it comes.
Source: the send functions in src/backend/utils/adt (int.c, float.c, date.c, timestamp.c, uuid.c, bool.c, varlena.c, jsonb.c).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cdc.binary_numeric import decimals, numbers, numeric_text
from cdc.column_types import NUMERIC, TypeKind, builtin_type, decimal_parts
from cdc.protocol import protocol_error
from cdc.relation import Column
from cdc.text_column import ArrowArray, TextColumn, arrow_buffer, as_views, lengths
from cdc.wire import Bools, Int64s, UInt64s, Wire

_BOOL, _BYTEA, _NAME, _INT8, _INT2, _INT4, _TEXT, _OID, _XID, _CID, _JSON = 16, 17, 19, 20, 21, 23, 25, 26, 28, 29, 114
_FLOAT4, _FLOAT8, _BPCHAR, _VARCHAR, _DATE, _TIME = 700, 701, 1042, 1043, 1082, 1083
_TIMESTAMP, _TIMESTAMPTZ, _UUID, _JSONB, _XID8 = 1114, 1184, 2950, 3802, 5069
_LENGTH_BYTES = 4
_EPOCH_DAYS = 10957  # from 1970-01-01 to 2000-01-01, which Postgres counts from
_EPOCH_US = _EPOCH_DAYS * 86_400_000_000
_MOST_32, _MOST_64 = 2**31 - 1, 2**63 - 1  # infinity, in DuckDB; minus infinity is its negative, in Postgres one less
_JSONB_VERSION = 1


@dataclass(slots=True)
class Cells:
    """One column's values on the wire (n,). `at`: where the int32 length of each stands; `head`: the 16 bytes from there on.

    `length`: of a null 0. `valid` None: no nulls.
    """

    wire: Wire
    at: Int64s
    head: UInt64s
    length: Int64s
    valid: Bools | None

    def fixed(self, dtype: str) -> NDArray[np.generic]:
        """Return values of a fixed width, big-endian `dtype` on the wire; of nulls anything."""
        width = np.dtype(dtype).itemsize
        if ((self.length != width) & self.present).any():
            raise protocol_error(f"a value that should have {width} bytes has another length")
        lying = np.ndarray((len(self.at),), dtype, self.head, _LENGTH_BYTES, (16,))
        return lying.astype(lying.dtype.newbyteorder("="))

    @property
    def present(self) -> Bools:
        return np.ones(len(self.at), dtype=np.bool_) if self.valid is None else self.valid


@dataclass(slots=True)
class Values:
    """A column of n values. `misfits`: the texts of those that the array's type cannot hold, by row; null in the array."""

    array: ArrowArray
    misfits: Mapping[int, str] = field(default_factory=dict)


Read = Callable[[Cells], Values]


def cells(wire: Wire, at: Int64s) -> Cells:
    """Look at the values whose int32 length, -1 for null, stands at `at`."""
    head = wire.raw16(at)
    length = lengths(head)
    valid = length != -1
    if valid.all():
        return Cells(wire, at, head, length, None)
    length[~valid] = 0
    return Cells(wire, at, head, length, valid)


def text(column: Cells) -> Values:
    """Read values whose bytes are their text."""
    views = as_views(column.head, column.at, column.length)
    return Values(TextColumn(views, column.valid).to_arrow(column.wire))


def typed(column: Column) -> Read | None:
    """Return what reads the column's type in its binary form; None where it is to be asked for as text."""
    kind = column.type or builtin_type(column.type_oid, column.typmod)
    if kind.kind is not TypeKind.BASE or kind.name:
        return None
    if kind.oid == NUMERIC:
        precision, scale, _ = decimal_parts(kind.typmod)
        return lambda cells: _numeric(cells, precision, scale)
    return _TYPED.get(kind.oid)


def as_text(column: Column) -> Read | None:
    """Return what reads the text that is in the type's binary form; None where it is to be asked for as text."""
    kind = column.type or builtin_type(column.type_oid, column.typmod)
    return _TEXTS.get(kind.oid) if kind.kind is TypeKind.BASE and not kind.name else None


def _array(kind: pa.DataType, values: NDArray[np.generic], valid: Bools | None) -> ArrowArray:
    validity = None if valid is None else arrow_buffer(np.packbits(valid, bitorder="little"))
    return pa.Array.from_buffers(kind, len(values), [validity, arrow_buffer(values)])


def _whole(dtype: str, kind: pa.DataType) -> Read:
    return lambda cells: Values(_array(kind, cells.fixed(dtype), cells.valid))


def _float(dtype: str, kind: pa.DataType) -> Read:
    def read(cells: Cells) -> Values:
        values = cells.fixed(dtype)
        values[values != values] = np.nan  # there are many NaN, and only one has a text
        return Values(_array(kind, values, cells.valid))

    return read


def _bool(cells: Cells) -> Values:
    bits = np.packbits(cells.fixed("u1").astype(np.bool_), bitorder="little")
    validity = None if cells.valid is None else arrow_buffer(np.packbits(cells.valid, bitorder="little"))
    return Values(pa.Array.from_buffers(pa.bool_(), len(cells.at), [validity, arrow_buffer(bits)]))


def _date(cells: Cells) -> Values:
    days = cells.fixed(">i4").astype(np.int64)
    moved = days + _EPOCH_DAYS
    moved[days == _MOST_32] = _MOST_32
    moved[days == -_MOST_32 - 1] = -_MOST_32
    return Values(_array(pa.date32(), moved.astype(np.int32), cells.valid))


def _moment(kind: pa.DataType, zone: str) -> Read:
    def read(cells: Cells) -> Values:
        micros = cells.fixed(">i8").astype(np.int64, copy=False)
        finite = micros != _MOST_64
        late = finite & (micros >= _MOST_64 - _EPOCH_US) & cells.present
        moved = np.where(finite & ~late, micros, 0) + _EPOCH_US
        moved[~finite] = _MOST_64
        moved[micros == -_MOST_64 - 1] = -_MOST_64
        return _with_misfits(kind, moved, cells.valid, late, lambda row: _moment_text(int(micros[row]), zone))

    return read


def _with_misfits(
    kind: pa.DataType, values: NDArray[np.generic], valid: Bools | None, misfit: Bools, written: Callable[[int], str]
) -> Values:
    rows = np.flatnonzero(misfit)
    if not len(rows):
        return Values(_array(kind, values, valid))
    held = ~misfit if valid is None else valid & ~misfit
    return Values(_array(kind, values, held), {int(row): written(int(row)) for row in rows})


def _moment_text(micros: int, zone: str) -> str:
    """Write a moment since 2000 that is not infinite nor before Christ as timestamp_out does under ISO."""
    seconds, fraction = divmod(micros + _EPOCH_US, 10**6)
    date, time = str(np.datetime64(seconds, "s")).split("T")
    return f"{date} {time}" + f".{fraction:06}".rstrip("0").rstrip(".") + zone


def _numeric(cells: Cells, precision: int, scale: int) -> Values:
    found = numbers(cells.wire, cells.at, cells.head, cells.length, cells.valid)
    values, misfit = decimals(found, precision, scale)
    kind = pa.decimal128(precision, scale)

    def written(row: int) -> str:
        begin = int(cells.at[row]) + _LENGTH_BYTES
        return numeric_text(cells.wire.buffer[begin : begin + int(cells.length[row])])

    return _with_misfits(kind, values, cells.valid, misfit, written)


def _uuid(cells: Cells) -> Values:
    if ((cells.length != 16) & cells.present).any():
        raise protocol_error("a uuid does not have 16 bytes")
    stored = _array(pa.binary(16), cells.wire.raw16(cells.at + _LENGTH_BYTES), cells.valid)
    return Values(pa.ExtensionArray.from_storage(pa.uuid(), stored))


def _bytes(cells: Cells) -> Values:
    views = as_views(cells.head, cells.at, cells.length)
    return Values(TextColumn(views, cells.valid).to_arrow(cells.wire, pa.binary_view()))


def _jsonb(cells: Cells) -> Values:
    """Read the text behind a byte that says the version of the form."""
    version = cells.wire.u8[cells.at + _LENGTH_BYTES]
    if ((version != _JSONB_VERSION) & cells.present).any():
        raise protocol_error("a jsonb value has another version than 1")
    behind = cells.at + 1
    views = as_views(cells.wire.raw16(behind), behind, np.maximum(cells.length - 1, 0))
    return Values(TextColumn(views, cells.valid).to_arrow(cells.wire))


_TEXTS: Mapping[int, Read] = {
    **dict.fromkeys((_TEXT, _VARCHAR, _BPCHAR, _NAME, _JSON), text),
    _JSONB: _jsonb,
}
_TYPED: Mapping[int, Read] = {
    **_TEXTS,
    _BOOL: _bool,
    _INT2: _whole(">i2", pa.int16()),
    _INT4: _whole(">i4", pa.int32()),
    _INT8: _whole(">i8", pa.int64()),
    **dict.fromkeys((_OID, _XID, _CID), _whole(">u4", pa.uint32())),
    _XID8: _whole(">u8", pa.uint64()),
    _FLOAT4: _float(">f4", pa.float32()),
    _FLOAT8: _float(">f8", pa.float64()),
    _DATE: _date,
    _TIME: _whole(">i8", pa.time64("us")),
    _TIMESTAMP: _moment(pa.timestamp("us"), ""),
    _TIMESTAMPTZ: _moment(pa.timestamp("us", tz="UTC"), "+00"),
    _UUID: _uuid,
    _BYTEA: _bytes,
}
