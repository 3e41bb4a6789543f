"""Rules of the allow-list: columns, constants, comparisons, boolean logic, choices (CASE, COALESCE, GREATEST...)."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from transforms.sqltypes import BIGINT_TYPE, BOOLEAN_TYPE, INTEGER_TYPE, NULL_TYPE, TEXT_TYPE, Kind, decimal_type
from transforms.translator import (
    Fragment,
    RefusedError,
    Rule,
    Translator,
    any_fails,
    rule,
    text_literal,
    unify,
)

_INT4_MAX, _INT8_MAX = 2**31 - 1, 2**63 - 1
_COMPARISONS: dict[type[exp.Expr], str] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.NullSafeEQ: "IS NOT DISTINCT FROM",
    exp.NullSafeNEQ: "IS DISTINCT FROM",
}
_EQUALITIES = (exp.EQ, exp.NEQ, exp.NullSafeEQ, exp.NullSafeNEQ, exp.In, exp.Case, exp.Nullif)
_ORDERED = (Kind.INTEGER, Kind.BIGINT, Kind.DECIMAL, Kind.FLOAT, Kind.DATE, Kind.TIMESTAMP, Kind.INSTANT)


def _column(translator: Translator, node: exp.Expr) -> Fragment:
    return translator.column(node)


def _literal(_translator: Translator, node: exp.Expr) -> Fragment:
    text = str(node.this)
    if isinstance(node, exp.Literal) and node.is_string:
        return Fragment(sql=text_literal(text), type=TEXT_TYPE, literal=text, words=frozenset({text}))
    if text.isdecimal() and int(text) <= _INT8_MAX:
        return Fragment(sql=text, type=INTEGER_TYPE if int(text) <= _INT4_MAX else BIGINT_TYPE)
    whole, point, decimals = text.partition(".")
    if not (whole + decimals).isdecimal():
        raise RefusedError(node, f"{text} is a floating-point constant: write its digits out")
    kind = decimal_type(len(whole) + len(decimals), len(decimals), fixed_scale=bool(point))
    if len(whole) + len(decimals) > kind.precision:
        raise RefusedError(node, f"{text} has more than {kind.precision} digits")
    return Fragment(sql=f"CAST('{whole or 0}.{decimals or 0}' AS {kind.duckdb})", type=kind)


def _null(_translator: Translator, _node: exp.Expr) -> Fragment:
    return Fragment(sql="NULL", type=NULL_TYPE)


def _boolean(_translator: Translator, node: exp.Expr) -> Fragment:
    return Fragment(sql="TRUE" if node.this else "FALSE", type=BOOLEAN_TYPE)


def _paren(translator: Translator, node: exp.Expr) -> Fragment:
    return translator.value(node.this)


def _logic(translator: Translator, node: exp.Expr) -> Fragment:
    word = "AND" if isinstance(node, exp.And) else "OR"
    sides = [condition(translator, node.this), condition(translator, node.args["expression"])]
    return _truth(f"({sides[0].sql} {word} {sides[1].sql})", sides)


def _not(translator: Translator, node: exp.Expr) -> Fragment:
    inner = condition(translator, node.this)
    return _truth(f"(NOT {inner.sql})", [inner])


def condition(translator: Translator, node: exp.Expr) -> Fragment:
    """Return the translation of something that must be true, false or null."""
    found = translator.value(node)
    if found.type.kind not in (Kind.BOOLEAN, Kind.NULL):
        raise RefusedError(node, f"a condition is needed here, not {found.type}")
    return found


def _not_word(node: exp.Expr) -> str:
    """Newer versions of sqlglot keep the NOT of IS NOT, NOT IN, NOT LIKE in the node, older ones put a node around it."""
    return "NOT " if node.args.get("negate") else ""


def _truth(sql: str, parts: Sequence[Fragment]) -> Fragment:
    return Fragment(sql=sql, type=BOOLEAN_TYPE, may_fail=any_fails(parts))


def _comparable(fragments: Sequence[Fragment], node: exp.Expr) -> list[Fragment]:
    same, kind = unify(fragments, node)
    if not isinstance(node, _EQUALITIES) and kind.kind not in _ORDERED:
        raise RefusedError(
            node, f"values of {kind} have no order here: the source orders them by a collation of its own"
        )
    return same


def _comparison(translator: Translator, node: exp.Expr) -> Fragment:
    sides = [translator.value(node.this), translator.value(node.args["expression"])]
    left, right = _comparable(sides, node)
    return _truth(f"({left.sql} {_COMPARISONS[type(node)]} {right.sql})", sides)


def _in(translator: Translator, node: exp.Expr) -> Fragment:
    values = [translator.value(each) for each in (node.this, *node.expressions)]
    tested, *listed = _comparable(values, node)
    return _truth(f"({tested.sql} {_not_word(node)}IN ({', '.join(each.sql for each in listed)}))", values)


def _between(translator: Translator, node: exp.Expr) -> Fragment:
    values = [translator.value(node.args[name]) for name in ("this", "low", "high")]
    tested, low, high = _comparable(values, node)
    return _truth(f"({tested.sql} {_not_word(node)}BETWEEN {low.sql} AND {high.sql})", values)


def _is(translator: Translator, node: exp.Expr) -> Fragment:
    tested, what = translator.value(node.this), node.args["expression"]
    if not isinstance(what, exp.Null | exp.Boolean):
        raise RefusedError(node, "IS is for NULL, TRUE and FALSE")
    if isinstance(what, exp.Boolean) and tested.type.kind is not Kind.BOOLEAN:
        raise RefusedError(node, f"a condition is needed here, not {tested.type}")
    word = "NULL" if isinstance(what, exp.Null) else str(what.this).upper()
    return _truth(f"({tested.sql} IS {_not_word(node)}{word})", [tested])


def _case(translator: Translator, node: exp.Expr) -> Fragment:
    branches = node.args["ifs"]
    conditions = [_case_condition(translator, node, branch) for branch in branches]
    default = node.args.get("default") or exp.Null()
    values = [translator.value(each) for each in (*(branch.args["true"] for branch in branches), default)]
    *chosen, otherwise = (same := unify(values, node))[0]
    arms = "".join(f" WHEN {test.sql} THEN {value.sql}" for test, value in zip(conditions, chosen, strict=True))
    return Fragment(
        sql=f"CASE{arms} ELSE {otherwise.sql} END",
        type=same[1],
        may_fail=any_fails([*conditions, *values]),
        words=_all_words(values),
    )


def _case_condition(translator: Translator, node: exp.Expr, branch: exp.Expr) -> Fragment:
    if node.this is None:
        return condition(translator, branch.this)
    values = [translator.value(node.this), translator.value(branch.this)]
    left, right = _comparable(values, node)
    return _truth(f"({left.sql} = {right.sql})", values)


def _all_words(values: Sequence[Fragment]) -> frozenset[str] | None:
    """The texts that a choice between values can give, if all of them are known."""
    known = [value.words for value in values if value.type.kind is not Kind.NULL]
    return None if None in known else frozenset().union(*(each for each in known if each is not None))


def _coalesce(translator: Translator, node: exp.Expr) -> Fragment:
    values = [translator.value(each) for each in (node.this, *node.expressions)]
    same, kind = unify(values, node)
    sql = f"COALESCE({', '.join(each.sql for each in same)})"
    return Fragment(sql=sql, type=kind, may_fail=any_fails(values), words=_all_words(values))


def _nullif(translator: Translator, node: exp.Expr) -> Fragment:
    values = [translator.value(node.this), translator.value(node.args["expression"])]
    left, right = _comparable(values, node)
    # Postgres compares in the common type but gives back the first operand in its own.
    sql = f"CASE WHEN {left.sql} = {right.sql} THEN NULL ELSE {values[0].sql} END"
    return Fragment(sql=sql, type=values[0].type, may_fail=any_fails(values), words=values[0].words)


def _extreme(translator: Translator, node: exp.Expr) -> Fragment:
    values = [translator.value(each) for each in (node.this, *node.expressions)]
    same = _comparable(values, node)
    name = "greatest" if isinstance(node, exp.Greatest) else "least"
    sql = f"{name}({', '.join(each.sql for each in same)})"
    return Fragment(sql=sql, type=same[0].type, may_fail=any_fails(values))


def _like(translator: Translator, node: exp.Expr) -> Fragment:
    tested, pattern = translator.value(node.this), node.args["expression"]
    if not (isinstance(pattern, exp.Literal) and pattern.is_string) or str(pattern.this).endswith("\\"):
        raise RefusedError(node, "the pattern of LIKE must be a constant in quotes that does not end with a backslash")
    if translator.is_padded(node.this):
        raise RefusedError(node, "LIKE sees the blanks at the end of a char(n): cast it to text")
    if tested.type.kind is not Kind.TEXT:
        raise RefusedError(node, f"LIKE is for text, not {tested.type}")
    return _truth(f"({tested.sql} {_not_word(node)}LIKE {text_literal(str(pattern.this))} ESCAPE '\\')", [tested])


_BINARY = ("this", "expression")

RULES: dict[type[exp.Expr], Rule] = {
    exp.Column: rule(_column, "this", "table"),
    exp.Literal: rule(_literal, "this", "is_string"),
    exp.Null: rule(_null),
    exp.Boolean: rule(_boolean, "this"),
    exp.Paren: rule(_paren, "this"),
    exp.And: rule(_logic, *_BINARY),
    exp.Or: rule(_logic, *_BINARY),
    exp.Not: rule(_not, "this"),
    **{kind: rule(_comparison, *_BINARY) for kind in _COMPARISONS},
    exp.In: rule(_in, "this", "expressions", "negate"),
    exp.Between: rule(_between, "this", "low", "high", "negate"),
    exp.Is: rule(_is, *_BINARY, "negate"),
    exp.Case: rule(_case, "this", "ifs", "default"),
    exp.Coalesce: rule(_coalesce, "this", "expressions"),
    exp.Nullif: rule(_nullif, *_BINARY),
    exp.Greatest: rule(_extreme, "this", "expressions"),
    exp.Least: rule(_extreme, "this", "expressions"),
    exp.Like: rule(_like, *_BINARY, "negate"),
}
