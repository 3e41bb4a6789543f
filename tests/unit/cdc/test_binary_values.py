from __future__ import annotations

import struct

import duckdb
import pyarrow as pa
import pytest

from cdc.binary_values import Values, cells, typed
from cdc.relation import Column
from cdc.tuples import decode_copied_rows
from cdc.wire import Wire
from config.errors import CausewayError, ErrorKind
from transforms.columns import duckdb_type

_NUMERIC = 1700


def _typmod(precision: int, scale: int) -> int:
    return (precision << 16 | scale & 0x7FF) + 4


TYPED = [
    *((oid, -1) for oid in (16, 17, 19, 20, 21, 23, 25, 26, 28, 29, 700, 701, 1042, 1043, 1082, 1083, 1114, 1184, 2950, 5069)),
    *((_NUMERIC, _typmod(*parts)) for parts in ((1, 0), (12, 2), (38, 10), (38, 38), (60, 30), (5, -2), (3, 5))),
    (_NUMERIC, -1),
]  # fmt: skip


def read(column: Column, *values: bytes | None) -> Values:
    rows = [
        struct.pack(">h", 1) + (b"\xff" * 4 if value is None else struct.pack(">i", len(value)) + value)
        for value in values
    ]
    found = typed(column)
    assert found is not None
    (column_values,) = decode_copied_rows(Wire(rows), [found])
    return column_values


@pytest.mark.parametrize(("oid", "typmod"), TYPED)
def test_a_typed_array_is_of_the_type_that_the_mirror_has(oid: int, typmod: int) -> None:
    column = Column(name="c", type_oid=oid, typmod=typmod)
    values = read(column, None, None)
    assert values.array.to_pylist() == [None, None]
    assert not values.misfits
    with duckdb.connect() as connection:
        connection.register("values_read", pa.table({"c": values.array}))
        ((found,),) = connection.execute("SELECT column_type FROM (DESCRIBE values_read)").fetchall()
    assert found.replace("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ") == duckdb_type(column)


def test_what_duckdb_has_no_array_for_comes_as_text() -> None:
    for oid in (
        18,
        790,
        869,
        1186,
        1266,
        1560,
        1007,
        3904,
    ):  # "char", money, inet, interval, timetz, bit, int[], int4range
        assert typed(Column(name="c", type_oid=oid)) is None


@pytest.mark.parametrize(
    ("oid", "value"),
    [
        (23, b"\0\0\1"),
        (16, b""),
        (1184, b"\0" * 9),
        (2950, b"\0" * 15),
        (3802, b"\2{}"),
        (_NUMERIC, b"\0\1\0\0\0\0\0\0"),  # a digit is missing
        (_NUMERIC, b"\0\1\0\0\x12\x34\0\0\0\1"),  # no such sign
        (_NUMERIC, b"\0\1\0\0\xc0\0\0\0\0\1"),  # a NaN with a digit
        (_NUMERIC, b"\xff\xff\0\0\0\0"),  # fewer digits than none
    ],
)
def test_a_value_that_is_not_built_as_its_type_is_refused(oid: int, value: bytes) -> None:
    with pytest.raises(CausewayError) as error:
        read(Column(name="c", type_oid=oid), value, None)
    assert error.value.kind is ErrorKind.PROTOCOL


def test_a_value_that_is_longer_than_its_row_is_refused() -> None:
    wire = Wire([struct.pack(">hi", 1, 8) + b"\0" * 4])
    assert cells(wire, wire.begins + 2).length.tolist() == [8]
    found = typed(Column(name="c", type_oid=20))
    assert found is not None
    with pytest.raises(CausewayError, match="longer than its row"):
        decode_copied_rows(wire, [found])
