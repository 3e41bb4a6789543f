"""The initial copy: every row of every table under one exported snapshot, as binary COPY.

A destination that takes typed values gets them in the types' own binary form where that is exact (`cdc.binary_values`): neither
server nor bridge then writes and reads texts. Every other value comes as text, because a value must have one text whichever way
it comes: the one that Postgres's output functions write, as in the stream. A cast to text is not always that (boolean,
character, inet and cidr have casts of their own, and any type may): these go through their output function by name.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import psycopg
from psycopg import sql

from cdc import binary_values
from cdc.batch import OP_INSERT, TableChanges
from cdc.binary_values import Read
from cdc.connection import PlainConnection
from cdc.driver_errors import translate
from cdc.lsn import Lsn
from cdc.protocol import protocol_error
from cdc.relation import Column, Relation
from cdc.table_changes import meta_arrays, misfit_texts, rows_table
from cdc.tuples import decode_copied_rows
from cdc.wire import Wire

_SIGNATURE = b"PGCOPY\n\xff\r\n\0"
_HEADER_BYTES = len(_SIGNATURE) + 8  # and two int32: flags, size of the header's extension
_TRAILER = b"\xff\xff"

_PARTITIONED = "SELECT oid::int8 FROM pg_class WHERE oid = ANY (%s) AND relkind = 'p'"

# Types whose cast to text is a function, or takes their bytes as they are (xml keeps its declaration there): their text is not what
# their output function writes.
_OUTPUT_FUNCTIONS = """
SELECT t.oid::int8, n.nspname, p.proname
FROM pg_type t JOIN pg_proc p ON p.oid = t.typoutput JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE t.oid = ANY (%s) AND (t.typtype = 'd' OR EXISTS (
    SELECT FROM pg_cast WHERE castsource = t.oid AND casttarget = 'text'::regtype
        AND (castmethod = 'f' OR castmethod = 'b' AND p.prosrc NOT IN ('textout', 'varcharout'))))
"""


def output_functions(connection: PlainConnection, relations: Sequence[Relation]) -> dict[int, sql.Identifier]:
    """Return the output functions, by type OID, of the types whose cast to text would not do."""
    oids = sorted({column.type_oid for relation in relations for column in relation.columns})
    try:
        rows = connection.execute(_OUTPUT_FUNCTIONS, [oids]).fetchall()
    except psycopg.Error as error:
        raise translate(error, "reading the types of the captured tables") from error
    return {oid: sql.Identifier(schema, name) for oid, schema, name in rows}


def partitioned(connection: PlainConnection, relations: Sequence[Relation]) -> set[int]:
    """Return the OIDs of those that are partitioned tables."""
    try:
        rows = connection.execute(_PARTITIONED, [[relation.oid for relation in relations]]).fetchall()
    except psycopg.Error as error:
        raise translate(error, "reading the captured tables") from error
    return {oid for (oid,) in rows}


def text_columns(relation: Relation, outputs: Mapping[int, sql.Identifier]) -> sql.Composed:
    """Build the list of a relation's columns, each as the text that its output function writes."""
    return sql.SQL(", ").join(text_column_list(relation, outputs))


def text_column_list(relation: Relation, outputs: Mapping[int, sql.Identifier]) -> list[sql.Composed]:
    """Build the same, column by column."""
    return [_text_of(column, outputs) for column in relation.columns]


def _text_of(column: Column, outputs: Mapping[int, sql.Identifier]) -> sql.Composed:
    if column.type_oid in outputs:
        return sql.SQL("{}({})::pg_catalog.text").format(outputs[column.type_oid], sql.Identifier(column.name))
    return sql.SQL("{}::pg_catalog.text").format(sql.Identifier(column.name))


@dataclass(frozen=True, kw_only=True, slots=True)
class CopiedColumns:
    """How a relation's columns are asked for, and what reads each of them."""

    listed: sql.Composed
    reads: tuple[Read, ...]


