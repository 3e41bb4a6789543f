"""Which columns of its table a mapping's text names: what a publication must have for it, whether it fits the table now or not."""

from __future__ import annotations

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from transforms.mapping import Mapping
from transforms.statement import columns_of, line_of, parse_statement
from transforms.translator import RefusedError, column_name


def columns_read(mapping: Mapping) -> dict[str, int] | None:
    """Return the columns that the SELECT and the backfill policy name, with the file's line; None where that can't be read."""
    try:
        select = parse_statement(mapping)
        policy = mapping.backfill.on and sqlglot.parse_one(mapping.backfill.on, read="postgres")
    except (SqlglotError, RefusedError):
        return None
    found: dict[str, int] = {}
    for column in select.find_all(exp.Column, bfs=False):
        found.setdefault(column_name(column), line_of(column))
    for name in columns_of(policy) if policy else ():
        found.setdefault(name, 1)
    return found
