"""From Postgres's text form to DuckDB's types: what a column becomes, how its text is cast, how both sides are compared.

Contract: `cdc` hands every value on as text in Postgres's output form under ``DateStyle = ISO``, ``TimeZone = UTC``,
``bytea_output = hex``. The batch mapper and the mirror cast with `cast_sql`, so that a value has one path into DuckDB.
No cast raises: what a type cannot hold exactly becomes NULL, and the mirror keeps its text in meta.value_exceptions.
Expressions are SQL over a column reference that the caller has quoted; values never go into them.

Sources: PostgreSQL's pg_type.dat (OIDs), numeric.c (typmod), "Array Input and Output Syntax"; DuckDB 1.5 tried case by case in
tests/integration/warehouse/test_columns.py, where Postgres renders the values.
"""

from __future__ import annotations

from cdc.relation import Column

BOOL, BYTEA, INT8, INT2, INT4, OID = 16, 17, 20, 21, 23, 26
TEXT, JSON, JSONB, FLOAT4, FLOAT8, BPCHAR, VARCHAR = 25, 114, 3802, 700, 701, 1042, 1043
DATE, TIME, TIMESTAMP, TIMESTAMPTZ, NUMERIC, UUID = 1082, 1083, 1114, 1184, 1700, 2950

# Intervals stay text: DuckDB reads '-1 days +02:03:00' as nothing, and compares by length instead of by parts.
_PLAIN: dict[int, str] = {
    BOOL: "BOOLEAN",
    BYTEA: "BLOB",
    INT8: "BIGINT",
    INT2: "SMALLINT",
    INT4: "INTEGER",
    OID: "UINTEGER",
    JSON: "JSON",
    JSONB: "JSON",
    FLOAT4: "FLOAT",
    FLOAT8: "DOUBLE",
    DATE: "DATE",
    TIME: "TIME",
    TIMESTAMP: "TIMESTAMP",
    TIMESTAMPTZ: "TIMESTAMPTZ",
    UUID: "UUID",
}
_ELEMENTS: dict[int, int] = {
    1000: BOOL,
    1005: INT2,
    1007: INT4,
    1016: INT8,
    1028: OID,
    1009: TEXT,
    1014: BPCHAR,
    1015: VARCHAR,
    1021: FLOAT4,
    1022: FLOAT8,
    1115: TIMESTAMP,
    1182: DATE,
    1183: TIME,
    1185: TIMESTAMPTZ,
    1231: NUMERIC,
    2951: UUID,
}
_ALWAYS_FIT = frozenset(
    {BOOL, BYTEA, INT8, INT2, INT4, OID, FLOAT4, FLOAT8, TEXT, BPCHAR, VARCHAR, UUID, DATE, TIME}  # dates to 5881580
)
UNCONSTRAINED_SCALE = 10  # of numeric without a precision: DECIMAL(38, 10)
_MOST_DIGITS = 38
_WIDEST_SCALE = 18  # of numeric(p, s) with p above 38: leaves 20 digits before the point
_TYPMOD_HEADER = 4

# One element of a one-dimensional array: quoted with backslash escapes, or bare (then without commas, quotes or blanks).
_ELEMENT = r"""'(?s)"(?:[^"\\]|\\.)*"|[^,]+'"""


def duckdb_type(column: Column) -> str:
    """Return the DuckDB type of a column's mirror, e.g. ``DECIMAL(12,2)``, ``TIMESTAMPTZ``, ``VARCHAR[]``."""
    element = element_of(column)
    if element is not None:
        return f"{duckdb_type(element)}[]"
    if column.type_oid == NUMERIC:
        precision, scale, _ = decimal_parts(column)
        return f"DECIMAL({precision},{scale})"
    return _PLAIN.get(column.type_oid, "VARCHAR")


def element_of(column: Column) -> Column | None:
    """Return a column of the array's element type; None where the column is no array that becomes a LIST."""
    oid = _ELEMENTS.get(column.type_oid)
    return None if oid is None else Column(name=column.name, type_oid=oid, typmod=column.typmod)


