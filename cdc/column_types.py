"""What a column's type is made of: arrays of what, ranges over what, the fields of a composite, the base of a domain.

Built-in types are known by their OIDs, which never change; the others are described by the source's catalog (`cdc.type_catalog`).
A domain has no kind of its own: it is its base type, with the base's modifier, however many domains lie between.
Source: src/include/catalog/pg_type.dat and pg_range.dat.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from cdc.type_names import ARRAY_ELEMENTS


class TypeKind(StrEnum):
    """How a type is built. TEXT is any type of which only its text is known."""

    BASE = "base"
    ENUM = "enum"
    ARRAY = "array"
    COMPOSITE = "composite"
    RANGE = "range"
    MULTIRANGE = "multirange"
    TEXT = "text"


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnType:
    """A type without its domains.

    `oid` and `typmod`: of the type itself; of an array its elements' modifier is in `element`; of money the typmod is the number
    of decimals. `name`: where the type is an extension's, its name. `element`: of an array; of a range its subtype; of a
    multirange its range. `delimiter`: between an array's elements. `fields`: of a composite, in order.
    """

    kind: TypeKind
    oid: int = 0
    typmod: int = -1
    name: str = ""
    delimiter: str = ","
    element: ColumnType | None = None
    fields: tuple[tuple[str, ColumnType], ...] = ()


AS_TEXT = ColumnType(kind=TypeKind.TEXT)
FIRST_DESCRIBED_OID = 10000  # transam.h, FirstGenbkiObjectId: below it an OID means the same type everywhere
MONEY, BOX, NUMERIC = 790, 603, 1700
MOST_DIGITS = 38  # of a decimal in 128 bits
UNCONSTRAINED_SCALE = 10  # of numeric without a precision: DECIMAL(38, 10)
_WIDEST_SCALE = 18  # of numeric(p, s) with p above 38: leaves 20 digits before the point
_TYPMOD_HEADER = 4
_RANGES: dict[int, int] = {3904: 23, 3906: 1700, 3908: 1114, 3910: 1184, 3912: 1082, 3926: 20}
_MULTIRANGES: dict[int, int] = {4451: 3904, 4532: 3906, 4533: 3908, 4534: 3910, 4535: 3912, 4536: 3926}


def builtin_type(oid: int, typmod: int) -> ColumnType:
    """Return what a built-in type is made of; a base type where the OID is none of an array, range or multirange."""
    if oid in ARRAY_ELEMENTS:
        element = ARRAY_ELEMENTS[oid]
        delimiter = ";" if element == BOX else ","
        return ColumnType(kind=TypeKind.ARRAY, oid=oid, element=builtin_type(element, typmod), delimiter=delimiter)
    if oid in _RANGES:
        return ColumnType(kind=TypeKind.RANGE, oid=oid, element=builtin_type(_RANGES[oid], -1))
    if oid in _MULTIRANGES:
        return ColumnType(kind=TypeKind.MULTIRANGE, oid=oid, element=builtin_type(_MULTIRANGES[oid], -1))
    return ColumnType(kind=TypeKind.BASE, oid=oid, typmod=typmod)


def decimal_parts(typmod: int) -> tuple[int, int, bool]:
    """Return a numeric's DECIMAL precision and scale, and whether every finite value of the column fits them.

    typmod - 4 holds the precision above 16 bits of a signed 11-bit scale (numerictypmodin, numeric.c). One digit is kept before
    the point, because DuckDB writes a DECIMAL(2,2) as '.25'.
    """
    if typmod < _TYPMOD_HEADER:
        return MOST_DIGITS, UNCONSTRAINED_SCALE, False
    packed = typmod - _TYPMOD_HEADER
    precision, scale = packed >> 16, ((packed & 0x7FF) ^ 0x400) - 0x400
    if scale < 0:  # numeric(3, -2) holds 99900
        precision, scale = precision - scale, 0
    precision = max(precision, scale + 1)  # numeric(3, 5) holds 0.00999
    if precision <= MOST_DIGITS:
        return precision, scale, True
    return MOST_DIGITS, min(scale, _WIDEST_SCALE), False


def type_from_json(tree: Mapping[str, Any]) -> ColumnType:
    """Return the type that `dataclasses.asdict` and JSON made `tree` of."""
    element = tree.get("element")
    return ColumnType(
        **{
            **tree,
            "kind": TypeKind(tree["kind"]),
            "element": None if element is None else type_from_json(element),
            "fields": tuple((name, type_from_json(field)) for name, field in tree.get("fields", ())),
        }
    )
