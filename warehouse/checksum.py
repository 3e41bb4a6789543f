"""The mirror's side of a verification: count and sum of row hashes in each bucket of keys, and the hashes of single rows.

The formula is the one of `cdc.checksum`, which computes the source's side: the text of several columns is
``coalesce(length(x) || ':' || x, 'N')`` of each, joined by '|'; a row's number is the first 15 hexadecimal digits of the md5 of
all its columns; its bucket is the first digits of the md5 of its key. A value that its typed column cannot hold takes part with
the text that meta.value_exceptions keeps of it, so that equal checksums mean equal rows, without exception.

Everything is read through a view that the caller hands in, so that one transaction sees the mirrors at one point.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from cdc.relation import Column, Relation
from config.errors import CausewayError, ErrorKind
from transforms.columns import (
    cast_sql,
    checksum_sql_any_text,
    checksum_sql_duckdb,
    checksum_sql_postgres,
    checksum_sql_text,
    duckdb_type,
)
from warehouse import value_exceptions
from warehouse.held_types import as_mirrored, is_text_of
from warehouse.mirror_view import MirrorView
from warehouse.names import MirrorTable, literal, quoted
from warehouse.store import Warehouse, translate

BUCKET, KEY, NUMBER = "_bucket", "_key", "_number"  # first digits of KEY; md5 of the key's text; number of the row


@dataclass(frozen=True, slots=True)
class MirrorChecksum:
    """Of one bucket: how many rows, and the sum of their numbers (each below 2**60). Fields as `cdc.checksum.Checksum`."""

    rows: int
    hash_sum: int


def postgres_expressions(relation: Relation) -> dict[str, str]:
    """Return, by column, what `cdc.checksum` is to be handed: Postgres SQL for the text that this side renders too."""
    return {column.name: checksum_sql_postgres(column, quoted(column.name)) for column in relation.columns}


def bucket_checksums(
    warehouse: Warehouse, source: str, relation: Relation, *, digits: int
) -> dict[str, MirrorChecksum]:
    """Return the checksums of a table's mirror as it is now, see `checksums_seen`."""
    with warehouse.cursor() as cursor:
        return checksums_seen(MirrorView(cursor, source), MirrorTable(source, relation), digits=digits)


def checksums_seen(view: MirrorView, table: MirrorTable, *, digits: int) -> dict[str, MirrorChecksum]:
    """Return the checksum of each bucket that has rows; 16**digits buckets ('' where digits is 0).

    `table` has the relation as the source has it now. CausewayError WAREHOUSE where it has no mirror.
    """
    with translated(table):
        hashed = hashed_rows(view, table, digits)
        rows = view.cursor.execute(f"SELECT {BUCKET}, count(*), sum({NUMBER}) FROM ({hashed}) GROUP BY ALL").fetchall()
        return {bucket: MirrorChecksum(int(count), int(total)) for bucket, count, total in rows}


def bucket_rows(warehouse: Warehouse, source: str, relation: Relation, *, digits: int, bucket: str) -> pa.Table:
    """Return the rows of one bucket, all at once: every column as canonical text, and `_number`."""
    table = MirrorTable(source, relation)
    names = ", ".join(f"x{number} AS {quoted(name)}" for number, name in enumerate(relation.column_names))
    with warehouse.cursor() as cursor, translated(table):
        hashed = hashed_rows(MirrorView(cursor, source), table, digits)
        query = f"SELECT {names}, {NUMBER} FROM ({hashed}) WHERE {BUCKET} = ?"
        return cursor.execute(query, [bucket]).to_arrow_table()


@contextmanager
def translated(table: MirrorTable) -> Iterator[None]:
    """DuckDB's errors in this block become the bridge's."""
    try:
        yield
    except duckdb.Error as error:
        name = table.relation.qualified_name
        raise translate(error, f"comparing {name}", source=table.source, table=name) from error


def hashed_rows(view: MirrorView, table: MirrorTable, digits: int, wanted: str = "") -> str:
    """SQL for the mirror's rows as hashes: BUCKET, KEY, NUMBER, the typed key columns as k0, k1, ..., the texts as x0, x1, ...

    wanted: a relation with the typed columns k0, k1, ...; then only rows with these keys. CausewayError WAREHOUSE where there is
    no mirror.
    """
    _check_mirrored(view, table)
    texts = [f"x{number}" for number in range(len(table.relation.columns))]
    of_keys = [text for text, column in zip(texts, table.relation.columns, strict=True) if column in table.keys]
    return f"""
        SELECT *, substr({KEY}, 1, {digits}) AS {BUCKET} FROM (
            SELECT *, md5({_joined(of_keys)}) AS {KEY}, CAST('0x' || substr(md5({_joined(texts)}), 1, 15) AS BIGINT) AS {NUMBER}
            FROM ({_texts(view, table, wanted)}))
    """


def _joined(names: Sequence[str]) -> str:
    return " || '|' || ".join(f"coalesce(length({name}) || ':' || {name}, 'N')" for name in names)


def _check_mirrored(view: MirrorView, table: MirrorTable) -> None:
    if not view.columns(table):
        raise CausewayError(
            ErrorKind.WAREHOUSE,
            f"{table.source}: the table {table.relation.qualified_name} has no mirror.",
            hint="Run the analytical lane first: causeway run --lane analytical --until-caught-up.",
            source=table.source,
            table=table.relation.qualified_name,
        )


def _texts(view: MirrorView, table: MirrorTable, wanted: str) -> str:
    """SQL for every column as canonical text. One that the source got since its last change is NULL in every row."""
    mirrored = view.columns(table)
    columns = table.relation.columns
    kept = view.columns_kept(table).intersection(table.relation.column_names)
    record = view.records.get(table.relation.oid)
    known = table.relation if record is None else record.relation
    held = {column.name: column for column in as_mirrored(known, table.relation).columns}
    null = "CAST(NULL AS VARCHAR)"
    texts = ", ".join(
        f"{_text(column, held[column.name], kept) if column.name.casefold() in mirrored else null} AS x{number}"
        for number, column in enumerate(columns)
    )
    typed = [_typed(column, held[column.name]) for column in table.keys]
    keys = ", ".join(f"{value} AS k{number}" for number, value in enumerate(typed))
    # One join however many columns have exceptions: each would hold memory of its own.
    join = f"LEFT JOIN {value_exceptions.texts_of(table)} AS e ON e.key = {table.key_text('t')}" if kept else ""
    same = " AND ".join(f"{value} IS NOT DISTINCT FROM w.k{number}" for number, value in enumerate(typed))
    listed = f"SEMI JOIN {wanted} AS w ON {same}" if wanted else ""
    return f"SELECT {keys}, {texts} FROM (SELECT t.* FROM {table.name} AS t {listed}) AS t {join}"


def _typed(column: Column, held: Column) -> str:
    """SQL for a column's value in the type that it has in a new mirror."""
    value = f"t.{quoted(column.name)}"
    return cast_sql(column, value) if is_text_of(duckdb_type(held), column) else value


def _text(column: Column, held: Column, kept: Collection[str]) -> str:
    """SQL for a column's canonical text; `held` is the column as the mirror holds it, which may be as Postgres's text."""
    value = f"t.{quoted(column.name)}"
    if is_text_of(duckdb_type(held), column):
        text = checksum_sql_any_text(column, value)
    else:
        text = checksum_sql_duckdb(held, value)
    if column.name not in kept:
        return text
    return f"coalesce({text}, {checksum_sql_text(column, f'e.texts[{literal(column.name)}]')})"
