"""What a row filter or a mapping's backfill policy keeps from the operational lane, in the mirror's terms: those orders are not missing in
Odoo, they were never to go there.
"""

from __future__ import annotations

from collections.abc import Mapping as Map
from collections.abc import Sequence
from dataclasses import replace

import sqlglot
from sqlglot.errors import SqlglotError

from transforms.compiled import CompiledMapping
from transforms.compiler import RULES
from transforms.mapping import Backfill, MappingError
from transforms.operators import condition
from transforms.translator import RefusedError, Translator


def left_out(compiled: Sequence[CompiledMapping], row_filters: Map[str, Map[str, str]]) -> tuple[CompiledMapping, ...]:
    """Return the mappings that leave rows out, each keeping just these: by the row filter of its table, or by its backfill policy.

    What `backfill: none` has left out no row shows: all its rows are given, and the outbox tells (warehouse.views).

    row_filters: source -> schema.table -> WHERE in the source's dialect. MappingError names a filter that says something for which
    there is no DuckDB expression of the same meaning.
    """
    found, problems = [], []
    for mapping in compiled:
        backfill = mapping.mapping.backfill
        if backfill.from_date:
            begins = f"coalesce(TRY({mapping.begins.sql}), true)"
            found.append(replace(mapping, keep=replace(mapping.keep, sql=f"({mapping.keep.sql}) AND NOT {begins}")))
        elif backfill.none:
            found.append(mapping)
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
    plain = replace(mapping.mapping, backfill=Backfill())
    return replace(
        mapping, mapping=plain, keep=replace(mapping.keep, sql=sql, may_fail=mapping.keep.may_fail or kept.may_fail)
    )
