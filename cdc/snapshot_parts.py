"""How the tables of a snapshot are divided, so that several connections can copy one table: ranges of its heap's pages.

A large heap is read in ranges of ctid (a TID range scan: each page once, no sort); which of them are read is told, so that an
interrupted snapshot need not read them again (`cdc.batch.Unread`). A partitioned table is read partition by partition,
each with the root's column names, because a partition's own may stand in another order. What cannot be divided (a small table, a
foreign partition, partitions that the role may not read by themselves) is one part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from cdc.batch import PageRange, Unread
from cdc.binary_values import Read
from cdc.connection import PlainConnection
from cdc.driver_errors import translate
from cdc.relation import Relation, ReplicaIdentity
from cdc.snapshot import CopiedColumns, copied_columns, copy_statement, partitioned

# 64 MB: large enough that a part's own costs (a statement, a half-filled chunk at its end) do not show.
PART_PAGES = 8192
_HEAPS = """
SELECT t.relid::int8, n.nspname, c.relname, pg_relation_size(c.oid) / current_setting('block_size')::int8,
    greatest(c.reltuples, 0)::int8, c.relkind = 'r' AND a.amname = 'heap' AND has_table_privilege(c.oid, 'SELECT'),
    coalesce(pg_relation_filenode(c.oid), 0)::int8
FROM (SELECT %s::oid AS relid, true AS leaf UNION SELECT relid, isleaf FROM pg_partition_tree(%s)) AS t
JOIN pg_class c ON c.oid = t.relid JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_am a ON a.oid = c.relam
WHERE t.leaf AND c.relkind <> 'p' ORDER BY t.relid
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A COPY of some of a table's rows; `reads`: what reads each column. `pages`: where they are, of a table that is divided."""

    relation: Relation
    reads: tuple[Read, ...]
    statement: sql.Composed
    pages: PageRange | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class TableParts:
    """A table's parts, which together hold each row once; `estimated_rows` as the server's statistics have it.

    `unread`: all of its pages, where they can be told apart and their rows have a key to be told apart by.
    """

    relation: Relation
    parts: tuple[Part, ...]
    estimated_rows: int
    bytes: int
    unread: Unread | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Heap:
    """A table that is not partitioned, or a partition. `file`: another one after a rewrite, or a TRUNCATE."""

    oid: int
    schema: str
    table: str
    pages: int
    rows: int
    divisible: bool
    file: int

    @property
    def name(self) -> sql.Identifier:
        """Its name in SQL."""
        return sql.Identifier(self.schema, self.table)


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
            heaps_of(connection, relation),
            row_filters.get(relation.qualified_name),
            relation.oid in roots,
            part_pages,
        )
        for relation in relations
    ]


def _table(
    relation: Relation,
    columns: CopiedColumns,
    heaps: Sequence[Heap],
    row_filter: str | None,
    is_root: bool,
    part_pages: int,
) -> TableParts:
    pages = sum(heap.pages for heap in heaps)
    if pages <= part_pages or not all(heap.divisible for heap in heaps):
        statement = copy_statement(relation, columns, only=not is_root, row_filter=row_filter)
        parts = [Part(relation=relation, reads=columns.reads, statement=statement)]
    else:
        parts = [
            part_of(relation, columns, heap, PageRange(heap.oid, *span), row_filter)
            for heap in heaps
            for span in _spans(heap.pages, part_pages)
        ]
    return TableParts(
        relation=relation,
        parts=tuple(parts),
        estimated_rows=sum(heap.rows for heap in heaps),
        bytes=pages * 8192,
        unread=_unread(relation, heaps, parts),
    )


def part_of(relation: Relation, columns: CopiedColumns, heap: Heap, pages: PageRange, row_filter: str | None) -> Part:
    """Return the rows in these pages of a heap as a part."""
    span = (pages.first, pages.end)
    statement = copy_statement(relation, columns, only=True, row_filter=row_filter, heap=heap.name, pages=span)
    return Part(relation=relation, reads=columns.reads, statement=statement, pages=pages)


def files_of(heaps: Sequence[Heap]) -> dict[int, int]:
    """Return the heaps' files by OID."""
    return {heap.oid: heap.file for heap in heaps}


def _unread(relation: Relation, heaps: Sequence[Heap], parts: Sequence[Part]) -> Unread | None:
    """Rows without a key of their own can't be read twice: the second would be another row."""
    ranges = tuple(part.pages for part in parts if part.pages is not None)
    keyed = relation.replica_identity is not ReplicaIdentity.FULL or relation.primary_key
    return Unread(files=files_of(heaps), ranges=ranges) if ranges and keyed else None


def _spans(pages: int, part_pages: int) -> list[tuple[int, int | None]]:
    """Return the ranges of pages; the last one has no end, for a heap may have grown since."""
    firsts = list(range(0, max(pages, 1), part_pages))
    return [(first, following) for first, following in zip(firsts, [*firsts[1:], None], strict=True)]


def heaps_of(connection: PlainConnection, relation: Relation) -> list[Heap]:
    """Return what a table's rows are stored in."""
    try:
        rows = connection.execute(_HEAPS, [relation.oid, relation.oid]).fetchall()
    except psycopg.Error as error:
        raise translate(
            error, f"looking at the size of {relation.qualified_name}", table=relation.qualified_name
        ) from error
    names = ("oid", "schema", "table", "pages", "rows", "divisible", "file")
    return [Heap(**dict(zip(names, row, strict=True))) for row in rows]
