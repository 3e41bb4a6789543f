"""Arrays and multiranges as LIST.

Sources: PostgreSQL documentation, "Array Input and Output Syntax"; arrayfuncs.c (array_out), multirangetypes.c (multirange_out).
A LIST has one dimension and begins at 1, so an array of several, or with another lower bound, is not held; neither is a sequence
with an element that does not fit.
"""

from __future__ import annotations

from dataclasses import dataclass

from transforms.forms.form import Form, enclosed, in_quotes
from transforms.forms.rows import Range


@dataclass(frozen=True, kw_only=True)
class Array(Form):
    """A one-dimensional array. `delimiter` stands between its elements: a comma, but for box."""

    element: Form
    delimiter: str = ","

    @property
    def unheld(self) -> str:
        return "several dimensions, a lower bound other than 1, an element that does not fit"

    def cast(self, text: str) -> str:
        texts = self._texts(text)
        typed = f"list_transform({texts}, lambda e: {self.element.cast('e')})"
        odd = _is_odd(text)
        if self.element.always_fits:
            return f"CASE WHEN {odd} THEN NULL ELSE {typed} END"
        return f"CASE WHEN {odd} OR list_count({typed}) <> list_count({texts}) THEN NULL ELSE {typed} END"

    def suspect(self, text: str) -> str:
        return _is_odd(text) if self.element.always_fits else super().suspect(text)

    def of_postgres(self, value: str) -> str:
        # In the list of a SELECT, because in FROM unnest() would make columns of a composite's fields.
        rows = f"(SELECT unnest({value}) AS e, generate_subscripts({value}, 1) AS n) AS u"
        listed = f"SELECT string_agg({enclosed(self.element.of_postgres('u.e'))}, ',' ORDER BY u.n) FROM {rows}"
        odd = f"array_ndims({value}) > 1 OR array_lower({value}, 1) <> 1"
        one_dimension = f"'{{' || coalesce(({listed}), '') || '}}'"
        return f"CASE WHEN {value} IS NULL THEN NULL WHEN {odd} THEN {value}::text ELSE {one_dimension} END"

    def of_duckdb(self, value: str) -> str:
        return _listed(value, self.element.of_duckdb("e"))

    def literal(self, value: str) -> str:
        element = f"CASE WHEN e IS NULL THEN 'NULL' ELSE {in_quotes(self.element.literal('e'))} END"
        return _braced(value, element, self.delimiter)

    def of_text(self, text: str) -> str:
        listed = _listed(self._texts(text), self.element.of_any_text("e"))
        return f"CASE WHEN {_is_odd(text)} THEN {text} ELSE {listed} END"

    def _texts(self, text: str) -> str:
        """SQL for the list of an array's elements as text, unquoted; an unquoted NULL in any case is NULL."""
        # One element: quoted with backslash escapes, or bare (then without delimiters, quotes or blanks).
        pattern = rf"""'(?s)"(?:[^"\\]|\\.)*"|[^{self.delimiter}]+'"""
        elements = f"regexp_extract_all(substr({text}, 2, length({text}) - 2), {pattern})"
        bare = r"regexp_replace(q[2:-2], '(?s)\\(.)', '\1', 'g')"
        choice = f"CASE WHEN starts_with(q, '\"') THEN {bare} WHEN q = 'NULL' THEN NULL ELSE q END"
        return f"list_transform({elements}, lambda q: {choice})"


@dataclass(frozen=True, kw_only=True)
class Multirange(Form):
    """A multirange: a LIST of its ranges, none of them empty."""

    element: Range

    @property
    def unheld(self) -> str:
        return "" if self.element.always_fits else "a range that does not fit"

    def cast(self, text: str) -> str:
        ranges = self._texts(text)
        typed = f"list_transform({ranges}, lambda e: {self.element.cast('e')})"
        if self.always_fits:
            return typed
        return f"CASE WHEN list_count({typed}) <> len({ranges}) THEN NULL ELSE {typed} END"

    def of_postgres(self, value: str) -> str:
        each = enclosed(self.element.of_postgres("u.e"))
        listed = f"SELECT string_agg({each}, ',' ORDER BY u.n) FROM unnest({value}) WITH ORDINALITY AS u(e, n)"
        return f"CASE WHEN {value} IS NULL THEN NULL ELSE '{{' || coalesce(({listed}), '') || '}}' END"

    def of_duckdb(self, value: str) -> str:
        return _listed(value, self.element.of_duckdb("e"))

    def literal(self, value: str) -> str:
        return _braced(value, self.element.literal("e"))

    def of_text(self, text: str) -> str:
        return _listed(self._texts(text), self.element.of_any_text("e"))

    def _texts(self, text: str) -> str:
        return f"regexp_extract_all({text}, '{self.element.pattern}')"


def array(element: Form, delimiter: str) -> Array:
    """Return the form of an array of such elements."""
    return Array(duckdb=f"{element.duckdb}[]", element=element, delimiter=delimiter)


def multirange(element: Range) -> Multirange:
    """Return the form of a multirange of such ranges."""
    return Multirange(duckdb=f"{element.duckdb}[]", element=element)


def _is_odd(text: str) -> str:
    return f"starts_with({text}, '{{{{') OR starts_with({text}, '[')"


def _listed(sequence: str, element: str) -> str:
    return _braced(sequence, enclosed(element))


def _braced(sequence: str, element: str, delimiter: str = ",") -> str:
    return f"'{{' || array_to_string(list_transform({sequence}, lambda e: {element}), '{delimiter}') || '}}'"
