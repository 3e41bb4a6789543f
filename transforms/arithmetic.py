"""Rules of the allow-list: arithmetic in exact numbers. Money never passes through floating point.

Postgres's numeric has as many digits as it needs. DuckDB's DECIMAL has 38, adds and multiplies exactly within them, raises
beyond them, and divides as DOUBLE. So division is allowed where it is exact (by a power of ten: ``cents / 100.0`` becomes
``cents * 0.01``) or whole (integer by integer, cut off towards zero by both), and refused elsewhere.

Where Postgres gives up digits or gives up, the exact result stands: it rounds quotients above 10^16 to its 16 significant
digits, and smallint overflows where this computes with integers.
"""

from __future__ import annotations

from decimal import Decimal

from sqlglot import exp

from transforms.sqltypes import BIGINT_TYPE, INTEGER_TYPE, MOST_DIGITS, Kind, SqlType, as_decimal, decimal_type
from transforms.translator import Fragment, RefusedError, Rule, Translator, rule, whole_literal

_SYMBOLS: dict[type[exp.Expr], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*"}
_INT64_DIGITS = 18


def _number(translator: Translator, node: exp.Expr, parent: exp.Expr) -> Fragment:
    found = translator.value(node)
    if found.type.kind is Kind.FLOAT:
        raise RefusedError(parent, "floating-point numbers are not exact: mappings do not compute with them")
    if not found.type.is_number:
        raise RefusedError(parent, f"{translator.name_of(parent)} needs exact numbers, not {found.type}")
    return found


def _sides(translator: Translator, node: exp.Expr) -> tuple[Fragment, Fragment]:
    return _number(translator, node.this, node), _number(translator, node.args["expression"], node)


def _whole_result(left: Fragment, right: Fragment) -> SqlType:
    return BIGINT_TYPE if BIGINT_TYPE in (left.type, right.type) else INTEGER_TYPE


def _arithmetic(translator: Translator, node: exp.Expr) -> Fragment:
    left, right = _sides(translator, node)
    symbol = _SYMBOLS[type(node)]
    if left.type.is_whole and right.type.is_whole:
        kind = _whole_result(left, right)
        return Fragment(sql=f"(CAST({left.sql} AS {kind.duckdb}) {symbol} {right.sql})", type=kind, may_fail=True)
    first, second = as_decimal(left.type), as_decimal(right.type)
    if symbol == "*" and first.scale + second.scale > MOST_DIGITS:
        raise RefusedError(node, f"{first} * {second} needs more than {MOST_DIGITS} decimals: round() one side first")
    wide = _widened(first, second, symbol)
    kind = _product(wide, second) if symbol == "*" else _sum(wide, second)
    return Fragment(sql=f"(CAST({left.sql} AS {wide.duckdb}) {symbol} {right.sql})", type=kind, may_fail=True)


def _widened(first: SqlType, second: SqlType, symbol: str) -> SqlType:
    """Return the type for the first operand.

    DuckDB keeps results of operands of up to 18 digits at 18 digits and raises above them (decimal arithmetic's bind functions):
    a first operand of 19 digits makes it compute with 128 bits.
    """
    result = _product(first, second) if symbol == "*" else _sum(first, second)
    if result.precision > _INT64_DIGITS >= max(first.precision, second.precision):
        return decimal_type(_INT64_DIGITS + 1, first.scale)
    return decimal_type(first.precision, first.scale)


def _product(first: SqlType, second: SqlType) -> SqlType:
    fixed = first.fixed_scale and second.fixed_scale
    return decimal_type(first.precision + second.precision, first.scale + second.scale, fixed_scale=fixed)


def _sum(first: SqlType, second: SqlType) -> SqlType:
    scale = max(first.scale, second.scale)
    digits = max(first.precision - first.scale, second.precision - second.scale)
    return decimal_type(digits + scale + 1, scale)


def _division(translator: Translator, node: exp.Expr) -> Fragment:
    left, right = _sides(translator, node)
    divisor = node.args["expression"].unnest()
    if left.type.is_whole and right.type.is_whole:
        return _whole_division(node, left, right, divisor)
    power = _power_of_ten(divisor)
    if power is None:
        raise RefusedError(
            node,
            "DuckDB divides decimals as floating point: divide by 10, 100, 1000..., or multiply by a constant and round()",
        )
    number, kind = as_decimal(left.type), decimal_type(power, power)
    if number.scale + power > MOST_DIGITS:
        raise RefusedError(node, f"{number} / 1e{power} needs more than {MOST_DIGITS} decimals")
    wide = _widened(number, kind, "*")
    factor = f"CAST('{Decimal(1).scaleb(-power):f}' AS {kind.duckdb})"
    result = decimal_type(wide.precision + power, wide.scale + power)  # its text has another scale in Postgres
    return Fragment(sql=f"(CAST({left.sql} AS {wide.duckdb}) * {factor})", type=result, may_fail=left.may_fail)


def _whole_division(node: exp.Expr, left: Fragment, right: Fragment, divisor: exp.Expr) -> Fragment:
    if not isinstance(divisor, exp.Nullif):  # by zero, Postgres raises and DuckDB gives null
        whole_literal(divisor, 1, node, "the divisor of whole numbers (or else `nullif(x, 0)`)")
    elif not (isinstance(divisor.expression, exp.Literal) and str(divisor.expression.this) == "0"):
        raise RefusedError(node, "the divisor of whole numbers must be a constant or `nullif(x, 0)`")
    kind = _whole_result(left, right)
    sql = f"(CAST({left.sql} AS {kind.duckdb}) // CAST({right.sql} AS {kind.duckdb}))"
    return Fragment(sql=sql, type=kind, may_fail=True)


def _power_of_ten(node: exp.Expr) -> int | None:
    """Return n for a constant of 10 to the n, n from 1 to 9."""
    if not (isinstance(node, exp.Literal) and not node.is_string):
        return None
    value = Decimal(str(node.this))
    return next((power for power in range(1, 10) if value == Decimal(1).scaleb(power)), None)


def _negative(translator: Translator, node: exp.Expr) -> Fragment:
    number = _number(translator, node.this, node)
    return Fragment(sql=f"(-{number.sql})", type=number.type, may_fail=True)


def _absolute(translator: Translator, node: exp.Expr) -> Fragment:
    number = _number(translator, node.this, node)
    return Fragment(sql=f"abs({number.sql})", type=number.type, may_fail=True)


def _round(translator: Translator, node: exp.Expr) -> Fragment:
    number = _number(translator, node.this, node)
    if number.type.kind is not Kind.DECIMAL:
        raise RefusedError(node, "round() of a whole number is floating point in Postgres: leave it out")
    given = node.args.get("decimals")
    decimals = 0 if given is None else whole_literal(given, 0, node, "the second argument of round()")
    precision = number.type.precision - number.type.scale + 1 + decimals
    if decimals >= number.type.scale:  # nothing to round away; Postgres only adds zeros
        return Fragment(sql=number.sql, type=decimal_type(number.type.precision, number.type.scale), may_fail=True)
    kind = decimal_type(precision, decimals, fixed_scale=True)
    return Fragment(sql=f"CAST(round({number.sql}, {decimals}) AS {kind.duckdb})", type=kind, may_fail=number.may_fail)


RULES: dict[type[exp.Expr], Rule] = {
    **{kind: rule(_arithmetic, "this", "expression") for kind in _SYMBOLS},
    exp.Div: rule(_division, "this", "expression"),
    exp.Neg: rule(_negative, "this"),
    exp.Abs: rule(_absolute, "this"),
    exp.Round: rule(_round, "this", "decimals"),
}