def copied_columns(
    relation: Relation, outputs: Mapping[int, sql.Identifier], *, typed: bool, texts: Collection[str] = ()
) -> CopiedColumns:
    """Choose how each column comes. `typed`: as a typed value where that is exact; but those named in `texts` as text."""
    expressions: list[sql.Composable] = []
    reads = []
    for column in relation.columns:
        wanted = typed and column.name not in texts
        read = binary_values.typed(column) if wanted else binary_values.as_text(column)
        expressions.append(_text_of(column, outputs) if read is None else sql.Identifier(column.name))
        reads.append(read or binary_values.text)
    return CopiedColumns(listed=sql.SQL(", ").join(expressions), reads=tuple(reads))


def copy_statement(
    relation: Relation,
    columns: CopiedColumns,
    *,
    only: bool,
    row_filter: str | None = None,
    heap: sql.Identifier | None = None,
    pages: tuple[int, int | None] | None = None,
) -> sql.Composed:
    """Build the COPY of a table. `only`: without tables that inherit, as the publication; not for a partitioned one.

    heap: the partition to read instead of the table; pages: of its heap, from the first up to before the second, if there is one.
    """
    # The filter is SQL of the settings, reviewed with them, as a mapping is.
    conditions = [sql.SQL(f"({row_filter})")] if row_filter else []
    if pages is not None:
        conditions.append(sql.SQL(f"ctid >= '({pages[0]},0)'::tid"))
        conditions += [] if pages[1] is None else [sql.SQL(f"ctid < '({pages[1]},0)'::tid")]
    condition = sql.SQL(" WHERE {}").format(sql.SQL(" AND ").join(conditions)) if conditions else sql.SQL("")
    return sql.SQL("COPY (SELECT {} FROM {}{}{}) TO STDOUT (FORMAT binary)").format(
        columns.listed,
        sql.SQL("ONLY " if only else ""),
        heap or sql.Identifier(relation.schema, relation.table),
        condition,
    )


def decode_copied(
    relation: Relation, reads: Sequence[Read], messages: Sequence[bytes], lsn: Lsn, copied_us: int
) -> TableChanges:
    """Decode rows of a copy, each a message, into inserts: their `_lsn` is `lsn`, their `_xid` 0.

    `reads`: what reads each column; `copied_us`: when the rows were seen, since 1970.
    """
    wire = Wire(messages)
    rows = len(wire)
    columns = decode_copied_rows(wire, reads)
    same = np.ones(rows, dtype=np.int64)
    letters = np.full(rows, ord(OP_INSERT), dtype=np.uint8)
    meta = meta_arrays(letters, np.arange(rows, dtype=np.int64), same * lsn, same * 0, same * copied_us)
    names = relation.column_names
    table = rows_table(names, [column.array for column in columns], meta)
    misfits = {
        name: misfit_texts(rows, column.misfits) for name, column in zip(names, columns, strict=True) if column.misfits
    }
    return TableChanges(relation=relation, rows=table, misfits=misfits)


class CopyFrame:
    """What stands around the rows of a binary copy: a header before the first, a trailer behind the last."""

    def __init__(self) -> None:
        self._header_seen = self._trailer_seen = False

    def strip(self, messages: list[bytes]) -> None:
        """Take header and trailer out of the next messages; the header comes in one message with the first row."""
        if messages and not self._header_seen:
            messages[0] = _without_header(messages[0])
            self._header_seen = True
        if messages and messages[-1] == _TRAILER:
            self._trailer_seen = True
            messages.pop()

    def end(self) -> None:
        """Refuse a copy that ended without its trailer."""
        if not self._trailer_seen:
            raise protocol_error("a binary copy ends without its trailer")


def _without_header(message: bytes) -> bytes:
    if (
        len(message) < _HEADER_BYTES
        or not message.startswith(_SIGNATURE)
        or any(message[len(_SIGNATURE) : _HEADER_BYTES])
    ):
        raise protocol_error("a binary copy begins with another header")
    return message[_HEADER_BYTES:]
