"""docs/reference/types.md is the code's own table of types: what each Postgres type becomes, and what does not fit it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cdc.column_types import ColumnType, TypeKind, builtin_type
from cdc.type_names import ARRAY_ELEMENTS, BUILTIN_NAMES
from transforms.forms.form import Form
from transforms.forms.table import form_of

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "types.md"
ROW = re.compile(r"^\| (?P<names>.+?) \| `(?P<duckdb>.+?)` \| (?P<unheld>.*?) ?\|$", re.MULTILINE)
INTEGER, NUMERIC, TEXT = builtin_type(23, -1), builtin_type(1700, -1), builtin_type(25, -1)
# What the page calls types that have no OID of their own, by an example.
EXAMPLES: dict[str, ColumnType] = {
    "numeric(12,2)": builtin_type(1700, (12 << 16 | 2) + 4),
    "numeric(60,30)": builtin_type(1700, (60 << 16 | 30) + 4),
    "an enum": ColumnType(kind=TypeKind.ENUM, oid=20000),
    "(a integer, b text)": ColumnType(kind=TypeKind.COMPOSITE, oid=20000, fields=(("a", INTEGER), ("b", TEXT))),
    "integer[]": builtin_type(1007, -1),
    "hstore": ColumnType(kind=TypeKind.BASE, oid=20000, name="hstore"),
    "citext": ColumnType(kind=TypeKind.BASE, oid=20000, name="citext"),
    "ltree": ColumnType(kind=TypeKind.BASE, oid=20000, name="ltree"),
    "any other": ColumnType(kind=TypeKind.BASE, oid=20000),
}


def named() -> dict[str, Form]:
    """Every type that the page must have, by its name there."""
    builtin = {name: form_of(builtin_type(oid, -1)) for oid, name in BUILTIN_NAMES.items() if oid not in ARRAY_ELEMENTS}
    zoned = {"timestamp": 1114, "timestamp with time zone": 1184, "time": 1083, "time with time zone": 1266}
    return (
        builtin
        | {name: form_of(builtin_type(oid, -1)) for name, oid in zoned.items()}
        | {name: form_of(kind) for name, kind in EXAMPLES.items()}
    )


def on_the_page() -> dict[str, tuple[str, str]]:
    found = {}
    for row in ROW.finditer(PAGE.read_text()):
        for name in re.findall(r"`(.+?)`", row["names"]):
            found[name] = (row["duckdb"], row["unheld"])
    return found


def test_the_page_has_every_type_as_the_code_holds_it() -> None:
    expected = {name: (form.duckdb, form.unheld) for name, form in named().items()}
    found = on_the_page()
    assert found == expected


@pytest.mark.parametrize("oid", [oid for oid in ARRAY_ELEMENTS if oid not in (1006, 1013)])
def test_an_array_of_every_type_is_a_list_of_what_the_type_is(oid: int) -> None:
    element = form_of(builtin_type(ARRAY_ELEMENTS[oid], -1))
    assert form_of(builtin_type(oid, -1)).duckdb == f"{element.duckdb}[]"
