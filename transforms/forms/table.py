"""The table of types: which form each Postgres type has. docs/reference/types.md is this table, and a test compares the two.

What is a VARCHAR on purpose, and why:
- enums: a DuckDB ENUM would have to be made anew, with every table that uses it, when the source adds a label;
- inet, cidr, macaddr: DuckDB's INET is an extension, which every program that opens the file would have to have;
- xml, tsvector, tsquery, jsonpath, pg_lsn, reg*, tid, snapshots: DuckDB has nothing that holds more of them than their text.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from cdc.column_types import ColumnType, TypeKind
from transforms.forms import geometry, maps, moments, numbers, rows, scalars, sequences
from transforms.forms.form import Form

BOOL, BYTEA, INT8, INT2, INT4, OID, XID, CID = 16, 17, 20, 21, 23, 26, 28, 29
TEXT, JSON, JSONB, FLOAT4, FLOAT8, BPCHAR, VARCHAR = 25, 114, 3802, 700, 701, 1042, 1043
DATE, TIME, TIMESTAMP, TIMESTAMPTZ, NUMERIC, UUID = 1082, 1083, 1114, 1184, 1700, 2950
INTERVAL, TIMETZ, BIT, VARBIT, MONEY, XID8 = 1186, 1266, 1560, 1562, 790, 5069

AS_TEXT = Form()
_SCALARS: Mapping[int, Form] = {
    BOOL: scalars.Cast(duckdb="BOOLEAN"),
    INT2: scalars.Cast(duckdb="SMALLINT"),
    INT4: scalars.Cast(duckdb="INTEGER"),
    INT8: scalars.Cast(duckdb="BIGINT"),
    OID: scalars.Cast(duckdb="UINTEGER"),
    XID: scalars.Cast(duckdb="UINTEGER"),
    CID: scalars.Cast(duckdb="UINTEGER"),
    XID8: scalars.Cast(duckdb="UBIGINT"),
    FLOAT4: numbers.Float(duckdb="FLOAT", bits=32),
    FLOAT8: numbers.Float(duckdb="DOUBLE", bits=64),
    TEXT: scalars.Text(),
    VARCHAR: scalars.Text(),
    BPCHAR: scalars.Padded(),
    BYTEA: scalars.Blob(),
    UUID: scalars.Cast(duckdb="UUID"),
    JSON: scalars.Cast(duckdb="JSON", but="half of a surrogate pair"),
    JSONB: scalars.Cast(duckdb="JSON", but="text that is no JSON to DuckDB (none is known)"),
    BIT: scalars.Cast(duckdb="BIT"),
    VARBIT: scalars.Bits(),
    DATE: moments.Calendar(duckdb="DATE", fits=True),  # to the year 5881580
    TIME: scalars.Cast(duckdb="TIME"),
    TIMETZ: moments.ZonedTime(),
    TIMESTAMP: moments.Calendar(duckdb="TIMESTAMP", fits=False),
    TIMESTAMPTZ: moments.Calendar(duckdb="TIMESTAMPTZ", fits=False),
    INTERVAL: moments.Interval(),
    600: geometry.POINTS,
    601: geometry.SEGMENT,
    602: geometry.PATH,
    603: geometry.BOX,
    604: geometry.POLYGON,
    628: geometry.LINE,
    718: geometry.CIRCLE,
}
_OF_EXTENSIONS: Mapping[str, Form] = {"hstore": maps.Hstore()}
_DEEPEST = 4  # levels of composites in composites: the SQL of a cast grows with each


@lru_cache(maxsize=4096)
def form_of(kind: ColumnType, depth: int = 0) -> Form:
    """Return the form in which DuckDB holds a type."""
    if kind.kind is TypeKind.BASE:
        return _form_of_base(kind)
    if depth > _DEEPEST:
        return AS_TEXT
    element = None if kind.element is None else form_of(kind.element, depth + 1)
    if kind.kind is TypeKind.ARRAY and element is not None:
        return sequences.array(element, kind.delimiter)
    if kind.kind is TypeKind.RANGE and element is not None:
        return rows.range_of(element)
    if kind.kind is TypeKind.MULTIRANGE and isinstance(element, rows.Range):
        return sequences.multirange(element)
    if kind.kind is TypeKind.COMPOSITE and _are_distinct([name for name, _ in kind.fields]):
        return rows.row([(name, form_of(field, depth + 1)) for name, field in kind.fields])
    return AS_TEXT


def _form_of_base(kind: ColumnType) -> Form:
    if kind.oid == NUMERIC:
        return numbers.numeric(kind)
    if kind.oid == MONEY:
        return numbers.money(kind)
    return _OF_EXTENSIONS.get(kind.name) or _SCALARS.get(kind.oid, AS_TEXT)


def _are_distinct(names: list[str]) -> bool:
    """Whether DuckDB can tell a composite's fields apart, whose names are case-insensitive there; a STRUCT has at least one."""
    return 0 < len({name.casefold() for name in names}) == len(names)