def may_not_fit(column: Column) -> bool:
    """Return whether the column can hold a value that its DuckDB type cannot: NaN in a numeric, a year past 294247."""
    return column.type_oid not in _ALWAYS_FIT and (column.type_oid in (*_PLAIN, *_ELEMENTS, NUMERIC))


def cast_sql(column: Column, expression: str) -> str:
    """Return SQL that casts Postgres's text to `duckdb_type(column)`; NULL where the value does not fit exactly."""
    oid, wanted = column.type_oid, duckdb_type(column)
    if element_of(column) is not None:
        return _cast_array(column, expression)
    if oid == NUMERIC:
        return _cast_numeric(column, expression, wanted)
    if oid == BYTEA:
        return f"TRY(unhex(substr({expression}, 3)))"
    if oid == BPCHAR:  # its blanks at the end mean nothing, and `::text` at the source drops them
        return f"rtrim(CAST({expression} AS VARCHAR), ' ')"
    if oid in (DATE, TIMESTAMP, TIMESTAMPTZ):
        # DuckDB writes BC behind the date, in brackets; it reads '0044-03-15 BC' as the year 44 of our era.
        before_christ = rf"regexp_replace({expression}, '^(\S+)(.*) BC$', '\1 (BC)\2')"
        return f"TRY_CAST(CASE WHEN suffix({expression}, 'BC') THEN {before_christ} ELSE {expression} END AS {wanted})"
    return f"CAST({expression} AS VARCHAR)" if wanted == "VARCHAR" else f"TRY_CAST({expression} AS {wanted})"


def checksum_sql_postgres(column: Column, expression: str) -> str:
    """Return Postgres SQL for the canonical text of a value; NULL for NULL. Needs the session settings named above."""
    element, oid = element_of(column), column.type_oid
    if element is not None:
        inner = _measured(checksum_sql_postgres(element, "u.e"))
        listed = f"SELECT string_agg({inner}, ',' ORDER BY u.n) FROM unnest({expression}) WITH ORDINALITY AS u(e, n)"
        odd = f"array_ndims({expression}) > 1 OR array_lower({expression}, 1) <> 1"
        one_dimension = f"'{{' || coalesce(({listed}), '') || '}}'"
        return f"CASE WHEN {expression} IS NULL THEN NULL WHEN {odd} THEN {expression}::text ELSE {one_dimension} END"
    if oid == NUMERIC:
        return f"trim_scale({expression})::text"
    if oid in (FLOAT4, FLOAT8):
        size = 32 if oid == FLOAT4 else 64
        return f"('x' || encode(float{size // 8}send({expression}), 'hex'))::bit({size})::text"
    if oid == BYTEA:
        return f"encode({expression}, 'hex')"
    if oid in _PLAIN or oid in (TEXT, BPCHAR, VARCHAR):
        return f"{expression}::text"
    # concat() uses the type's output function, as the log does: inet::text would add a netmask.
    return f"CASE WHEN {expression} IS NULL THEN NULL ELSE concat({expression}) END"


def checksum_sql_duckdb(column: Column, expression: str) -> str:
    """Return DuckDB SQL (TimeZone UTC) for the same canonical text, over the mirror's typed column; NULL for NULL."""
    element, oid = element_of(column), column.type_oid
    if element is not None:
        return _listed(expression, checksum_sql_duckdb(element, "e"))
    text = f"CAST({expression} AS VARCHAR)"
    if oid == NUMERIC:
        return _trimmed(text)
    if oid in (FLOAT4, FLOAT8):
        return f"CAST(CAST({expression} AS BIT) AS VARCHAR)"
    if oid == BYTEA:
        return f"lower(hex({expression}))"
    if oid in (DATE, TIMESTAMP, TIMESTAMPTZ):
        moved = rf"regexp_replace({text}, '^(\S+) \(BC\)(.*)$', '\1\2 BC')"
        return f"CASE WHEN contains({text}, '(BC)') THEN {moved} ELSE {text} END"
    return text


