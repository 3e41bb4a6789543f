"""Random values of every Postgres type as SQL, and a mirror's values written as Postgres reads them.

Nothing here uses the bridge's casts or canonical texts: what the mirror holds goes back to Postgres, which says whether it is the
same value.
"""

from __future__ import annotations

import json
import random
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cdc.column_types import ColumnType, TypeKind

Make = Callable[[random.Random], str]

TYPES = (
    "CREATE TYPE mood AS ENUM ('ok', 'not ok', 'it''s \"fine\"', '{a,b}')",
    "CREATE DOMAIN price AS numeric(10,2)",
    "CREATE DOMAIN net_price AS price CHECK (VALUE > -100000000)",
    "CREATE DOMAIN flag AS boolean",
    "CREATE DOMAIN codes AS varchar(5)[]",
    'CREATE TYPE pair AS (a int, "B ""x"" b" text)',
    "CREATE TYPE nested AS (p pair, q pair[], at timestamptz, amount numeric(12,2), r tstzrange, m mood, span interval)",
    "CREATE DOMAIN nest AS nested",
    "CREATE TYPE floats AS RANGE (subtype = float8)",
    "CREATE TYPE texts AS RANGE (subtype = text, multirange_type_name = texts_many)",
)


@dataclass(frozen=True)
class Sample:
    """A type and what makes a random value of it, as SQL. `scaled`: equal values may have other decimals behind the last digit."""

    name: str
    make: Make
    scaled: bool = False


def quoted(text: str) -> str:
    doubled = text.replace("'", "''").replace("\\", "\\\\")
    return f"E'{doubled}'"


def _text(limit: int = 40) -> Make:
    alphabet = string.ascii_letters + " \t\n\"'\\{}()[],;=>%é☃😀/.:-+0123456789"
    words = ["", "NULL", "null", '"', "\\", '\\"', "a,b", "{x}", "N", "empty", " ", "infinity", "(BC)", "x" * limit]
    return lambda r: (
        r.choice(words)[:limit] if r.random() < 0.3 else "".join(r.choices(alphabet, k=r.randrange(limit + 1)))
    )


def _quoted(make: Make) -> Make:
    return lambda r: quoted(make(r))


def _pick(*values: str) -> Make:
    return lambda r: r.choice(values)


def _or(rare: Make, make: Make, share: float = 0.15) -> Make:
    return lambda r: rare(r) if r.random() < share else make(r)


def _whole(bits: int, *, signed: bool = True) -> Make:
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return lambda r: f"'{r.choice([low, high, 0, r.randint(low, high), r.randint(0, 100)])}'"


def _numeric(before: int, after: int) -> Make:
    def make(r: random.Random) -> str:
        whole = "".join(r.choices(string.digits, k=r.randrange(before + 1))) or "0"
        part = "".join(r.choices("0123456789000", k=r.randrange(after + 1)))
        return f"'{r.choice(['', '-'])}{whole}{'.' * bool(part)}{part}'"

    return make


def _float(exponent: int) -> Make:
    special = _pick("'NaN'", "'Infinity'", "'-Infinity'", "'-0'", "'0'")
    return _or(
        special,
        lambda r: f"'{r.choice([r.uniform(-1e3, 1e3), r.uniform(-9, 9) * 10.0 ** r.randint(-exponent, exponent)])!r}'",
    )


def _date(last_year: int) -> Callable[[random.Random], tuple[str, str]]:
    def make(r: random.Random) -> tuple[str, str]:
        before_christ = r.random() < 0.15
        year = r.randint(1, 4712) if before_christ else r.choice([r.randint(1900, 2100), r.randint(1, last_year)])
        return f"{year:04}-{r.randint(1, 12):02}-{r.randint(1, 28):02}", " BC" if before_christ else ""

    return make


def _clock(r: random.Random) -> str:
    if r.random() < 0.1:
        return "24:00:00"
    micros = r.choice([0, r.randrange(10**6), 500000, 1])
    return f"{r.randrange(24):02}:{r.randrange(60):02}:{r.randrange(60):02}.{micros:06}"


