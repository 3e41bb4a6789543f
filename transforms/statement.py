"""The SELECT of a mapping as sqlglot reads it: parsed, held to its shape, its mistakes placed on the file's lines."""

from __future__ import annotations

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from transforms.mapping import Mapping
from transforms.names import nearest
from transforms.translator import RefusedError, column_name

_SHAPE = frozenset({"expressions", "from", "from_", "where"})
_DEFAULT_SCHEMA = "public"


def parse_statement(mapping: Mapping) -> exp.Select:
    """Return the one SELECT of a mapping; RefusedError or SqlglotError where the file holds anything else."""
    statements = [each for each in sqlglot.parse(mapping.text, dialect="postgres") if each is not None]
    if len(statements) != 1 or not isinstance(statements[0], exp.Select):
        what = f"{len(statements)} statements" if len(statements) != 1 else type(statements[0]).__name__.upper()
        raise RefusedError(statements[-1] if statements else exp.Null(), f"a mapping is one SELECT, this is {what}")
    select = statements[0]
    _refuse_clauses(select)
    _refuse_other_tables(select, mapping.table)
    return select


def syntax_problem(error: SqlglotError) -> tuple[int, str]:
    """Return the line and message of sqlglot's first complaint."""
    details = getattr(error, "errors", None) or [{}]
    line = details[0].get("line") or 1
    near = details[0].get("highlight")
    return line, f"is not valid SQL: {details[0].get('description', str(error))}{f' near {near!r}' if near else ''}"


def _refuse_clauses(select: exp.Select) -> None:
    for name, clause in select.args.items():
        if clause and name not in _SHAPE:
            node = clause[0] if isinstance(clause, list) else clause
            where = node if isinstance(node, exp.Expression) else select
            raise RefusedError(where, f"a mapping is one SELECT over one table: it has no {name.rstrip('_s')} clause")
    inner = next((each for each in select.find_all(exp.Query, exp.AggFunc, exp.Window) if each is not select), None)
    if inner is not None:
        raise RefusedError(inner, "a mapping computes one record from one row: no subqueries, aggregates or windows")
    star = select.find(exp.Star)
    if star is not None:
        raise RefusedError(star, "name the fields one by one: * would change with the table")


def _refuse_other_tables(select: exp.Select, wanted: str) -> None:
    source = select.args.get("from_") or select.args.get("from")
    table = source.this if source is not None else None
    if not isinstance(table, exp.Table) or not isinstance(table.this, exp.Identifier):
        raise RefusedError(source or select, f"the SELECT must be over {wanted}, the header's table")
    schema = column_name(exp.Column(this=table.args["db"])) if table.args.get("db") else _DEFAULT_SCHEMA
    found = f"{schema}.{column_name(exp.Column(this=table.this))}"
    if found != wanted or table.args.get("catalog"):
        raise RefusedError(table, f"the SELECT is over {found}, the header says {wanted}")
    names = {table.alias_or_name}
    for column in select.find_all(exp.Column):
        if column.table and column.table not in names:
            raise RefusedError(column, f"there is no table {column.table!r} here{nearest(column.table, names)}")


def output_name(projection: exp.Expr) -> str:
    """Return the field that a projection gives; RefusedError where it has no name."""
    if isinstance(projection, exp.Alias):
        return str(projection.alias)
    if isinstance(projection, exp.Column):
        return column_name(projection)
    raise RefusedError(projection, "the expression needs a name: `... AS field`")


def line_of(node: exp.Expr) -> int:
    """Return the line of a node in its file: its own, else that of its first part that has one, else its parent's."""
    lines = [each.meta["line"] for each in node.walk() if each.meta.get("line")]
    if node.meta.get("line"):
        return int(node.meta["line"])
    if lines:
        return int(min(lines))
    return line_of(node.parent) if node.parent is not None else 1


def columns_of(node: exp.Expr) -> tuple[str, ...]:
    """Return the source columns that an expression reads, each once, in order."""
    return tuple(dict.fromkeys(column_name(column) for column in node.find_all(exp.Column, bfs=False)))
