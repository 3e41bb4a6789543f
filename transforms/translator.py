"""From one Postgres expression to one DuckDB expression with a type: the frame in which the rules of the allow-list work.

Contract: a rule (transforms.operators, .casts, .functions, .documents) takes a node of sqlglot's tree and gives a `Fragment`, or
raises `RefusedError`. What has no rule is refused by name: an expression means in DuckDB what it means in Postgres, or it does not
compile. The SQL is written here and not by sqlglot's generator, because equal results depend on the operands' types
(DuckDB divides decimals as doubles), and each rule's text is proven against Postgres in tests/integration/transforms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlglot import exp

from cdc.relation import Column
from transforms.columns import type_of
from transforms.forms.table import BPCHAR
from transforms.names import nearest
from transforms.sqltypes import NULL_TYPE, TEXT_TYPE, Kind, SqlType, column_type, common_type

# Arguments that sqlglot sets to say how other dialects behave; Postgres's behaviour is what the rules give.
_DIALECT_FLAGS = frozenset({"typed", "safe", "coalesce", "ignore_nulls", "only_json_types", "nested"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Fragment:
    """A DuckDB expression.

    `may_fail`: can raise on some row (a cast, an overflow), as Postgres would. `literal`: the text of a string constant, whose
    type in Postgres depends on what it meets. `words`: all the texts that it can give, None where they are not known.
    """

    sql: str
    type: SqlType
    may_fail: bool = False
    literal: str | None = None
    words: frozenset[str] | None = None


class RefusedError(Exception):
    """A mistake in a mapping at one node of its tree."""

    def __init__(self, node: exp.Expr, message: str) -> None:
        super().__init__(message)
        self.node = node
        self.message = message


@dataclass(frozen=True, slots=True)
class Rule:
    """How a kind of node is translated, and which of its arguments the rule reads: any other that is given is refused."""

    apply: Callable[[Translator, exp.Expr], Fragment]
    arguments: frozenset[str]


def rule(apply: Callable[[Translator, exp.Expr], Fragment], *arguments: str) -> Rule:
    """Return a rule that reads these arguments of its node."""
    return Rule(apply, frozenset(arguments))


class Translator:
    """Translates expressions over one relation's columns, with one source's status words."""

    def __init__(
        self,
        columns: Sequence[Column],
        rules: Mapping[type[exp.Expr], Rule],
        words: Mapping[str, Mapping[str, str]],
        text: str = "",
    ) -> None:
        self.columns = {column.name: column for column in columns}
        self.words = words
        self._rules = rules
        self._text = text

    def value(self, node: exp.Expr) -> Fragment:
        """Return the translation of a node; RefusedError where a part of it has no rule or the wrong types."""
        found = self._rules.get(type(node))
        if found is None:
            raise RefusedError(node, f"{self.name_of(node)} is not on the list of what mappings may use")
        for name, argument in node.args.items():
            if argument and name not in found.arguments and name not in _DIALECT_FLAGS:
                raise RefusedError(node, f"{self.name_of(node)} with {name.replace('_', ' ')} is not supported")
        return found.apply(self, node)

    def column(self, node: exp.Expr) -> Fragment:
        """Return a reference to a source column."""
        name = column_name(node)
        if name not in self.columns:
            raise RefusedError(node, f"there is no column {name!r}{nearest(name, self.columns)}")
        return Fragment(sql=identifier(name), type=column_type(self.columns[name]))

    def is_padded(self, node: exp.Expr) -> bool:
        """Return whether a value may be a char(n), whose blanks at the end some functions of Postgres see and others do not."""
        if isinstance(node, exp.Cast):
            return False
        names = (column_name(column) for column in node.find_all(exp.Column))
        return any(name in self.columns and type_of(self.columns[name]).oid == BPCHAR for name in names)

    def name_of(self, node: exp.Expr) -> str:
        """Return a function's name as the mapping's author wrote it, or else the whole expression."""
        start, end = node.meta.get("start"), node.meta.get("end")
        if isinstance(node, exp.Func) and isinstance(start, int) and isinstance(end, int) and self._text:
            return f"{self._text[start : end + 1]}()"
        return f"`{node.sql(dialect='postgres')}`"


def column_name(node: exp.Expr) -> str:
    """Return a column's name as Postgres folds it: lower case unless quoted."""
    part = node.this
    return str(part.this) if part.args.get("quoted") else str(part.this).lower()


