"""Rules of the allow-list: functions of text and time, subscripts, jsonb, and `map_status`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from zoneinfo import available_timezones

from sqlglot import exp

from transforms.casts import as_text
from transforms.names import nearest
from transforms.sqltypes import INTEGER_TYPE, TEXT_TYPE, Kind, SqlType
from transforms.statusmaps import UNKNOWN
from transforms.translator import (
    Fragment,
    RefusedError,
    Rule,
    Translator,
    any_fails,
    rule,
    string_literal,
    text_literal,
    whole_literal,
)

MAP_STATUS = "map_status"


def _text(translator: Translator, node: exp.Expr, parent: exp.Expr) -> Fragment:
    found = translator.value(node)
    if found.type.kind not in (Kind.TEXT, Kind.NULL):
        raise RefusedError(parent, f"{translator.name_of(parent)} is for text, not {found.type}: cast it")
    return found


def _call(template: str, arguments: Callable[[exp.Expr], tuple[object, ...]] | None = None) -> Rule:
    """Return the rule of a function of one text: its DuckDB form, and what it reads of the node's constants."""

    def apply(translator: Translator, node: exp.Expr) -> Fragment:
        text = _text(translator, node.this, node)
        constants = arguments(node) if arguments else ()
        return Fragment(sql=template.format(text.sql, *constants), type=TEXT_TYPE, may_fail=text.may_fail)

    names = ("this", "expression", "replacement", "delimiter", "part_index", "start", "length", "position")
    return rule(apply, *names)


def _trim(node: exp.Expr) -> tuple[object, ...]:
    name = {"LEADING": "ltrim", "TRAILING": "rtrim"}.get(str(node.args.get("position") or "").upper(), "trim")
    given = node.args.get("expression")
    characters = " " if given is None else string_literal(given, node, "the characters to trim")
    return name, text_literal(characters)


def _replace(node: exp.Expr) -> tuple[object, ...]:
    found = string_literal(node.args["expression"], node, "what replace() looks for")
    new = node.args.get("replacement")
    if not (isinstance(new, exp.Literal) and new.is_string):
        raise RefusedError(node, "what replace() puts in its place must be a constant in quotes")
    return text_literal(found), text_literal(str(new.this))


def _split(node: exp.Expr) -> tuple[object, ...]:
    delimiter = string_literal(node.args["delimiter"], node, "the delimiter")
    return text_literal(delimiter), whole_literal(node.args["part_index"], 1, node, "the number of the part")


def _substring(node: exp.Expr) -> tuple[object, ...]:
    start = whole_literal(node.args.get("start"), 1, node, "the first position")
    length = node.args.get("length")
    return (start, "" if length is None else f", {whole_literal(length, 0, node, 'the length')}")


def _side(node: exp.Expr) -> tuple[object, ...]:
    return (whole_literal(node.args["expression"], 0, node, "the number of characters"),)


def _length(translator: Translator, node: exp.Expr) -> Fragment:
    text = _text(translator, node.this, node)
    return Fragment(sql=f"CAST(length({text.sql}) AS INTEGER)", type=INTEGER_TYPE, may_fail=text.may_fail)


def _pipes(translator: Translator, node: exp.Expr) -> Fragment:
    sides = [translator.value(node.this), translator.value(node.args["expression"])]
    if all(side.type.kind is not Kind.TEXT for side in sides):
        raise RefusedError(node, "|| joins texts: cast one side to text")
    texts = [as_text(side, node) for side in sides]
    return Fragment(sql=f"({texts[0].sql} || {texts[1].sql})", type=TEXT_TYPE, may_fail=any_fails(sides))


