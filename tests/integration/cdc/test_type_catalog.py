"""What the code knows of built-in types is what every version's catalog says; all others are asked for, and taken apart."""

from __future__ import annotations

from collections.abc import Sequence

from cdc.column_types import AS_TEXT, FIRST_DESCRIBED_OID, ColumnType, TypeKind, builtin_type
from cdc.relation import Column
from cdc.type_catalog import described_types, needs_catalog
from cdc.type_names import ARRAY_ELEMENTS, BUILTIN_NAMES, builtin_type_name
from tests.fixtures.postgres import EVERY_POSTGRES, FreshDatabase

ARRAYS = """
    SELECT oid::int8, typelem::int8 FROM pg_type
    WHERE oid < 10000 AND typsubscript = 'array_subscript_handler'::regproc AND typname LIKE '\\_%'
        AND typelem IN (SELECT oid FROM pg_type WHERE typtype <> 'c' AND typtype <> 'p') AND typname <> '_gtsvector'
"""
INTEGER, MONEY = builtin_type(23, -1), 790


@EVERY_POSTGRES
def test_built_in_arrays_ranges_and_names_are_those_of_the_catalog(database: FreshDatabase) -> None:
    with database.connect() as connection:
        arrays: dict[int, int] = dict(connection.execute(ARRAYS.encode()).fetchall())
        ranges = connection.execute(
            "SELECT rngtypid::int8, rngsubtype::int8, rngmultitypid::int8 FROM pg_range"
        ).fetchall()
        named: dict[int, str] = dict(
            connection.execute("SELECT oid::int8, format_type(oid, NULL) FROM pg_type").fetchall()
        )
    assert {oid: ARRAY_ELEMENTS.get(oid) for oid in arrays} == arrays
    for oid, subtype, multirange in ranges:
        kind, many = builtin_type(oid, -1), builtin_type(multirange, -1)
        assert (kind.kind, kind.element) == (TypeKind.RANGE, builtin_type(subtype, -1))
        assert (many.kind, many.element) == (TypeKind.MULTIRANGE, kind)
    known = {oid: builtin_type_name(oid, -1) for oid in (*BUILTIN_NAMES, *ARRAY_ELEMENTS) if oid in named}
    # format_type without a modifier at all, and with one of -1, write char(n) differently.
    unlike = {oid for oid, name in known.items() if name != named[oid]}
    assert unlike <= {1042, 1014}


def described(database: FreshDatabase, types: Sequence[str], *ddl: str) -> list[ColumnType | None]:
    """The types of columns of these types, as the catalog describes them."""
    with database.connect(autocommit=True) as connection:
        for statement in ddl:
            connection.execute(statement.encode())
        columns = ", ".join(f"c{number} {name}" for number, name in enumerate(types))
        connection.execute(f"CREATE TABLE v ({columns})".encode())
        rows = connection.execute(
            "SELECT attname, atttypid::int8, atttypmod FROM pg_attribute WHERE attrelid = 'v'::regclass AND attnum > 0 ORDER BY attnum"
        ).fetchall()
        found = described_types(
            connection, [Column(name=name, type_oid=oid, typmod=typmod) for name, oid, typmod in rows]
        )
        return [found.get((oid, typmod)) for _, oid, typmod in rows]


def test_only_types_that_an_oid_does_not_tell_are_asked_for(database: FreshDatabase) -> None:
    assert described(database, ["int", "numeric(12,2)", "text[]", "money", "tstzmultirange"]) == [None] * 5
    assert not needs_catalog(1700)
    assert needs_catalog(FIRST_DESCRIBED_OID)
    assert needs_catalog(MONEY)


def test_a_domain_is_its_base_with_the_bases_modifier(database: FreshDatabase) -> None:
    found = described(
        database,
        ["net_price", "net_price[]", "codes", "information_schema.sql_identifier"],
        "CREATE DOMAIN price AS numeric(10,2)",
        "CREATE DOMAIN net_price AS price NOT NULL",
        "CREATE DOMAIN codes AS varchar(5)[]",
    )
    price = builtin_type(1700, (10 << 16 | 2) + 4)
    assert found[0] == price
    assert found[1] is not None
    assert (found[1].kind, found[1].element) == (TypeKind.ARRAY, price)
    assert found[2] == builtin_type(1015, 9)
    assert found[3] == builtin_type(19, -1)


def test_composites_ranges_and_enums_are_taken_apart(database: FreshDatabase) -> None:
    found = described(
        database,
        ["pair", "spans", "spans_many", "mood"],
        "CREATE TYPE mood AS ENUM ('ok')",
        "CREATE TYPE pair AS (a int, gone text, b mood[])",
        "ALTER TYPE pair DROP ATTRIBUTE gone",
        "CREATE TYPE spans AS RANGE (subtype = float8, multirange_type_name = spans_many)",
    )
    row, span, many, mood = found
    assert row is not None
    assert span is not None
    assert many is not None
    assert mood is not None
    assert (row.kind, [name for name, _ in row.fields], row.fields[0][1]) == (TypeKind.COMPOSITE, ["a", "b"], INTEGER)
    assert row.fields[1][1].element == mood
    assert mood.kind is TypeKind.ENUM
    assert (span.kind, span.element) == (TypeKind.RANGE, builtin_type(701, -1))
    assert (many.kind, many.element) == (TypeKind.MULTIRANGE, span)


def test_a_type_that_is_gone_is_text(database: FreshDatabase) -> None:
    with database.connect() as connection:
        column = Column(name="v", type_oid=4_000_000_000)
        assert described_types(connection, [column]) == {(column.type_oid, -1): AS_TEXT}
