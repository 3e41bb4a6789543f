"""Stock codes that are no products."""

from __future__ import annotations

import pytest

from sandbox.orders_file.codes import line_kind


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("85123A", "item"),
        ("15056bl", "item"),
        ("POST", "freight"),
        ("DOT", "freight"),
        ("C2", "freight"),
        ("D", "discount"),
        ("M", "manual"),
        ("m", "manual"),
        ("S", "manual"),
        ("B", "manual"),
        ("PADS", "manual"),
        ("gift_0001_40", "manual"),
        ("DCGSSBOY", "manual"),
        ("BANK CHARGES", "fee"),
        ("AMAZONFEE", "fee"),
        ("CRUK", "fee"),
    ],
)
def test_a_code_says_what_its_line_is(code: str, kind: str) -> None:
    assert line_kind(code) == kind
