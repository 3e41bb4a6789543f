"""The mapping compiler: from a mapping's SELECT and its source's tables to DuckDB SQL, or to all its mistakes at once.

Contract: runs before any change is captured (`causeway check`, start of a lane) and whenever a mapping or its table has changed.
It reads no database: the caller hands in the relations. What it lets through gives in DuckDB what the SELECT gives in the source.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as Map

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from cdc.relation import Relation
from transforms import arithmetic, casts, functions, operators
from transforms.casts import as_text
from transforms.compiled import SOURCE_KEY, AnyMapping, BrokenMapping, CompiledMapping
from transforms.fields import Field, FieldKind, entity_fields
from transforms.mapping import Mapping, MappingError
from transforms.names import nearest
from transforms.sqltypes import BOOLEAN_TYPE, Kind, as_decimal
from transforms.statement import columns_of, line_of, output_name, parse_statement, syntax_problem
from transforms.translator import Fragment, RefusedError, Rule, Translator, cast, column_name

RULES: dict[type[exp.Expr], Rule] = {**operators.RULES, **arithmetic.RULES, **casts.RULES, **functions.RULES}

_TRUE = Fragment(sql="TRUE", type=BOOLEAN_TYPE)
# Kinds of values that a field takes. Whole numbers and uuids as text are keys; the source writes them the same way.
_TAKES: dict[FieldKind, frozenset[Kind]] = {
    FieldKind.TEXT: frozenset({Kind.TEXT, Kind.INTEGER, Kind.BIGINT, Kind.UUID}),
    FieldKind.WORD: frozenset({Kind.TEXT}),
    FieldKind.NUMBER: frozenset({Kind.DECIMAL, Kind.INTEGER, Kind.BIGINT}),
    FieldKind.INTEGER: frozenset({Kind.INTEGER, Kind.BIGINT}),
    FieldKind.BOOLEAN: frozenset({Kind.BOOLEAN}),
    FieldKind.INSTANT: frozenset({Kind.INSTANT}),
}
_KEY_FIELD = Field(name=SOURCE_KEY, kind=FieldKind.TEXT, required=True)


def compile_mappings(
    mappings: Sequence[Mapping], relations: Map[str, Sequence[Relation]]
) -> tuple[CompiledMapping, ...]:
    """Compile mappings against the tables of their sources; MappingError with every mistake of every mapping.

    `relations`: source name -> its captured tables, with type names and primary keys where the catalog was asked.
    """
    each = compile_each(mappings, relations)
    problems = [problem for one in each if isinstance(one, BrokenMapping) for problem in one.problems]
    if problems:
        raise MappingError(problems)
    return tuple(one for one in each if isinstance(one, CompiledMapping))


def compile_each(mappings: Sequence[Mapping], relations: Map[str, Sequence[Relation]]) -> tuple[AnyMapping, ...]:
    """Compile mappings as `compile_mappings` does, each for itself: one that is broken does not keep the others from working."""
    return tuple(_compile_one(mapping, relations) for mapping in mappings)


def _compile_one(mapping: Mapping, relations: Map[str, Sequence[Relation]]) -> AnyMapping:
    relation, missing = _find_table(mapping, relations)
    if relation is None:
        return BrokenMapping(mapping=mapping, problems=(missing,))
    return compile_for(mapping, relation)


def compile_for(mapping: Mapping, relation: Relation) -> AnyMapping:
    """Compile one mapping against one version of its table."""
    compiled, problems = compile_mapping(mapping, relation)
    return compiled if compiled is not None else BrokenMapping(mapping=mapping, problems=tuple(problems))


def compile_mapping(mapping: Mapping, relation: Relation) -> tuple[CompiledMapping | None, list[str]]:
    """Compile one mapping against one version of its table; the mistakes are ready to be reported, sorted by line."""
    try:
        select = parse_statement(mapping)
    except SqlglotError as error:
        return None, [mapping.problem(*syntax_problem(error))]
    except RefusedError as refused:
        return None, [mapping.problem(line_of(refused.node), refused.message)]
    compilation = _Compilation(mapping, relation, select)
    compiled = compilation.run()
    return compiled, [mapping.problem(line, message) for line, message in sorted(set(compilation.mistakes))]


def _find_table(mapping: Mapping, relations: Map[str, Sequence[Relation]]) -> tuple[Relation | None, str]:
    if mapping.source not in relations:
        return None, mapping.problem(1, f"there is no source {mapping.source!r}{nearest(mapping.source, relations)}")
    tables = {relation.qualified_name: relation for relation in relations[mapping.source]}
    near = nearest(mapping.table, tables)
    message = f"{mapping.table} is not among the captured tables of {mapping.source}{near}"
    return tables.get(mapping.table), mapping.problem(1, message)


class _Compilation:
    """The compilation of one SELECT; collects (line, message) instead of ending at the first mistake."""

    def __init__(self, mapping: Mapping, relation: Relation, select: exp.Select) -> None:
        self.mapping, self.relation, self.select = mapping, relation, select
        self.mistakes: list[tuple[int, str]] = []
        self.words = mapping.maps.words.get(mapping.source, {})
        self.translator = Translator(relation.columns, RULES, self.words, mapping.text)

    def run(self) -> CompiledMapping | None:
        """Return the compiled mapping; None where there are mistakes."""
        self._report_unknown_columns()
        projections = dict(self._projections())
        fields = {name: self._output(name, node) for name, node in projections.items()}
        keep = self._keep()
        begins, begin_columns = self._begins()
        self._report_missing(projections)
        if self.mistakes:
            return None
        known = {name: fragment for name, fragment in fields.items() if fragment is not None}
        where = self.select.args.get("where")
        return CompiledMapping(
            mapping=self.mapping,
            relation=self.relation,
            key=known.pop(SOURCE_KEY),
            keep=keep,
            fields=known,
            lineage={name: columns_of(node) for name, node in projections.items()},
            keep_columns=columns_of(where) if where is not None else (),
            key_pattern=f"^{self._pattern(projections[SOURCE_KEY])}$",
            source_sql=self._source_sql(),
            begins=begins,
            begin_columns=begin_columns,
        )

    def _mistake(self, node: exp.Expr, message: str) -> None:
        self.mistakes.append((line_of(node), message))

    def _report_unknown_columns(self) -> None:
        for column in self.select.find_all(exp.Column):
            if column_name(column) not in self.translator.columns:
                self._translate(column)

    def _translate(self, node: exp.Expr) -> Fragment | None:
        try:
            return self.translator.value(node)
        except RefusedError as refused:
            self._mistake(refused.node, refused.message)
            return None

    def _projections(self) -> Iterator[tuple[str, exp.Expr]]:
        """Give each output's name and expression; what is no field of the entity, or is given twice, is a mistake."""
        allowed = (SOURCE_KEY, *entity_fields(self.mapping.entity))
        given: set[str] = set()
        for projection in self.select.expressions:
            try:
                name = output_name(projection)
            except RefusedError as refused:
                self._mistake(refused.node, refused.message)
                continue
            if name not in allowed:
                self._mistake(projection, f"{self.mapping.entity} has no field {name!r}{nearest(name, allowed)}")
            elif name in given:
                self._mistake(projection, f"{name} is given twice")
            else:
                given.add(name)
                yield name, projection.unalias()

    def _output(self, name: str, node: exp.Expr) -> Fragment | None:
        value = self._translate(node)
        if value is None:
            return None
        field = _KEY_FIELD if name == SOURCE_KEY else entity_fields(self.mapping.entity)[name]
        if name == SOURCE_KEY:
            self._check_key(node)
        if value.type.kind is Kind.NULL:
            if field.required:
                self._mistake(node, f"{name} must not be null")
            return None if field.required else Fragment(sql="CAST(NULL AS VARCHAR)", type=value.type)
        return self._as_field(field, value, node)

    def _as_field(self, field: Field, value: Fragment, node: exp.Expr) -> Fragment | None:
        if value.type.kind not in _TAKES[field.kind]:
            local = field.kind is FieldKind.INSTANT and value.type.kind is Kind.TIMESTAMP
            hint = ": say which time zone it is in with AT TIME ZONE" if local else ""
            self._mistake(node, f"{field.name} takes {field.kind.value}, not {value.type}{hint}")
            return None
        for word in sorted((value.words or frozenset()) - set(field.words)) if field.words else ():
            self._mistake(node, f"{field.name} takes {', '.join(field.words)}; not {word!r}")
        if field.kind is FieldKind.TEXT:
            return as_text(value, node)
        return cast(value, as_decimal(value.type)) if field.kind is FieldKind.NUMBER else value

    def _check_key(self, node: exp.Expr) -> None:
        """A delete carries only the key's columns; and without all of them two rows would be one record."""
        keys, used = self.relation.key_columns, columns_of(node)
        if not keys:
            table = self.relation.qualified_name
            self._mistake(node, f"{table} has no replica identity: its updates and deletes can't be told apart")
        elif set(used) != set(keys):
            self._mistake(node, f"source_key must be made of {', '.join(keys)}, all that deletes carry of a row")

    def _keep(self) -> Fragment:
        where = self.select.args.get("where")
        if where is None:
            return _TRUE
        try:
            return operators.condition(self.translator, where.this)
        except RefusedError as refused:
            self._mistake(refused.node, refused.message)
            return _TRUE

    def _begins(self) -> tuple[Fragment, tuple[str, ...]]:
        """Translate the backfill policy's date."""
        backfill = self.mapping.backfill
        if not backfill.from_date:
            return _TRUE, ()
        lines = self.mapping.text.splitlines()
        line = next((number for number, text in enumerate(lines, 1) if re.match(r"--\s*backfill\s*:", text)), 1)
        try:
            node = sqlglot.parse_one(backfill.on, read="postgres")
            value = Translator(self.relation.columns, RULES, self.words, backfill.on).value(node)
        except (SqlglotError, RefusedError) as error:
            what = error.message if isinstance(error, RefusedError) else f"{backfill.on!r} is not an expression"
            self.mistakes.append((line, f"backfill: {what}"))
            return _TRUE, ()
        if value.type.kind not in (Kind.DATE, Kind.TIMESTAMP, Kind.INSTANT):
            self.mistakes.append((line, f"backfill: {backfill.on} must be a date or a timestamp, not {value.type}"))
            return _TRUE, ()
        sql = f"({value.sql} >= CAST('{backfill.from_date}' AS {value.type.duckdb}))"
        return Fragment(sql=sql, type=BOOLEAN_TYPE, may_fail=True), columns_of(node)

    def _report_missing(self, projections: Map[str, exp.Expr]) -> None:
        fields = entity_fields(self.mapping.entity).values()
        required = (SOURCE_KEY, *(field.name for field in fields if field.required))
        attempted = {each.alias_or_name for each in self.select.expressions}
        missing = [name for name in required if name not in projections and name not in attempted]
        if missing:
            self._mistake(self.select, f"{self.mapping.entity} needs {', '.join(missing)}")

    def _pattern(self, node: exp.Expr) -> str:
        """Return a regular expression of the texts that an expression of the key can give."""
        node = node.unnest()
        if isinstance(node, exp.Cast):
            return self._pattern(node.this)
        if isinstance(node, exp.DPipe):
            return self._pattern(node.this) + self._pattern(node.expression)
        if isinstance(node, exp.Concat):
            return "".join(self._pattern(each) for each in node.expressions)
        if isinstance(node, exp.Literal):
            return re.escape(str(node.this))
        kind = self.translator.column(node).type if isinstance(node, exp.Column) else None
        if kind is not None and kind.is_whole:
            return "-?[0-9]+"
        return "[0-9a-f-]{36}" if kind is not None and kind.kind is Kind.UUID else ".*"

    def _source_sql(self) -> str:
        """Return the SELECT for Postgres, with each map_status() as the CASE that it stands for."""
        select = self.select.copy()
        for call in list(select.find_all(exp.Anonymous)):
            if str(call.this).lower() == functions.MAP_STATUS:
                call.replace(functions.status_case(call, self.words))
        return select.sql(dialect="postgres", comments=False)