def checksum_sql_text(column: Column, expression: str) -> str:
    """Return DuckDB SQL for the same canonical text, over Postgres's text of a value that did not fit its column."""
    element = element_of(column)
    if element is not None:
        listed = _listed(_array_texts(expression), checksum_sql_text(element, "e"))
        return f"CASE WHEN {_is_odd_array(expression)} THEN {expression} ELSE {listed} END"
    return _trimmed(expression) if column.type_oid == NUMERIC else expression


def decimal_parts(column: Column) -> tuple[int, int, bool]:
    """Return a numeric's DECIMAL precision and scale, and whether every finite value of the column fits them.

    typmod - 4 holds the precision above 16 bits of a signed 11-bit scale. One digit is kept before the point, because
    DuckDB writes a DECIMAL(2,2) as '.25'.
    """
    if column.typmod < _TYPMOD_HEADER:
        return _MOST_DIGITS, UNCONSTRAINED_SCALE, False
    packed = column.typmod - _TYPMOD_HEADER
    precision, scale = packed >> 16, ((packed & 0x7FF) ^ 0x400) - 0x400
    if scale < 0:  # numeric(3, -2) holds 99900
        precision, scale = precision - scale, 0
    precision = max(precision, scale + 1)  # numeric(3, 5) holds 0.00999
    if precision <= _MOST_DIGITS:
        return precision, scale, True
    return _MOST_DIGITS, min(scale, _WIDEST_SCALE), False


def _cast_numeric(column: Column, expression: str, wanted: str) -> str:
    """A cast to DECIMAL rounds in silence: where the column may hold more decimals, such a value is not held."""
    _, scale, exact = decimal_parts(column)
    cast = f"TRY_CAST({expression} AS {wanted})"
    if exact:
        return cast
    rounds = rf"length({expression}) > {scale + 1} AND regexp_matches({expression}, '\.\d{{{scale}}}\d*[1-9]')"
    return f"CASE WHEN {rounds} THEN NULL ELSE {cast} END"


def _cast_array(column: Column, expression: str) -> str:
    """One dimension from subscript 1; any other array, and one with an element that does not fit, is not held."""
    element = element_of(column)
    assert element is not None
    texts = _array_texts(expression)
    typed = f"list_transform({texts}, lambda e: {cast_sql(element, 'e')})"
    odd = _is_odd_array(expression)
    if not may_not_fit(element):
        return f"CASE WHEN {odd} THEN NULL ELSE {typed} END"
    return f"CASE WHEN {odd} OR list_count({typed}) <> list_count({texts}) THEN NULL ELSE {typed} END"


def _is_odd_array(expression: str) -> str:
    return f"starts_with({expression}, '{{{{') OR starts_with({expression}, '[')"


def _array_texts(expression: str) -> str:
    """SQL for the list of an array's elements as text, unquoted; an unquoted NULL in any case is NULL."""
    elements = f"regexp_extract_all(substr({expression}, 2, length({expression}) - 2), {_ELEMENT})"
    unquoted = r"regexp_replace(q[2:-2], '(?s)\\(.)', '\1', 'g')"
    choice = f"CASE WHEN starts_with(q, '\"') THEN {unquoted} WHEN q = 'NULL' THEN NULL ELSE q END"
    return f"list_transform({elements}, lambda q: {choice})"


def _listed(list_expression: str, element: str) -> str:
    return f"'{{' || array_to_string(list_transform({list_expression}, lambda e: {_measured(element)}), ',') || '}}'"


def _measured(text: str) -> str:
    """SQL for an element with its length in characters before it, so that no two lists look alike; both dialects."""
    return f"coalesce(length({text}) || ':' || {text}, 'N')"


def _trimmed(text: str) -> str:
    return f"CASE WHEN contains({text}, '.') THEN rtrim(rtrim({text}, '0'), '.') ELSE {text} END"