def identifier(name: str) -> str:
    """Return a quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def text_literal(text: str) -> str:
    """Return a quoted constant of a mapping's own text."""
    return "'" + text.replace("'", "''") + "'"


def cast(fragment: Fragment, wanted: SqlType) -> Fragment:
    """Return the fragment as a wider or equal type of DuckDB."""
    if fragment.type == wanted:
        return fragment
    return Fragment(sql=f"CAST({fragment.sql} AS {wanted.duckdb})", type=wanted, may_fail=fragment.may_fail)


def unify(fragments: Sequence[Fragment], node: exp.Expr) -> tuple[list[Fragment], SqlType]:
    """Return the fragments as one common type, as CASE, COALESCE and comparisons bring them together; RefusedError without one.

    String constants take the type of what they meet.
    """
    typed = [fragment.type for fragment in fragments if fragment.literal is None]
    wanted = common_type(typed)
    if wanted is None:
        names = " and ".join(dict.fromkeys(str(each) for each in typed))
        raise RefusedError(node, f"{names} have no common type: cast one of them")
    if wanted == NULL_TYPE:
        wanted = TEXT_TYPE
    if wanted.kind in (Kind.OPAQUE, Kind.JSONB, Kind.ARRAY):
        raise RefusedError(node, f"values of {wanted} can't be compared or chosen between")
    return [coerce(fragment, wanted, node) for fragment in fragments], wanted


def coerce(fragment: Fragment, wanted: SqlType, node: exp.Expr) -> Fragment:
    """Return a fragment as the common type that was found for it."""
    if fragment.literal is not None and wanted.kind is not Kind.TEXT:
        return _typed_literal(fragment.literal, wanted, node)
    if fragment.type.kind is wanted.kind and wanted.kind is not Kind.DECIMAL:
        return fragment
    return cast(fragment, wanted)


_PARSERS: dict[Kind, Callable[[str], object]] = {
    Kind.UUID: UUID,
    Kind.DATE: date.fromisoformat,
    Kind.TIMESTAMP: datetime.fromisoformat,
    Kind.INSTANT: datetime.fromisoformat,
}


def _typed_literal(text: str, wanted: SqlType, node: exp.Expr) -> Fragment:
    """Return a string constant read as what it is compared with; only forms that both databases read alike."""
    parser = _PARSERS.get(wanted.kind)
    if parser is None:
        raise RefusedError(node, f"{text!r} is compared with {wanted}: write it without quotes or cast it")
    try:
        parsed = parser(text)
    except ValueError:
        raise RefusedError(node, f"{text!r} is not a valid {wanted} in ISO form") from None
    if isinstance(parsed, datetime) and (parsed.tzinfo is not None) is not (wanted.kind is Kind.INSTANT):
        raise RefusedError(
            node, f"{text!r} must {'have' if wanted.kind is Kind.INSTANT else 'not have'} a time zone here"
        )
    return Fragment(sql=f"CAST({text_literal(str(parsed))} AS {wanted.duckdb})", type=wanted)


def any_fails(fragments: Sequence[Fragment]) -> bool:
    """Return whether one of the fragments may fail."""
    return any(fragment.may_fail for fragment in fragments)


def whole_literal(node: exp.Expr | None, minimum: int, parent: exp.Expr, what: str) -> int:
    """Return the value of a whole-number constant from `minimum` up; RefusedError of `parent` for anything else."""
    if (
        isinstance(node, exp.Literal)
        and not node.is_string
        and str(node.this).isdecimal()
        and int(node.this) >= minimum
    ):
        return int(node.this)
    raise RefusedError(parent, f"{what} must be a whole number from {minimum}, written as a constant")


def string_literal(node: exp.Expr | None, parent: exp.Expr, what: str) -> str:
    """Return the text of a string constant that is not empty; RefusedError of `parent` for anything else."""
    if isinstance(node, exp.Literal) and node.is_string and node.this:
        return str(node.this)
    raise RefusedError(parent, f"{what} must be a constant in quotes, not empty")