def _concat(translator: Translator, node: exp.Expr) -> Fragment:
    values = [translator.value(each) for each in node.expressions]
    for each, value in zip(node.expressions, values, strict=True):
        if value.type.kind is Kind.BOOLEAN:  # 't' in concat(), 'true' in a cast
            raise RefusedError(node, "concat() writes booleans in a form of its own: cast them to text")
        if translator.is_padded(each):
            raise RefusedError(node, "concat() keeps the blanks at the end of a char(n): cast it to text")
    texts = ", ".join(as_text(value, node).sql for value in values)
    return Fragment(sql=f"concat({texts})", type=TEXT_TYPE, may_fail=any_fails(values))


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _at_time_zone(translator: Translator, node: exp.Expr) -> Fragment:
    zone = string_literal(node.args.get("zone"), node, "the time zone")
    # Abbreviations mean other things in the two databases, and POSIX forms have the sign reversed.
    if zone != "UTC" and ("/" not in zone or zone.startswith("Etc/") or zone not in _zones()):
        named = nearest(zone, (each for each in _zones() if "/" in each))
        raise RefusedError(node, f"{zone!r} is neither UTC nor an IANA zone such as Europe/London{named}")
    time = translator.value(node.this)
    other = {Kind.TIMESTAMP: Kind.INSTANT, Kind.INSTANT: Kind.TIMESTAMP}.get(time.type.kind)
    if other is None:
        raise RefusedError(node, f"AT TIME ZONE is for timestamps, not {time.type}")
    sql = f"timezone({text_literal(zone)}, {time.sql})"
    return Fragment(sql=sql, type=SqlType(other), may_fail=time.may_fail)


def _subscript(translator: Translator, node: exp.Expr) -> Fragment:
    array, (index,) = translator.value(node.this), node.expressions
    if array.type.element is None:
        raise RefusedError(node, f"a subscript is for arrays, not {array.type}")
    position = whole_literal(index, 0, node, "a subscript")  # sqlglot has made it count from 0
    return Fragment(sql=f"{array.sql}[{position + 1}]", type=array.type.element, may_fail=array.may_fail)


@dataclass(frozen=True, slots=True)
class _Place:
    """A place in a jsonb column: its path, and the paths on the way whose values are taken by position."""

    document: Fragment
    path: str
    indexed: tuple[str, ...] = ()

    @property
    def arguments(self) -> str:
        return f"{self.document.sql}, {text_literal(self.path)}"

    @property
    def doubtful(self) -> str:
        """SQL that is true where a scalar is taken by position: Postgres treats it as an array of one, DuckDB does not."""
        scalar = "NOT IN ('ARRAY', 'OBJECT', 'NULL')"
        tests = [f"json_type({self.document.sql}, {text_literal(path)}) {scalar}" for path in self.indexed]
        return " OR ".join(tests)


def _place(translator: Translator, node: exp.Expr) -> _Place:
    """Return the place that a chain of arrows leads to."""
    if not isinstance(node, exp.JSONExtract | exp.JSONExtractScalar):
        document = translator.value(node)
        if document.type.kind is not Kind.JSONB:
            raise RefusedError(node, f"-> and ->> are for jsonb, not {document.type}")
        return _Place(document, "$")
    place, steps = _place(translator, node.this), node.args["expression"]
    if not isinstance(steps, exp.JSONPath):
        raise RefusedError(node, "the right side of -> and ->> must be a constant")
    for step in steps.expressions[1:]:
        by_position = isinstance(step, exp.JSONPathSubscript)
        indexed = (*place.indexed, place.path) if by_position else place.indexed
        place = _Place(place.document, place.path + _step(node, step), indexed)
    return place


def _step(node: exp.Expr, step: exp.Expr) -> str:
    name = step.this
    if isinstance(step, exp.JSONPathSubscript) and isinstance(name, int) and name >= 0:
        return f"[{name}]"
    if isinstance(step, exp.JSONPathKey) and isinstance(name, str) and name and not set(name) & set('"\\*'):
        return f'."{name}"'
    raise RefusedError(node, "-> and ->> take a name without quotes, backslashes and asterisks, or a position from 0")


def _member(translator: Translator, node: exp.Expr) -> Fragment:
    place = _place(translator, node)
    if place.indexed:
        raise RefusedError(node, "-> with a position is only for going on with ->>")
    sql = f"json_extract({place.arguments})"
    return Fragment(sql=sql, type=place.document.type, may_fail=place.document.may_fail)