def _moment(last_year: int, zone: str) -> Make:
    day = _date(last_year)

    def make(r: random.Random) -> str:
        if r.random() < 0.1:
            return r.choice(["'infinity'", "'-infinity'"])
        date, era = day(r)
        return f"'{date} {_clock(r)}{zone}{era}'"

    return make


def _interval(r: random.Random) -> str:
    if r.random() < 0.1:
        return r.choice(["'infinity'", "'-infinity'", "'2562047788:00:54.775806'", "'-1 mons +30 days'", "'0'"])
    months, days = (r.choice([0, r.randint(-40, 40), r.randint(-(2**31), 2**31 - 1)]) for _ in range(2))
    micros = r.choice([0, r.randint(-(10**12), 10**12), r.randint(-(2**63) + 1, 2**63 - 1)])
    return f"'{months} months {days} days {micros} microseconds'"


def _json(r: random.Random, depth: int = 0) -> Any:
    if depth > 2 or r.random() < 0.4:
        return r.choice([None, True, r.randint(-(10**20), 10**20), r.uniform(-1, 1), _text(12)(r), "😀"])
    if r.random() < 0.5:
        return [_json(r, depth + 1) for _ in range(r.randrange(4))]
    return {_text(6)(r): _json(r, depth + 1) for _ in range(r.randrange(4))}


def _json_text(r: random.Random) -> str:
    rare = ['{"a": 1,  "a": 2}', "1.50", "1e400", " [ ] ", '"\\u00e9"']
    return quoted(r.choice(rare) if r.random() < 0.2 else json.dumps(_json(r), ensure_ascii=r.random() < 0.5))


def _bits(low: int, high: int) -> Make:
    return lambda r: "B'" + "".join(r.choices("01", k=r.randint(low, high))) + "'"


def _point(r: random.Random) -> str:
    number = _float(30)
    return f"point({number(r)}, {number(r)})"


def _finite_point(r: random.Random) -> str:
    return f"point({r.uniform(-1e6, 1e6)!r}, {r.uniform(-9, 9)!r})"


def _points(kind: str) -> Make:
    def make(r: random.Random) -> str:
        points = ",".join(f"({r.uniform(-9, 9)!r},{r.uniform(-1e9, 1e9)!r})" for _ in range(r.randint(1, 5)))
        opened, closed = ("[", "]") if kind == "path" and r.random() < 0.5 else ("(", ")")
        return f"'{opened}{points}{closed}'"

    return make


def _range(name: str, bound: Make, cast: str) -> Make:
    def make(r: random.Random) -> str:
        if r.random() < 0.1:
            return "'empty'"
        lower, upper = (f"{bound(r)}::{cast}" for _ in range(2))
        low = "NULL" if r.random() < 0.15 else f"least({lower}, {upper})"
        high = "NULL" if r.random() < 0.15 else f"greatest({lower}, {upper})"
        return f"{name}({low}, {high}, '{r.choice('[(')}{r.choice('])')}')"

    return make


def _many(name: str, make: Make, cast: str, most: int = 3) -> Make:
    return lambda r: f"{name}({', '.join(f'{make(r)}::{cast}' for _ in range(r.randrange(most + 1)))})"


def _array(name: str, make: Make) -> Make:
    def listed(r: random.Random, count: int) -> str:
        return ", ".join("NULL" if r.random() < 0.2 else make(r) for _ in range(count))

    def random_array(r: random.Random) -> str:
        if r.random() < 0.1:
            return f"ARRAY[ARRAY[{listed(r, 2)}]::{name}[], ARRAY[{listed(r, 2)}]::{name}[]]"
        if r.random() < 0.05:  # bounds that do not begin at 1
            return f"array_fill({make(r)}::{name}, ARRAY[2], ARRAY[{r.choice([0, 5, -3])}])"
        return f"ARRAY[{listed(r, r.randrange(5))}]::{name}[]"

    return random_array


def _row(name: str, *fields: Make) -> Make:
    return lambda r: "ROW(" + ", ".join("NULL" if r.random() < 0.2 else make(r) for make in fields) + f")::{name}"


