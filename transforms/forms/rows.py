"""Composites and ranges as STRUCT: values with named parts.

Sources: rowtypes.c (record_out: nothing for NULL, quotes where a field is empty or has something special, doubled inside),
rangetypes.c (range_out: the same for bounds; nothing for an unbounded side). A range as a STRUCT of its bounds and what is known of
them can be joined and compared in SQL; its text could not. Its parts have the names of Postgres's functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from transforms.forms.form import QUOTED, Form, enclosed, identifier, in_quotes, let, unquoted

_FIELD = rf"[(,]({QUOTED}|[^,)]*)"
_BOUND = rf'(?:{QUOTED}|[^",()\[\]]*)'


@dataclass(frozen=True, kw_only=True)
class Row(Form):
    """A composite: a STRUCT of its fields.

    Not held: a value with another number of fields, from before its type was altered, and one with a field that does not fit.
    """

    fields: tuple[tuple[str, Form], ...]

    @property
    def unheld(self) -> str:
        return "another number of fields (from before the type was altered), a field that does not fit"

    def cast(self, text: str) -> str:
        misfits = [
            f"(f[{number}] IS NOT NULL AND {form.cast(f'f[{number}]')} IS NULL)"
            for number, (_, form) in enumerate(self.fields, 1)
            if not form.always_fits
        ]
        lost = " OR ".join([f"len(f) <> {len(self.fields)}", *misfits])
        packed = ", ".join(
            f"{identifier(name)} := {form.cast(f'f[{number}]')}" for number, (name, form) in enumerate(self.fields, 1)
        )
        return let("f", self._texts(text), f"CASE WHEN {lost} THEN NULL ELSE struct_pack({packed}) END")

    def of_postgres(self, value: str) -> str:
        texts = [form.of_postgres(f"({value}).{identifier(name)}") for name, form in self.fields]
        return f"CASE WHEN {value} IS NOT DISTINCT FROM NULL THEN NULL ELSE {_joined(texts)} END"

    def of_duckdb(self, value: str) -> str:
        texts = [form.of_duckdb(f"struct_extract({value}, {_literal(name)})") for name, form in self.fields]
        return f"CASE WHEN {value} IS NULL THEN NULL ELSE {_joined(texts)} END"

    def literal(self, value: str) -> str:
        parts = [form.literal(f"struct_extract({value}, {_literal(name)})") for name, form in self.fields]
        listed = " || ',' || ".join(_quoted_part(part) for part in parts)
        return f"CASE WHEN {value} IS NULL THEN NULL ELSE '(' || {listed} || ')' END"

    def of_text(self, text: str) -> str:
        texts = [form.of_any_text(f"f[{number}]") for number, (_, form) in enumerate(self.fields, 1)]
        named = f"CASE WHEN len(f) <> {len(self.fields)} THEN {text} ELSE {_joined(texts)} END"
        return let("f", self._texts(text), named)

    def _texts(self, text: str) -> str:
        fields = f"regexp_extract_all({text}, '(?s){_FIELD}', 1)"
        return f"list_transform({fields}, lambda q: CASE WHEN q = '' THEN NULL ELSE {unquoted('q')} END)"


@dataclass(frozen=True, kw_only=True)
class Range(Form):
    """A range: STRUCT(lower, upper, lower_inc, upper_inc, isempty); a bound that is NULL is unbounded."""

    bound: Form
    pattern: str = rf"(?s)[\[(]{_BOUND},{_BOUND}[\])]"

    @property
    def unheld(self) -> str:
        return "" if self.bound.always_fits else "a bound that does not fit"

    def cast(self, text: str) -> str:
        lower, upper = self.bound.cast("b[1]"), self.bound.cast("b[2]")
        struct = self._packed(
            f"CASE WHEN len(b) = 2 THEN {lower} END",
            f"CASE WHEN len(b) = 2 THEN {upper} END",
            f"starts_with({text}, '[')",
            f"suffix({text}, ']')",
            f"{text} = 'empty'",
        )
        if not self.always_fits:
            lost = " OR ".join(f"(b[{n}] IS NOT NULL AND {self.bound.cast(f'b[{n}]')} IS NULL)" for n in (1, 2))
            struct = f"CASE WHEN {lost} THEN NULL ELSE {struct} END"
        return let("b", self._texts(text), struct)

    def of_postgres(self, value: str) -> str:
        lower, upper = (enclosed(self.bound.of_postgres(f"{side}({value})")) for side in ("lower", "upper"))
        opened = f"CASE WHEN lower_inc({value}) THEN '[' ELSE '(' END"
        closed = f"CASE WHEN upper_inc({value}) THEN ']' ELSE ')' END"
        bounds = f"{opened} || {lower} || ',' || {upper} || {closed}"
        return f"CASE WHEN {value} IS NULL THEN NULL WHEN isempty({value}) THEN 'empty' ELSE {bounds} END"

    def of_duckdb(self, value: str) -> str:
        lower, upper = (
            enclosed(self.bound.of_duckdb(f"struct_extract({value}, '{side}')")) for side in ("lower", "upper")
        )
        return self._bracketed(value, lower, upper)

    def literal(self, value: str) -> str:
        lower, upper = (
            _quoted_part(self.bound.literal(f"struct_extract({value}, '{side}')")) for side in ("lower", "upper")
        )
        return self._bracketed(value, lower, upper)

    def of_text(self, text: str) -> str:
        """Only bounds that do not fit come here, so never an empty range."""
        lower, upper = (enclosed(self.bound.of_any_text(f"b[{n}]")) for n in (1, 2))
        return let("b", self._texts(text), f"{text}[1] || {lower} || ',' || {upper} || {text}[-1]")

    def _bracketed(self, value: str, lower: str, upper: str) -> str:
        opened = f"CASE WHEN struct_extract({value}, 'lower_inc') THEN '[' ELSE '(' END"
        closed = f"CASE WHEN struct_extract({value}, 'upper_inc') THEN ']' ELSE ')' END"
        bounds = f"{opened} || {lower} || ',' || {upper} || {closed}"
        empty = f"struct_extract({value}, 'isempty')"
        return f"CASE WHEN {value} IS NULL THEN NULL WHEN {empty} THEN 'empty' ELSE {bounds} END"

    def _texts(self, text: str) -> str:
        """SQL for the list of the two bounds as text, an unbounded one NULL; an empty list for an empty range."""
        bounds = f"regexp_extract_all({text}, '(?s)[\\[(,]({_BOUND})', 1)"
        return f"list_transform({bounds}, lambda q: CASE WHEN q = '' THEN NULL ELSE {unquoted('q')} END)"

    def _packed(self, *values: str) -> str:
        names = ("lower", "upper", "lower_inc", "upper_inc", "isempty")
        return "struct_pack({})".format(
            ", ".join(f'"{name}" := {value}' for name, value in zip(names, values, strict=True))
        )


def row(fields: Sequence[tuple[str, Form]]) -> Row:
    """Return the form of a composite with these fields."""
    listed = ", ".join(f"{identifier(name)} {form.duckdb}" for name, form in fields)
    return Row(duckdb=f"STRUCT({listed})", fields=tuple(fields))


def range_of(bound: Form) -> Range:
    """Return the form of a range over such values."""
    parts = f"lower {bound.duckdb}, upper {bound.duckdb}, lower_inc BOOLEAN, upper_inc BOOLEAN, isempty BOOLEAN"
    return Range(duckdb=f"STRUCT({parts})", bound=bound)


def _quoted_part(text: str) -> str:
    return f"coalesce({in_quotes(text)}, '')"


def _joined(texts: Sequence[str]) -> str:
    return "'(' || " + " || ',' || ".join(enclosed(text) for text in texts) + " || ')'"


def _literal(name: str) -> str:
    doubled = name.replace("'", "''")
    return f"'{doubled}'"