def _member_text(translator: Translator, node: exp.Expr) -> Fragment:
    """Text of a member. DuckDB reads fractions as DOUBLE and writes objects otherwise than Postgres: both fail here."""
    place = _place(translator, node)
    kind = f"json_type({place.arguments})"
    fails = f"CAST(CAST(json_type({place.document.sql}) AS INTEGER) AS VARCHAR)"  # no type's name is a number
    doubtful = f"WHEN {place.doubtful} THEN {fails} " if place.indexed else ""
    sql = (
        f"CASE {doubtful}WHEN {kind} IN ('VARCHAR', 'BIGINT', 'UBIGINT', 'BOOLEAN') "
        f"THEN json_extract_string({place.arguments}) "
        f"WHEN coalesce({kind}, 'NULL') = 'NULL' THEN NULL ELSE {fails} END"
    )
    return Fragment(sql=sql, type=TEXT_TYPE, may_fail=True)


def _named(translator: Translator, node: exp.Expr) -> Fragment:
    """Functions that sqlglot has no node for."""
    name = str(node.this).lower()
    if name == MAP_STATUS:
        return _map_status(translator, node)
    if name == "cardinality" and len(node.expressions) == 1:
        array = translator.value(node.expressions[0])
        if array.type.element is not None:
            return Fragment(sql=f"CAST(len({array.sql}) AS INTEGER)", type=INTEGER_TYPE)
    raise RefusedError(node, f"{name}() is not on the list of what mappings may use")


def _map_status(translator: Translator, node: exp.Expr) -> Fragment:
    if len(node.expressions) != 2:
        raise RefusedError(
            node, "map_status() takes a domain and the source's word: map_status('sales_order.status', status)"
        )
    domain = string_literal(node.expressions[0], node, "the domain of map_status()")
    words = translator.words.get(domain)
    if words is None:
        known = nearest(domain, translator.words)
        raise RefusedError(node, f"maps.yaml has no words for {domain!r} of this source{known}")
    word = as_text(translator.value(node.expressions[1]), node)
    arms = "".join(f" WHEN {text_literal(theirs)} THEN {text_literal(ours)}" for theirs, ours in words.items())
    sql = f"CASE {word.sql}{arms} ELSE '{UNKNOWN}' || {word.sql} END"
    return Fragment(sql=sql, type=TEXT_TYPE, may_fail=word.may_fail, words=frozenset(words.values()))


def status_case(call: exp.Expr, words: Mapping[str, Mapping[str, str]]) -> exp.Expr:
    """Return a checked `map_status` call as the CASE that the source itself can run."""
    domain, word = call.expressions
    text = exp.cast(word.copy(), "text", dialect="postgres")
    case = exp.Case(this=text, default=exp.DPipe(this=exp.Literal.string(UNKNOWN), expression=text.copy()))
    for theirs, ours in words[str(domain.this)].items():
        case.append("ifs", exp.If(this=exp.Literal.string(theirs), true=exp.Literal.string(ours)))
    return case


RULES: dict[type[exp.Expr], Rule] = {
    exp.Upper: _call("upper({0})"),
    exp.Lower: _call("lower({0})"),
    exp.Trim: _call("{1}({0}, {2})", _trim),
    exp.Replace: _call("replace({0}, {1}, {2})", _replace),
    exp.SplitPart: _call("split_part({0}, {1}, {2})", _split),
    exp.Substring: _call("substring({0}, {1}{2})", _substring),
    exp.Left: _call("left({0}, {1})", _side),
    exp.Right: _call("right({0}, {1})", _side),
    exp.Length: rule(_length, "this"),
    exp.DPipe: rule(_pipes, "this", "expression"),
    exp.Concat: rule(_concat, "expressions"),
    exp.AtTimeZone: rule(_at_time_zone, "this", "zone"),
    exp.Bracket: rule(_subscript, "this", "expressions", "offset"),
    exp.JSONExtract: rule(_member, "this", "expression"),
    exp.JSONExtractScalar: rule(_member_text, "this", "expression"),
    exp.Anonymous: rule(_named, "this", "expressions"),
}
