from __future__ import annotations

import numpy as np
import pytest

from cdc.text_column import TextColumn, concatenate, differ, text_views
from cdc.wire import Wire

VALUES = ["", "a", "1234", "12345", "exactly 12 b", "exactly 13 by", "x" * 16, "x" * 17, "x" * 1000, "é" * 40]


def wire_of(values: list[bytes]) -> Wire:
    """Every value behind its length, as in a row."""
    return Wire([len(value).to_bytes(4, "big") + value for value in values])


def column(wire: Wire, numbers: list[int]) -> TextColumn:
    rows = np.array(numbers, dtype=np.int64)
    views, length = text_views(wire, wire.begins[rows])
    assert (length == (wire.ends - wire.begins)[rows] - 4).all()
    return TextColumn(views)


def test_values_of_every_length_are_read_as_they_lie() -> None:
    wire = wire_of([value.encode() for value in VALUES])
    found = column(wire, list(range(len(VALUES)))).to_arrow(wire)
    found.validate(full=True)
    assert found.to_pylist() == VALUES


def test_what_is_not_there_has_no_length_and_a_negative_length_is_no_value() -> None:
    wire = Wire([b"\xff\xff\xff\xff", b"\x00\x00\x00\x02ab", b"\x7f\x00\x00\x02ab"])
    views, length = text_views(wire, wire.begins, np.array([True, True, False]))
    assert length.tolist() == [-1, 2, 0]
    assert TextColumn(views).to_arrow(wire).to_pylist() == ["", "ab", ""]


def test_a_column_outlives_its_wire() -> None:
    def made() -> object:
        wire = wire_of([value.encode() for value in VALUES])
        return column(wire, [8, 9]).to_arrow(wire)

    assert made().to_pylist() == [VALUES[8], VALUES[9]]  # type: ignore[attr-defined]


@pytest.mark.parametrize("at", [0, 3, 4, 8, 11, 12, 13, 15, 16, 23, 24, 31])
def test_one_byte_makes_a_difference_wherever_it_stands(at: int) -> None:
    texts = [b"y" * 32, b"y" * at + b"z" + b"y" * (31 - at), b"y" * 32]
    wire = wire_of(texts)
    assert differ(wire, column(wire, [0, 0]), column(wire, [1, 2])).tolist() == [True, False]


def test_null_differs_from_everything_but_null() -> None:
    wire = wire_of([b"", b"a"])
    nulls = TextColumn(column(wire, [0, 0]).views, np.array([False, False]))
    empty = TextColumn(column(wire, [0, 0]).views, np.array([True, False]))
    assert differ(wire, nulls, empty).tolist() == [True, False]


def test_masks_survive_concatenation() -> None:
    wire = wire_of([b"a"])
    plain = column(wire, [0])
    masked = TextColumn(plain.views, np.array([False]), np.array([True]))
    both = concatenate([plain, masked])
    assert both.valid is not None
    assert both.unchanged is not None
    assert (both.valid.tolist(), both.unchanged.tolist()) == ([True, False], [False, True])