_TEXT, _NUMERIC = _quoted(_text()), _or(_pick("'NaN'", "'Infinity'", "'-Infinity'"), _numeric(40, 14), 0.1)
_CENTS = _or(_pick("'NaN'"), _numeric(8, 2), 0.1)
_INSTANT, _LOCAL = _moment(294276, "+00"), _moment(294276, "")
_DATE: Make = _or(_pick("'infinity'", "'-infinity'"), lambda r: "'{}{}'".format(*_date(5874897)(r)), 0.1)
_INTERVAL: Make = _interval
_MOOD = _pick("'ok'", "'not ok'", "'it''s \"fine\"'", "'{a,b}'")
_PAIR = _row("pair", _whole(32), _TEXT)
_INSTANTS = _range("tstzrange", _INSTANT, "timestamptz")
_NESTED = _row("nested", _PAIR, _array("pair", _PAIR), _INSTANT, _CENTS, _INSTANTS, _MOOD, _INTERVAL)
_INET = _pick("'10.0.0.1'", "'10.0.0.0/8'", "'::1'", "'2001:db8::/32'")
_FLOATS = _range("floats", _float(200), "float8")
_SOME_TEXTS = _range("texts", _TEXT, "text")

SCALARS: tuple[Sample, ...] = (
    Sample("boolean", _pick("true", "false")),
    Sample("smallint", _whole(16)),
    Sample("integer", _whole(32)),
    Sample("bigint", _whole(64)),
    Sample("oid", _whole(32, signed=False)),
    Sample("xid", _whole(32, signed=False)),
    Sample("xid8", _whole(64, signed=False)),
    Sample("numeric", _NUMERIC, scaled=True),
    Sample("numeric(10,2)", _CENTS),
    Sample("numeric(20,4)", _or(_pick("'NaN'"), _numeric(16, 4))),
    Sample("numeric(38,10)", _or(_pick("'NaN'"), _numeric(28, 10))),
    Sample("numeric(38,30)", _or(_pick("'NaN'"), _numeric(8, 30))),
    Sample("numeric(19,0)", _or(_pick("'NaN'"), _numeric(19, 0))),
    Sample("numeric(20,-2)", _pick("'2000000000000000000000'", "'-12345678901234500'", "'100'")),
    Sample("numeric(60,30)", _or(_pick("'NaN'"), _numeric(30, 30)), scaled=True),
    Sample("numeric(5,-2)", _pick("'9999900'", "'-100'", "'NaN'")),
    Sample("numeric(3,5)", _pick("'0.00999'", "'-0.00001'")),
    Sample("real", _float(30)),
    Sample("double precision", _float(300)),
    Sample("money", lambda r: f"({r.randint(-(2**63), 2**63 - 1)} * 0.01)::numeric::money"),
    Sample("text", _TEXT),
    Sample("varchar(9)", _quoted(_text(9))),
    Sample("char(6)", _quoted(_text(6))),
    Sample('"char"', _quoted(_pick("a", "", "~"))),
    Sample("name", _quoted(_text(12))),
    Sample("bytea", lambda r: f"'\\x{r.randbytes(r.randrange(20)).hex()}'::bytea"),
    Sample("date", _DATE),
    Sample("time", lambda r: f"'{_clock(r)}'"),
    Sample("timetz", lambda r: f"'{_clock(r)}{r.choice(['+', '-'])}{r.randrange(16):02}:{r.randrange(60):02}:{r.choice([0, 59]):02}'"),
    Sample("timestamp", _LOCAL),
    Sample("timestamptz", _INSTANT),
    Sample("interval", _INTERVAL),
    Sample("uuid", lambda r: f"'{r.randbytes(16).hex()}'"),
    Sample("json", _json_text),
    Sample("bit(10)", _bits(10, 10)),
    Sample("bit varying", _bits(0, 70)),
    Sample("inet", _INET),
    Sample("cidr", _pick("'10.0.0.0/8'", "'10.1.2.3/32'")),
    Sample("macaddr", lambda r: f"'{r.randbytes(6).hex()}'"),
    Sample("macaddr8", lambda r: f"'{r.randbytes(8).hex()}'"),
    Sample("pg_lsn", lambda r: f"'{r.randrange(2**32):X}/{r.randrange(2**32):X}'"),
    Sample("tsvector", lambda r: f"to_tsvector('simple', {_TEXT(r)})"),
    Sample("tsquery", lambda r: f"plainto_tsquery('simple', {_TEXT(r)})"),
    Sample("regtype", _pick("'integer'", "'text[]'")),
    Sample("int2vector", _pick("'1 2'", "''")),
    Sample("mood", _MOOD),
    Sample("price", _CENTS),
    Sample("net_price", _pick("'-999.99'", "'12.5'", "'NaN'")),
    Sample("flag", _pick("true", "false")),
    Sample("point", _point),
    Sample("lseg", lambda r: f"lseg({_finite_point(r)}, {_finite_point(r)})"),
    Sample("box", lambda r: f"box({_finite_point(r)}, {_finite_point(r)})"),
    Sample("path", _points("path")),
    Sample("polygon", _points("polygon")),
    Sample("circle", lambda r: f"circle({_finite_point(r)}, {r.uniform(0, 99)!r})"),
    Sample("line", lambda r: f"'{{{r.uniform(1, 9)!r},{r.uniform(-9, 9)!r},{r.uniform(-9, 9)!r}}}'"),
    Sample("pair", _PAIR),
    Sample("nested", _NESTED),
    Sample("nest", _NESTED),
    Sample("int4range", _range("int4range", lambda r: f"'{r.randint(-(10**6), 10**6)}'", "int")),
    Sample("int8range", _range("int8range", lambda r: f"'{r.randint(-(10**15), 10**15)}'", "bigint")),
    Sample("numrange", _range("numrange", _NUMERIC, "numeric"), scaled=True),
    Sample("daterange", _range("daterange", lambda r: f"'{r.randint(1000, 9999)}-0{r.randint(1, 9)}-11'", "date")),
    Sample("tsrange", _range("tsrange", _LOCAL, "timestamp")),
    Sample("tstzrange", _INSTANTS),
    Sample("floats", _FLOATS),
    Sample("texts", _SOME_TEXTS),
    Sample("nummultirange", _many("nummultirange", _range("numrange", _NUMERIC, "numeric"), "numrange"), scaled=True),
    Sample("tstzmultirange", _many("tstzmultirange", _INSTANTS, "tstzrange")),
    Sample("texts_many", _many("texts_many", _SOME_TEXTS, "texts")),
    Sample("jsonb", _pick("'null'", "'{\"a\": [1, 2.50, \"é\"], \"b\": null}'", "'\"\"'", "'1e30'", "'[]'")),
)  # fmt: skip
# Of what DuckDB must hold as itself once it is in a LIST; an array of a domain over an array is one of those too.
ARRAYS: tuple[Sample, ...] = (
    *(Sample(f"{one.name}[]", _array(one.name, one.make), one.scaled) for one in SCALARS),
    Sample("codes", _array("varchar(5)", _quoted(_text(5)))),
    Sample("codes[]", _array("codes", lambda r: _array("varchar(5)", _quoted(_text(5)))(r) + "::codes")),
)
_PLAIN_TEXT = _quoted(_text(12))
CONTRIB = (
    Sample("hstore", lambda r: " || ".join(["''::hstore", *(f"hstore({_PLAIN_TEXT(r)}, {r.choice([_PLAIN_TEXT(r), 'NULL'])})" for _ in range(r.randrange(4)))])),
    Sample("citext", _TEXT),
    Sample("xml", _pick("'<?xml version=\"1.0\" encoding=\"UTF-8\"?><a>1</a>'", "'<a b=\"c\">é</a>'", "''", "'just text'")),
    Sample("ltree", _pick("'a.b.c'", "'Top.Science'", "''")),
)  # fmt: skip
CONTRIB_ARRAYS = tuple(Sample(f"{one.name}[]", _array(one.name, one.make)) for one in CONTRIB)


