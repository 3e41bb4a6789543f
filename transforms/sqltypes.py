"""Types of the values in a mapping's expressions: few enough that every operator's rule can be written down and tested.

Contract: a type says how the value is held in DuckDB (transforms.columns) and how it behaves in Postgres; where the two
differ, the type is apart (`bpchar` is text because `cast_sql` trims it; `json` is opaque because it keeps duplicate keys).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from cdc.column_types import FIRST_DESCRIBED_OID, TypeKind
from cdc.relation import Column
from transforms.columns import duckdb_type, element_of, type_of
from transforms.forms.table import BPCHAR, JSON, TEXT, VARCHAR

MOST_DIGITS = 38  # DuckDB's DECIMAL
_CHAR, _NAME, _MONEY = 18, 19, 790
_TEXT_TYPES = frozenset({TEXT, VARCHAR, BPCHAR, _CHAR, _NAME})
_DECIMAL = re.compile(r"DECIMAL\((\d+),\s*(\d+)\)")


class Kind(Enum):
    """What a value is; the value is its name in messages."""

    TEXT = "text"
    INTEGER = "integer"
    BIGINT = "bigint"
    DECIMAL = "numeric"
    FLOAT = "floating point"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp without time zone"
    INSTANT = "timestamp with time zone"
    UUID = "uuid"
    JSONB = "jsonb"
    ARRAY = "array"
    NULL = "null"
    OPAQUE = "a type that mappings cannot compute with"


@dataclass(frozen=True, slots=True)
class SqlType:
    """A kind, with the digits of a DECIMAL and the element of an ARRAY.

    `fixed_scale`: the value's text has the same number of decimals in Postgres and DuckDB (columns and casts of
    numeric(p, s)); without it, Postgres would write 12.5 where DuckDB writes 12.5000000000.
    """

    kind: Kind
    precision: int = 0
    scale: int = 0
    fixed_scale: bool = False
    element: SqlType | None = None

    def __str__(self) -> str:
        if self.kind is Kind.DECIMAL:
            return f"numeric({self.precision},{self.scale})"
        return f"{self.element}[]" if self.element is not None else self.kind.value

    @property
    def duckdb(self) -> str:
        """The DuckDB type that holds it."""
        if self.kind is Kind.DECIMAL:
            return f"DECIMAL({self.precision},{self.scale})"
        return _DUCKDB[self.kind]

    @property
    def is_whole(self) -> bool:
        return self.kind in (Kind.INTEGER, Kind.BIGINT)

    @property
    def is_number(self) -> bool:
        """Whether it is an exact number."""
        return self.is_whole or self.kind is Kind.DECIMAL


_DUCKDB = {
    Kind.TEXT: "VARCHAR",
    Kind.INTEGER: "INTEGER",
    Kind.BIGINT: "BIGINT",
    Kind.FLOAT: "DOUBLE",
    Kind.BOOLEAN: "BOOLEAN",
    Kind.DATE: "DATE",
    Kind.TIMESTAMP: "TIMESTAMP",
    Kind.INSTANT: "TIMESTAMPTZ",
    Kind.UUID: "UUID",
    Kind.JSONB: "JSON",
    Kind.NULL: "VARCHAR",
}
_OF_DUCKDB = {
    "SMALLINT": Kind.INTEGER,
    "INTEGER": Kind.INTEGER,
    "BIGINT": Kind.BIGINT,
    "FLOAT": Kind.FLOAT,
    "DOUBLE": Kind.FLOAT,
    "BOOLEAN": Kind.BOOLEAN,
    "DATE": Kind.DATE,
    "TIMESTAMP": Kind.TIMESTAMP,
    "TIMESTAMPTZ": Kind.INSTANT,
    "UUID": Kind.UUID,
}

TEXT_TYPE = SqlType(Kind.TEXT)
INTEGER_TYPE = SqlType(Kind.INTEGER)
BIGINT_TYPE = SqlType(Kind.BIGINT)
BOOLEAN_TYPE = SqlType(Kind.BOOLEAN)
NULL_TYPE = SqlType(Kind.NULL)
OPAQUE_TYPE = SqlType(Kind.OPAQUE)


def decimal_type(precision: int, scale: int, *, fixed_scale: bool = False) -> SqlType:
    """Return the DECIMAL of so many digits, of which `scale` are behind the point; at most 38 in all."""
    return SqlType(Kind.DECIMAL, min(precision, MOST_DIGITS), scale, fixed_scale)


def column_type(column: Column) -> SqlType:
    """Return the type of a source column's values in expressions."""
    element = element_of(column)
    if element is not None:
        inner = column_type(element)
        return OPAQUE_TYPE if inner.kind in (Kind.OPAQUE, Kind.FLOAT) else SqlType(Kind.ARRAY, element=inner)
    held, kind = duckdb_type(column), type_of(column)
    if kind.oid == _MONEY:
        return OPAQUE_TYPE
    if found := _DECIMAL.fullmatch(held):
        return decimal_type(int(found[1]), int(found[2]), fixed_scale=kind.typmod >= 0)
    if held == "JSON":
        return OPAQUE_TYPE if kind.oid == JSON else SqlType(Kind.JSONB)
    if held == "VARCHAR":
        return TEXT_TYPE if _is_text(column) else OPAQUE_TYPE
    return SqlType(_OF_DUCKDB.get(held, Kind.OPAQUE))


def _is_text(column: Column) -> bool:
    """Whether Postgres's text form is the value: text, a user's enum, and an extension's type such as citext.

    A domain is its base type here as there: Postgres computes with the base type too.
    """
    kind = type_of(column)
    if kind.kind is TypeKind.BASE:
        return kind.oid in _TEXT_TYPES or kind.oid == 0 or kind.oid >= FIRST_DESCRIBED_OID
    return kind.kind is TypeKind.ENUM


def common_type(types: list[SqlType]) -> SqlType | None:
    """Return the type that holds values of all these types as Postgres would (CASE, COALESCE, comparison); None: there is none."""
    known = [each for each in types if each.kind is not Kind.NULL]
    if not known:
        return NULL_TYPE
    if all(each.is_number for each in known):
        return _common_number(known)
    first = known[0]
    return first if all(each == first for each in known) else None


def _common_number(types: list[SqlType]) -> SqlType | None:
    if all(each.is_whole for each in types):
        return BIGINT_TYPE if BIGINT_TYPE in types else INTEGER_TYPE
    exact = [as_decimal(each) for each in types]
    scale = max(each.scale for each in exact)
    precision = max(each.precision - each.scale for each in exact) + scale
    # A value of another scale keeps its own in Postgres ('1.50' beside '1.5000'), so only equal ones have a fixed text.
    fixed = all(each.fixed_scale and each.scale == scale for each in exact)
    return None if precision > MOST_DIGITS else decimal_type(precision, scale, fixed_scale=fixed)


def as_decimal(number: SqlType) -> SqlType:
    """Return the DECIMAL that holds every value of an exact number's type."""
    if number.kind is Kind.DECIMAL:
        return number
    return decimal_type(19 if number.kind is Kind.BIGINT else 10, 0)
