"""Rules of the allow-list: casts, and values as text.

Both databases read more than one form of a number or a date, and not the same ones. A cast from text lets through the forms that
both read alike; any other text fails, as a wrong one does in Postgres, and the record is refused.
"""

from __future__ import annotations

from sqlglot import exp

from transforms.sqltypes import (
    BIGINT_TYPE,
    BOOLEAN_TYPE,
    INTEGER_TYPE,
    MOST_DIGITS,
    TEXT_TYPE,
    Kind,
    SqlType,
    as_decimal,
    decimal_type,
)
from transforms.translator import Fragment, RefusedError, Rule, Translator, rule

_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?"
_DATE = r"[12][0-9]{3}-[0-9]{2}-[0-9]{2}"
_FORMS: dict[Kind, str] = {
    Kind.INTEGER: r"[+-]?[0-9]+",
    Kind.BIGINT: r"[+-]?[0-9]+",
    Kind.DECIMAL: r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)",
    Kind.DATE: _DATE,
    Kind.TIMESTAMP: rf"{_DATE}[ T]{_TIME}",
    Kind.INSTANT: rf"{_DATE}[ T]{_TIME}(Z|[+-](0[0-9]|1[0-4])(:[0-5][0-9])?)",
    Kind.UUID: r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
}
_TRUE, _FALSE = "'true', 't', 'yes', 'y', 'on', '1'", "'false', 'f', 'no', 'n', 'off', '0'"
_NO_VALUE = "'?'"  # no type reads it: the cast fails
_TYPES: dict[object, SqlType] = {
    exp.DataType.Type.TEXT: TEXT_TYPE,
    exp.DataType.Type.VARCHAR: TEXT_TYPE,
    exp.DataType.Type.INT: INTEGER_TYPE,
    exp.DataType.Type.BIGINT: BIGINT_TYPE,
    exp.DataType.Type.BOOLEAN: BOOLEAN_TYPE,
    exp.DataType.Type.DATE: SqlType(Kind.DATE),
    exp.DataType.Type.TIMESTAMP: SqlType(Kind.TIMESTAMP),
    exp.DataType.Type.TIMESTAMPNTZ: SqlType(Kind.TIMESTAMP),
    exp.DataType.Type.TIMESTAMPTZ: SqlType(Kind.INSTANT),
    exp.DataType.Type.UUID: SqlType(Kind.UUID),
}
# Casts that mean the same in both and are written the same.
_PLAIN = {
    (Kind.INTEGER, Kind.BIGINT),
    (Kind.BIGINT, Kind.INTEGER),
    (Kind.DECIMAL, Kind.INTEGER),
    (Kind.DECIMAL, Kind.BIGINT),
    (Kind.INTEGER, Kind.DECIMAL),
    (Kind.BIGINT, Kind.DECIMAL),
    (Kind.DECIMAL, Kind.DECIMAL),
    (Kind.BOOLEAN, Kind.INTEGER),
    (Kind.DATE, Kind.TIMESTAMP),
    (Kind.TIMESTAMP, Kind.DATE),
}


def as_text(fragment: Fragment, node: exp.Expr) -> Fragment:
    """Return a value as Postgres would write it; RefusedError for types that the two write differently."""
    kind = fragment.type
    if kind.kind is Kind.TEXT:
        return fragment
    written_alike = kind.is_whole or kind.kind in (Kind.UUID, Kind.DATE, Kind.BOOLEAN, Kind.NULL)
    if not written_alike and not (kind.kind is Kind.DECIMAL and kind.fixed_scale):
        hint = ": cast it to numeric(p, s) first" if kind.kind is Kind.DECIMAL else ""
        raise RefusedError(node, f"{kind} has no text form that both databases share{hint}")
    return Fragment(sql=f"CAST({fragment.sql} AS VARCHAR)", type=TEXT_TYPE, may_fail=fragment.may_fail)


def _cast(translator: Translator, node: exp.Expr) -> Fragment:
    value, wanted = translator.value(node.this), _wanted(node)
    if wanted is None:  # a bare numeric keeps every digit
        if not value.type.is_number:
            raise RefusedError(node, "a cast to numeric needs its precision and scale: numeric(12, 2)")
        kind = as_decimal(value.type)
        return Fragment(sql=f"CAST({value.sql} AS {kind.duckdb})", type=kind, may_fail=value.may_fail)
    if wanted.kind is Kind.TEXT:
        return as_text(value, node)
    if value.type.kind is Kind.NULL or value.type == wanted:
        return Fragment(sql=f"CAST({value.sql} AS {wanted.duckdb})", type=wanted, may_fail=value.may_fail)
    if value.type.kind is Kind.TEXT:
        return _from_text(value, wanted)
    if (value.type.kind, wanted.kind) in _PLAIN:
        return Fragment(sql=f"CAST({value.sql} AS {wanted.duckdb})", type=wanted, may_fail=True)
    instant = Kind.INSTANT in (value.type.kind, wanted.kind)
    hint = ": say which time zone with AT TIME ZONE" if instant else ""
    raise RefusedError(node, f"a cast from {value.type} to {wanted} is not on the list of what mappings may use{hint}")


def _wanted(node: exp.Expr) -> SqlType | None:
    """Return the type that a cast names; None for numeric without precision."""
    to = node.args["to"]
    given = [part.this.this for part in to.expressions]
    if to.this is exp.DataType.Type.DECIMAL and len(given) <= 2 and all(str(each).isdecimal() for each in given):
        return _wanted_decimal(node, [int(each) for each in given])
    found = _TYPES.get(to.this)
    if found is None or given:
        raise RefusedError(
            node, f"casts to {to.sql(dialect='postgres').lower()} are not on the list of what mappings may use"
        )
    return found


def _wanted_decimal(node: exp.Expr, given: list[int]) -> SqlType | None:
    if not given:
        return None
    precision, scale = (*given, 0)[:2]
    if not (1 <= precision <= MOST_DIGITS and scale <= precision):
        raise RefusedError(
            node, f"numeric({precision}, {scale}) must have 1 to {MOST_DIGITS} digits, and no more decimals"
        )
    return decimal_type(precision, scale, fixed_scale=True)


def _from_text(value: Fragment, wanted: SqlType) -> Fragment:
    text = f"trim({value.sql}, ' ')"
    if wanted.kind is Kind.BOOLEAN:
        lower = f"lower({text})"
        read = f"CASE WHEN {lower} IN ({_TRUE}) THEN 'true' WHEN {lower} IN ({_FALSE}) THEN 'false' "
        sql = f"CAST({read}WHEN {text} IS NULL THEN NULL ELSE {_NO_VALUE} END AS BOOLEAN)"
        return Fragment(sql=sql, type=wanted, may_fail=True)
    # NOT of null is null: a null goes on to ELSE and stays one.
    checked = f"CASE WHEN NOT regexp_full_match({text}, '{_FORMS[wanted.kind]}') THEN {_NO_VALUE} ELSE {text} END"
    return Fragment(sql=f"CAST({checked} AS {wanted.duckdb})", type=wanted, may_fail=True)


RULES: dict[type[exp.Expr], Rule] = {exp.Cast: rule(_cast, "this", "to")}