def strings(kind: ColumnType, value: str, depth: int = 0) -> str:
    """DuckDB SQL that turns a typed value into strings in lists and structs, which Python can hold whatever the value is."""
    inner = f"e{depth}"
    match kind.kind:
        case TypeKind.ARRAY | TypeKind.MULTIRANGE:
            assert kind.element is not None
            return f"list_transform({value}, lambda {inner}: {strings(kind.element, inner, depth + 1)})"
        case TypeKind.RANGE:
            assert kind.element is not None
            lower, upper = (strings(kind.element, f'{value}."{side}"', depth + 1) for side in ("lower", "upper"))
            parts = (
                f"l := {lower}, u := {upper}, li := {value}.lower_inc, ui := {value}.upper_inc, e := {value}.isempty"
            )
            return f"CASE WHEN {value} IS NOT NULL THEN struct_pack({parts}) END"
        case TypeKind.COMPOSITE:
            fields = [
                strings(field, '{}."{}"'.format(value, name.replace('"', '""')), depth + 1)
                for name, field in kind.fields
            ]
            parts = ", ".join(f"f{number} := {field}" for number, field in enumerate(fields))
            return f"CASE WHEN {value} IS NOT NULL THEN struct_pack({parts}) END"
    if kind.name == "hstore":
        return f"map_entries({value})"
    if kind.oid in _SHAPES:
        return value
    if kind.oid == _BYTEA:
        return f"'\\x' || hex({value})"
    text = f"CAST({value} AS VARCHAR)"
    if kind.oid == _TIMESTAMPTZ:  # DuckDB's own text is a millisecond off in the far future
        text = f"CASE WHEN isfinite({value}) THEN CAST(make_timestamp(epoch_us({value})) AS VARCHAR) || '+00' ELSE {text} END"
    return f"replace({text}, ' (BC)', ' BC')" if kind.oid in _DATES else text


