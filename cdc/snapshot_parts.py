"""How the tables of a snapshot are divided, so that several connections can copy one table: ranges of its heap's pages.

A large heap is read in ranges of ctid (a TID range scan: each page once, no sort). A partitioned table is read partition by partition,
each with the root's column names, because a partition's own may stand in another order. What cannot be divided (a small table, a
foreign partition, partitions that the role may not read by themselves) is one part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from cdc.binary_values import Read
from cdc.connection import PlainConnection
from cdc.driver_errors import translate
from cdc.relation import Relation
from cdc.snapshot import CopiedColumns, copied_columns, copy_statement, partitioned

# 64 MB: large enough that a part's own costs (a statement, a half-filled chunk at its end) do not show.
PART_PAGES = 8192
_HEAPS = """
SELECT t.relid::int8, n.nspname, c.relname, pg_relation_size(c.oid) / current_setting('block_size')::int8,
    greatest(c.reltuples, 0)::int8, c.relkind = 'r' AND a.amname = 'heap' AND has_table_privilege(c.oid, 'SELECT')
FROM (SELECT %s::oid AS relid, true AS leaf UNION SELECT relid, isleaf FROM pg_partition_tree(%s)) AS t
JOIN pg_class c ON c.oid = t.relid JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_am a ON a.oid = c.relam
WHERE t.leaf AND c.relkind <> 'p' ORDER BY t.relid
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A COPY of some of a table's rows; `reads`: what reads each column."""

    relation: Relation
    reads: tuple[Read, ...]
    statement: sql.Composed


@dataclass(frozen=True, kw_only=True, slots=True)
class TableParts:
    """A table's parts, which together hold each row once; `estimated_rows` as the server's statistics have it."""

    relation: Relation
    parts: tuple[Part, ...]
    estimated_rows: int
    bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _Heap:
    oid: int
    schema: str
    table: str
    pages: int
    rows: int
    divisible: bool


def divide(
    connection: PlainConnection,
    relations: Sequence[Relation],
    outputs: Mapping[int, sql.Identifier],
    row_filters: Mapping[str, str],
    *,
    typed: bool,
    part_pages: int = PART_PAGES,
) -> list[TableParts]:
    """Return the parts of each table, in the order of the relations; `typed` as for `copied_columns`."""
    roots = partitioned(connection, relations)
    return [
        _table(
            relation,
            copied_columns(relation, outputs, typed=typed),
            _heaps(connection, relation),
            row_filters.get(relation.qualified_name),
            relation.oid in roots,
            part_pages,
        )
        for relation in relations
    ]


def _table(
    relation: Relation,
    columns: CopiedColumns,
    heaps: Sequence[_Heap],
    row_filter: str | None,
    is_root: bool,
    part_pages: int,
) -> TableParts:
    pages = sum(heap.pages for heap in heaps)
    if pages <= part_pages or not all(heap.divisible for heap in heaps):
        statements = [copy_statement(relation, columns, only=not is_root, row_filter=row_filter)]
    else:
        statements = [
            copy_statement(relation, columns, only=True, row_filter=row_filter, heap=heap_name, pages=span)
            for heap in heaps
            for heap_name in [sql.Identifier(heap.schema, heap.table)]
            for span in _spans(heap.pages, part_pages)
        ]
    parts = tuple(Part(relation=relation, reads=columns.reads, statement=statement) for statement in statements)
    return TableParts(
        relation=relation, parts=parts, estimated_rows=sum(heap.rows for heap in heaps), bytes=pages * 8192
    )


def _spans(pages: int, part_pages: int) -> list[tuple[int, int | None]]:
    """Return the ranges of pages; the last one has no end, for a heap may have grown since."""
    firsts = list(range(0, max(pages, 1), part_pages))
    return [(first, following) for first, following in zip(firsts, [*firsts[1:], None], strict=True)]


def _heaps(connection: PlainConnection, relation: Relation) -> list[_Heap]:
    try:
        rows = connection.execute(_HEAPS, [relation.oid, relation.oid]).fetchall()
    except psycopg.Error as error:
        raise translate(
            error, f"looking at the size of {relation.qualified_name}", table=relation.qualified_name
        ) from error
    names = ("oid", "schema", "table", "pages", "rows", "divisible")
    return [_Heap(**dict(zip(names, row, strict=True))) for row in rows]
