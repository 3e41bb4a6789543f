"""What a source's catalog says of the types that an OID alone does not tell: domains, arrays of them, enums, composites, ranges,
extensions' types, and how many decimals money has there.

A type keeps what it is made of for as long as it lives, but for a composite, to which fields may be added: so the catalog may be
asked at any time what an OID in the log means. A type that is gone by then is text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import psycopg

from cdc.column_types import (
    AS_TEXT,
    FIRST_DESCRIBED_OID,
    MONEY,
    ColumnType,
    TypeKind,
    builtin_type,
)
from cdc.connection import TEXT_FORMAT, PlainConnection
from cdc.driver_errors import translate
from cdc.relation import Column
from cdc.type_names import ARRAY_ELEMENTS

# An array is what array_in makes; int2vector and the like are built differently. The delimiter is the element's (array_out).
_TYPES = """
SELECT t.oid::int8, t.typtype::text, t.typname::text, t.typbasetype::int8, t.typtypmod,
    CASE WHEN t.typtype = 'b' AND t.typsubscript = 'array_subscript_handler'::regproc THEN t.typelem ELSE 0 END::int8,
    coalesce(e.typdelim, ',')::text, coalesce(r.rngsubtype, m.rngtypid, 0)::int8,
    EXISTS (SELECT FROM pg_depend d
        WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'),
    f.names, f.oids, f.typmods
FROM pg_type t
LEFT JOIN pg_type e ON e.oid = t.typelem
LEFT JOIN pg_range r ON r.rngtypid = t.oid
LEFT JOIN pg_range m ON m.rngmultitypid = t.oid
LEFT JOIN LATERAL (
    SELECT array_agg(a.attname::text ORDER BY a.attnum) AS names, array_agg(a.atttypid::int8 ORDER BY a.attnum) AS oids,
        array_agg(a.atttypmod ORDER BY a.attnum) AS typmods
    FROM pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
) AS f ON t.typtype = 'c'
WHERE t.oid = ANY (%s)
"""
_USUAL_DECIMALS = 2
_DEEPEST = 8  # types within types; Postgres lets no type contain itself


@dataclass(frozen=True, kw_only=True, slots=True)
class _Row:
    """One row of pg_type. `element`: of an array; `part`: a range's subtype, a multirange's range."""

    oid: int
    typtype: str
    name: str
    base: int
    base_typmod: int
    element: int
    delimiter: str
    part: int
    of_extension: bool
    field_names: list[str] | None
    field_oids: list[int] | None
    field_typmods: list[int] | None

    def parts(self) -> set[int]:
        """Return the OIDs of the types that it is made of."""
        return {self.base, self.element, self.part, *(self.field_oids or ())} - {0}


def needs_catalog(oid: int) -> bool:
    """Return whether an OID alone does not say what the type is made of."""
    return oid >= FIRST_DESCRIBED_OID or MONEY in (oid, ARRAY_ELEMENTS.get(oid))


def described_types(connection: PlainConnection, columns: Iterable[Column]) -> dict[tuple[int, int], ColumnType | None]:
    """Return, by type OID and modifier, what the types of these columns are made of; None where the OID says it.

    CausewayError as `cdc.driver_errors` maps it.
    """
    wanted = {(column.type_oid, column.typmod) for column in columns if needs_catalog(column.type_oid)}
    if not wanted:
        return {}
    try:
        rows = _with_parts(connection, {oid for oid, _ in wanted})
        money = any(MONEY in (oid, ARRAY_ELEMENTS.get(oid)) for row in rows.values() for oid in (row.oid, *row.parts()))
        decimals = _decimals_of_money(connection) if money else _USUAL_DECIMALS
    except psycopg.Error as error:
        raise translate(error, "reading the types of the captured tables") from error
    made = {(oid, typmod): _made(rows, decimals, oid, typmod) for oid, typmod in wanted}
    return {key: None if kind == builtin_type(*key) else kind for key, kind in made.items()}


def _with_parts(connection: PlainConnection, oids: set[int]) -> Mapping[int, _Row]:
    """Read the types, the types that they are made of, and so on."""
    rows: dict[int, _Row] = {}
    while oids:
        found = connection.execute(_TYPES, [sorted(oids)]).fetchall()
        names = tuple(_Row.__dataclass_fields__)
        rows |= {row[0]: _Row(**dict(zip(names, row, strict=True))) for row in found}
        asked = rows.keys() | oids
        oids = {part for row in rows.values() for part in row.parts() if needs_catalog(part)} - asked
    return rows


def _made(rows: Mapping[int, _Row], decimals: int, oid: int, typmod: int, depth: int = 0) -> ColumnType:
    def of(part: int, its_typmod: int = -1) -> ColumnType:
        return _made(rows, decimals, part, its_typmod, depth + 1)

    if not needs_catalog(oid):
        return builtin_type(oid, typmod)
    row = rows.get(oid)
    if row is None or depth > _DEEPEST:
        return AS_TEXT
    if oid == MONEY:
        return ColumnType(kind=TypeKind.BASE, oid=oid, typmod=-1 if decimals == _USUAL_DECIMALS else decimals)
    if row.element:
        element = of(row.element, typmod)
        return ColumnType(kind=TypeKind.ARRAY, oid=oid, element=element, delimiter=row.delimiter)
    match row.typtype:
        case "d":
            return of(row.base, row.base_typmod)
        case "e":
            return ColumnType(kind=TypeKind.ENUM, oid=oid)
        case "r":
            return ColumnType(kind=TypeKind.RANGE, oid=oid, element=of(row.part))
        case "m":
            return ColumnType(kind=TypeKind.MULTIRANGE, oid=oid, element=of(row.part))
        case "c":
            fields = zip(row.field_names or (), row.field_oids or (), row.field_typmods or (), strict=True)
            listed = tuple((name, of(field, field_typmod)) for name, field, field_typmod in fields)
            return ColumnType(kind=TypeKind.COMPOSITE, oid=oid, fields=listed)
    return ColumnType(kind=TypeKind.BASE, oid=oid, typmod=typmod, name=row.name if row.of_extension else "")


def _decimals_of_money(connection: PlainConnection) -> int:
    """Ask how many decimals money has under the database's own lc_monetary, which capture's sessions set aside."""
    own = connection.execute("SELECT reset_val FROM pg_settings WHERE name = 'lc_monetary'").fetchone()
    assert own is not None
    # In statements of their own: a constant would be read before the setting is.
    connection.execute("SELECT set_config('lc_monetary', %s, false)", own)
    found = connection.execute("SELECT scale('1'::money::numeric)").fetchone()
    connection.execute("SELECT set_config('lc_monetary', %s, false)", [TEXT_FORMAT["lc_monetary"]])
    assert found is not None
    return int(found[0])