def literal(kind: ColumnType, value: Any) -> str | None:
    """A value of `strings` as Postgres reads it."""
    if value is None:
        return None
    match kind.kind:
        case TypeKind.ARRAY:
            assert kind.element is not None
            return "{" + kind.delimiter.join(_element(literal(kind.element, each)) for each in value) + "}"
        case TypeKind.MULTIRANGE:
            assert kind.element is not None
            return "{" + ",".join(literal(kind.element, each) or "" for each in value) + "}"
        case TypeKind.RANGE:
            assert kind.element is not None
            lower, upper = (_part(literal(kind.element, value[side])) for side in ("l", "u"))
            return "empty" if value["e"] else f"{'([ '[value['li']]}{lower},{upper}{')]'[value['ui']]}"
        case TypeKind.COMPOSITE:
            fields = zip(kind.fields, value.values(), strict=True)
            return "(" + ",".join(_part(literal(field, each)) for (_, field), each in fields) + ")"
    if kind.name == "hstore":
        return ",".join(f"{_element(each['key'])}=>{_element(each['value'])}" for each in value)
    return _SHAPES[kind.oid](value) if kind.oid in _SHAPES else str(value)


def _element(text: str | None) -> str:
    return "NULL" if text is None else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _part(text: str | None) -> str:
    return "" if text is None else '"' + text.replace("\\", "\\\\").replace('"', '""') + '"'


def _xy(point: dict[str, float]) -> str:
    return f"({point['x']!r},{point['y']!r})"


def _listed(points: Sequence[dict[str, float]]) -> str:
    return ",".join(map(_xy, points))


_BYTEA, _TIMESTAMPTZ, _DATES = 17, 1184, (1082, 1114, 1184)
_SHAPES: dict[int, Callable[[Any], str]] = {
    600: _xy,
    601: lambda v: f"[{_xy(v['first'])},{_xy(v['second'])}]",
    602: lambda v: f"({_listed(v['points'])})" if v["closed"] else f"[{_listed(v['points'])}]",
    603: lambda v: f"{_xy(v['high'])},{_xy(v['low'])}",
    604: lambda v: f"({_listed(v)})",
    628: lambda v: f"{{{v['a']!r},{v['b']!r},{v['c']!r}}}",
    718: lambda v: f"<{_xy(v['center'])},{v['radius']!r}>",
}
