from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from cdc.relation import Column
from transforms.columns import read_quickly

TIMESTAMP, TIMESTAMPTZ, DATE, TEXT = (Column(name="c", type_oid=oid) for oid in (1114, 1184, 1082, 25))


def texts(*values: str | None) -> pa.ChunkedArray[Any]:
    return pa.chunked_array([pa.array(values[:1], pa.string_view()), pa.array(values[1:], pa.string_view())])


def written(found: pa.ChunkedArray[Any] | None) -> list[str | None]:
    assert found is not None
    return [None if value is None else value.isoformat() for value in found.to_pylist()]


def test_timestamps_of_four_digit_years_are_read_at_once() -> None:
    given = texts("2025-03-01 12:30:05.5+00", None, "0001-01-01 00:00:00+00")
    assert written(read_quickly(TIMESTAMPTZ, given)) == [
        "2025-03-01T12:30:05.500000+00:00",
        None,
        "0001-01-01T00:00:00+00:00",
    ]
    given = texts("2025-03-01 12:30:05.5", "9999-12-31 23:59:59.999999")
    assert written(read_quickly(TIMESTAMP, given)) == ["2025-03-01T12:30:05.500000", "9999-12-31T23:59:59.999999"]


@pytest.mark.parametrize(
    "other", ["infinity", "-infinity", "0044-03-15 12:00:00 BC", "10000-01-01 00:00:00", "294276-12-31 23:59:59"]
)
def test_one_that_is_written_otherwise_leaves_the_column_to_duckdb(other: str) -> None:
    assert read_quickly(TIMESTAMP, texts("2025-03-01 12:30:05.5", other)) is None


def test_other_types_are_left_to_duckdb() -> None:
    assert read_quickly(DATE, texts("2025-03-01")) is None
    assert read_quickly(TEXT, texts("2025-03-01 12:30:05.5")) is None
