"""Columns of a load: paths, and rows that belong together."""

from __future__ import annotations

from itertools import starmap

import pytest

from sandbox.odoo.importing.columns import Extracted, extract, parse_path
from sandbox.odoo.models import build_registry


@pytest.mark.parametrize(
    ("column", "path"),
    [
        ("name", ("name",)),
        ("id", ("id",)),
        (".id", (".id",)),
        ("partner_id/id", ("partner_id", "id")),
        ("partner_id.id", ("partner_id", ".id")),
        ("partner_id/.id", ("partner_id", ".id")),
        ("partner_id:id", ("partner_id", "id")),
        ("order_line/product_id/id", ("order_line", "product_id", "id")),
    ],
)
def test_paths(column: str, path: tuple[str, ...]) -> None:
    assert parse_path(column) == path


def extracted(columns: str, *rows: list[str]) -> list[Extracted]:
    registry = build_registry()
    return list(extract(registry, registry["sale.order"], [parse_path(one) for one in columns.split()], rows))


COLUMNS = "id partner_id/id order_line/id order_line/product_id/id"


def test_rows_with_line_values_only_belong_to_the_record_above() -> None:
    found = extracted(COLUMNS, ["a", "p", "a1", "x"], ["", "", "a2", "y"], ["b", "p", "b1", "z"])
    assert [one.rows for one in found] == [{"from": 0, "to": 1}, {"from": 2, "to": 2}]
    assert found[0].cells["order_line"] == [
        {"id": "a1", "product_id": [{"id": "x"}]},
        {"id": "a2", "product_id": [{"id": "y"}]},
    ]


def test_an_order_without_lines_has_none() -> None:
    assert extracted(COLUMNS, ["a", "p", "", ""])[0].cells["order_line"] == []


def test_an_empty_reference_is_no_record() -> None:
    assert extracted(COLUMNS, ["a", "", "a1", "x"])[0].cells["partner_id"] == []


def test_a_relation_by_name_has_no_subfield() -> None:
    assert extracted("id partner_id", ["a", "Ann"])[0].cells["partner_id"] == [{None: "Ann"}]


@pytest.mark.parametrize(("columns", "name"), [("id nmae", "nmae"), ("id order_line/nmae", "nmae")])
def test_a_column_that_is_no_field_is_refused(columns: str, name: str) -> None:
    with pytest.raises(ValueError, match=f"Invalid field name '{name}'"):
        extracted(columns, ["a", "x"])


def test_rows_are_numbered_over_the_whole_matrix() -> None:
    rows = list(starmap(lambda key, line: [key, "p", line, "x"], [("a", "1"), ("", "2"), ("b", "3")]))
    rows[1][1] = ""
    assert [(one.first, one.last) for one in extracted(COLUMNS, *rows)] == [(0, 1), (2, 2)]
