"""Geometric types as STRUCT and LIST of DOUBLE.

Sources: geo_ops.c: every output function writes its floats with punctuation between them, every send function their bits in the
same order, so both databases name a value by these bits. A path that is open is written in square brackets.
"""

from __future__ import annotations

from dataclasses import dataclass

from transforms.forms.form import Form, let

POINT = "STRUCT(x DOUBLE, y DOUBLE)"
_FLOATS = r"[^\[\](){}<>,]+"


@dataclass(frozen=True, kw_only=True)
class Shape(Form):
    """A shape with a fixed number of floats: `parts` name them, or the points that they make."""

    send: str
    parts: tuple[tuple[str, bool], ...]  # name, whether it is a point
    brackets: tuple[str, str] = ("(", ")")

    def cast(self, text: str) -> str:
        values, at = [], 1
        for name, is_point in self.parts:
            values.append(f"{name} := {_point(at) if is_point else f'f[{at}]'}")
            at += 2 if is_point else 1
        return let("f", _floats(text), f"struct_pack({', '.join(values)})")

    def of_postgres(self, value: str) -> str:
        return f"encode({self.send}({value}), 'hex')"

    def literal(self, value: str) -> str:
        opened, closed = self.brackets
        parts = " || ',' || ".join(
            _point_text(_part(value, name)) if is_point else f"CAST({_part(value, name)} AS VARCHAR)"
            for name, is_point in self.parts
        )
        return f"'{opened}' || {parts} || '{closed}'"

    def of_duckdb(self, value: str) -> str:
        return " || ".join(
            _point_bits(_part(value, name)) if is_point else _bits(_part(value, name)) for name, is_point in self.parts
        )


@dataclass(frozen=True, kw_only=True)
class Polygon(Form):
    """polygon: a LIST of its points."""

    duckdb: str = f"{POINT}[]"

    def cast(self, text: str) -> str:
        return let("f", _floats(text), _points("f"))

    def of_postgres(self, value: str) -> str:
        return f"encode(poly_send({value}), 'hex')"

    def literal(self, value: str) -> str:
        return f"'(' || {_points_text(value)} || ')'"

    def of_duckdb(self, value: str) -> str:
        return _sequence_bits(value)


@dataclass(frozen=True, kw_only=True)
class Path(Form):
    """path: whether it is closed, and its points."""

    duckdb: str = f"STRUCT(closed BOOLEAN, points {POINT}[])"

    def cast(self, text: str) -> str:
        packed = f"struct_pack(closed := starts_with({text}, '('), points := {_points('f')})"
        return let("f", _floats(text), packed)

    def of_postgres(self, value: str) -> str:
        return f"encode(path_send({value}), 'hex')"

    def literal(self, value: str) -> str:
        points, closed = _points_text(_part(value, "points")), _part(value, "closed")
        return f"CASE WHEN {closed} THEN '(' || {points} || ')' ELSE '[' || {points} || ']' END"

    def of_duckdb(self, value: str) -> str:
        closed = f"CASE WHEN {_part(value, 'closed')} THEN '01' ELSE '00' END"
        return f"CASE WHEN {value} IS NULL THEN NULL ELSE {closed} || {_sequence_bits(_part(value, 'points'))} END"


POINTS = Shape(duckdb=POINT, send="point_send", parts=(("x", False), ("y", False)))
LINE = Shape(
    duckdb="STRUCT(a DOUBLE, b DOUBLE, c DOUBLE)",
    send="line_send",
    parts=(("a", False), ("b", False), ("c", False)),
    brackets=("{", "}"),
)
SEGMENT = Shape(
    duckdb=f"STRUCT(first {POINT}, second {POINT})", send="lseg_send", parts=(("first", True), ("second", True))
)
BOX = Shape(duckdb=f"STRUCT(high {POINT}, low {POINT})", send="box_send", parts=(("high", True), ("low", True)))
CIRCLE = Shape(
    duckdb=f"STRUCT(center {POINT}, radius DOUBLE)", send="circle_send", parts=(("center", True), ("radius", False))
)
PATH, POLYGON = Path(), Polygon()


def _floats(text: str) -> str:
    return f"list_transform(regexp_extract_all({text}, '{_FLOATS}'), lambda q: CAST(q AS DOUBLE))"


def _point(at: int) -> str:
    return f"struct_pack(x := f[{at}], y := f[{at + 1}])"


def _points(floats: str) -> str:
    return f"list_transform(range(1, len({floats}), 2), lambda n: struct_pack(x := {floats}[n], y := {floats}[n + 1]))"


def _part(value: str, name: str) -> str:
    """SQL for a STRUCT's part; `value.name` may be taken for a column of that name."""
    return f"struct_extract({value}, '{name}')"


def _bits(value: str) -> str:
    return f"lower(hex(CAST(CAST({value} AS BIT) AS BLOB)))"


def _point_bits(point: str) -> str:
    return f"{_bits(_part(point, 'x'))} || {_bits(_part(point, 'y'))}"


def _point_text(point: str) -> str:
    x, y = (f"CAST({_part(point, name)} AS VARCHAR)" for name in ("x", "y"))
    return f"'(' || {x} || ',' || {y} || ')'"


def _points_text(points: str) -> str:
    return f"array_to_string(list_transform({points}, lambda p: {_point_text('p')}), ',')"


def _sequence_bits(points: str) -> str:
    count = f"lower(hex(CAST(CAST(CAST(len({points}) AS INTEGER) AS BIT) AS BLOB)))"
    listed = f"array_to_string(list_transform({points}, lambda p: {_point_bits('p')}), '')"
    return f"CASE WHEN {points} IS NULL THEN NULL ELSE {count} || {listed} END"
