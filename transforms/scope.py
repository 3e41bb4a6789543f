"""What a row filter of the operational lane leaves out, in the mirror's terms: those orders are not missing in Odoo, they were never
to go there.
"""

from __future__ import annotations

from collections.abc import Mapping as Map
from collections.abc import Sequence
from dataclasses import replace

import sqlglot
from sqlglot.errors import SqlglotError

from transforms.compiled import CompiledMapping
from transforms.compiler import RULES
from transforms.mapping import MappingError
from transforms.operators import condition
from transforms.translator import RefusedError, Translator


def left_out(compiled: Sequence[CompiledMapping], row_filters: Map[str, Map[str, str]]) -> tuple[CompiledMapping, ...]:
    """Return the mappings whose table has a row filter, each keeping the rows that its filter leaves out.

    row_filters: source -> schema.table -> WHERE in the source's dialect. MappingError names a filter that says something for which
    there is no DuckDB expression of the same meaning.
    """
    found, problems = [], []
    for mapping in compiled:
        row_filter = row_filters.get(mapping.source, {}).get(mapping.table)
        if row_filter is None:
            continue
        try:
            found.append(_inverted(mapping, row_filter))
        except (SqlglotError, RefusedError) as error:
            what = error.message if isinstance(error, RefusedError) else "is not a condition"
            problem = f"sources.{mapping.source}.tables: row_filter of {mapping.table}: {what}"
            problems += [] if problem in problems else [problem]
    if problems:
        raise MappingError(problems)
    return tuple(found)


def _inverted(mapping: CompiledMapping, row_filter: str) -> CompiledMapping:
    node = sqlglot.parse_one(row_filter, read="postgres")
    kept = condition(Translator(mapping.relation.columns, RULES, {}, row_filter), node)
    # A filter that is null leaves the row out, as WHERE does.
    sql = f"({mapping.keep.sql}) AND NOT coalesce({kept.sql}, false)"
    return replace(mapping, keep=replace(mapping.keep, sql=sql, may_fail=mapping.keep.may_fail or kept.may_fail))
