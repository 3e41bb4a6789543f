"""Changed types of a column: which of them leave every value what it was, so that the mirror can follow.

Contract: pure. Postgres converts the old rows of a changed column in place and sends none of them again, so the mirror has to do
the same conversion; only those are followed that are exact on both sides. What `USING` made of the values no log tells.
"""

from __future__ import annotations

import re
from enum import StrEnum

from cdc.column_types import ColumnType, TypeKind
from cdc.relation import Column
from transforms.columns import duckdb_type, type_of

_TEXT, _BPCHAR, _VARCHAR = 25, 1042, 1043
_TIME, _TIMESTAMP, _TIMESTAMPTZ, _INTERVAL, _TIMETZ = 1083, 1114, 1184, 1186, 1266
_NUMERIC, _VARBIT = 1700, 1562
_INTEGERS = (21, 23, 20)
_FLOAT4, _FLOAT8 = 700, 701
_ROUNDED = frozenset({_TIME, _TIMESTAMP, _TIMESTAMPTZ, _TIMETZ})  # their modifier is a number of decimals
_DIGITS = {21: 5, 23: 10, 20: 19}
_HEADER, _ANY_SCALE = 4, 1 << 16
_DECIMAL = re.compile(r"DECIMAL\((\d+), ?(\d+)\)")


class TypeChange(StrEnum):
    """What a new type means for the values that are there."""

    NONE = "none"  # the mirror's type and every value stay
    WIDER = "wider"  # the mirror's column takes the new type, its values convert exactly
    OTHER = "other"  # values may have changed at the source: the mirror cannot follow


def type_change(before: Column, now: Column) -> TypeChange:
    """Return what the step from `before` to `now` means for a mirror."""
    old, new = type_of(before), type_of(now)
    same = duckdb_type(before) == duckdb_type(now)
    if (before.type_oid, before.typmod) == (now.type_oid, now.typmod) or old == new:
        return TypeChange.NONE if same else TypeChange.OTHER
    if old.kind is new.kind is TypeKind.ARRAY and old.element is not None and new.element is not None:
        kept = _keeps_values(old.element, new.element)
    else:
        kept = _keeps_values(old, new)
    return TypeChange.OTHER if not kept else TypeChange.NONE if same else TypeChange.WIDER


def _keeps_values(old: ColumnType, new: ColumnType) -> bool:
    if not (old.kind is new.kind is TypeKind.BASE):
        return False
    looser = new.typmod == -1 or (old.typmod != -1 and new.typmod >= old.typmod)
    if old.oid in (_TEXT, _VARCHAR, _BPCHAR) and new.oid in (_TEXT, _VARCHAR):
        return looser or new.oid == _TEXT
    if old.oid == new.oid and old.oid in (_BPCHAR, _VARBIT, *_ROUNDED):
        return looser
    if old.oid == new.oid == _INTERVAL:
        return new.typmod == -1
    if new.oid == _NUMERIC and old.oid in (_NUMERIC, *_INTEGERS):
        return _holds_decimal(old, new)
    if old.oid in _INTEGERS and new.oid in _INTEGERS:
        return _DIGITS[old.oid] <= _DIGITS[new.oid]
    return (old.oid, new.oid) == (_FLOAT4, _FLOAT8)


def _holds_decimal(old: ColumnType, new: ColumnType) -> bool:
    """Whether a numeric, and its DECIMAL, hold every value of the other type as it was."""
    wide, narrow = _DECIMAL.fullmatch(_duckdb(new)), _DECIMAL.fullmatch(_duckdb(old))
    assert wide is not None
    digits, scale = int(wide[1]), int(wide[2])
    if narrow is None:
        return digits - scale >= _DIGITS[old.oid] and _scale(new.typmod) >= 0
    rounded = _scale(new.typmod) < _scale(old.typmod)
    return not rounded and scale >= int(narrow[2]) and digits - scale >= int(narrow[1]) - int(narrow[2])


def _scale(typmod: int) -> int:
    """Decimals of a numeric, negative where it is rounded before the point; numeric.c, numeric_typmod_scale."""
    return _ANY_SCALE if typmod < _HEADER else (((typmod - _HEADER) & 0x7FF) ^ 0x400) - 0x400


def _duckdb(kind: ColumnType) -> str:
    return duckdb_type(Column(name="", type_oid=kind.oid, typmod=kind.typmod))
