from __future__ import annotations

import pyarrow as pa
import pytest

from cdc.relation import Column
from transforms.columns import surely_fit
from transforms.text_views import text_views

NUMERIC_10_2 = Column(name="c", type_oid=1700, typmod=(10 << 16 | 2) + 4)
NUMERIC = Column(name="c", type_oid=1700)
TIMESTAMP, JSON, TEXT = (Column(name="c", type_oid=oid) for oid in (1114, 114, 25))
VALUES = ["", "a", "abcdefghijkl", "abcdefghijklm", "x" * 40, None, "é" * 7]


@pytest.mark.parametrize("place", [0, 1, 3, 4, 6, 11])
def test_every_byte_is_found_wherever_the_text_lies(place: int) -> None:
    column = pa.chunked_array([pa.array(VALUES, pa.string_view()).slice(1), pa.array(VALUES, pa.string_view())])
    found = [int(byte) for views in text_views(column) or () for byte in views.byte(place)]
    texts = [(value or "").encode() for value in [*VALUES[1:], *VALUES]]
    assert found == [text[place] if place < len(text) else 0 for text in texts]


@pytest.mark.parametrize(
    ("column", "harmless", "suspect"),
    [
        (NUMERIC_10_2, ["12345678.90", "-0.10", "0.00", None], ["NaN"]),
        (NUMERIC_10_2, ["-1.00"], ["-Infinity", "Infinity"]),
        (NUMERIC, ["1", "-12345.67890", None], ["0.12345678901", "NaN", "-Infinity"]),
        (TIMESTAMP, ["2025-01-01 00:00:00", "0044-03-15 12:00:00.123456 BC", "infinity", None], ["294250-01-01 00:00:00"]),
        (JSON, [], ['"\\ud83d"']),
        (TEXT, ["anything"], []),
    ],
)  # fmt: skip
def test_one_value_that_may_not_fit_is_seen_among_many(
    column: Column, harmless: list[str | None], suspect: list[str]
) -> None:
    assert surely_fit(column, pa.chunked_array([pa.array(harmless * 9, pa.string_view())])) or column is JSON
    for value in suspect:
        chunks = [pa.array(harmless, pa.string_view()), pa.array([*harmless, value, *harmless], pa.string_view())]
        assert not surely_fit(column, pa.chunked_array(chunks)), value


def test_texts_that_lie_in_another_way_are_left_to_sql() -> None:
    assert text_views(pa.chunked_array([pa.array(["1"], pa.string())])) is None
    assert not surely_fit(NUMERIC_10_2, pa.chunked_array([pa.array(["1.00"], pa.string())]))
