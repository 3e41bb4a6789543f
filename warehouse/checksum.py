"""The mirror's side of a verification: count and sum of row hashes in each bucket of keys, and the rows of one bucket.

The formula is the one of `cdc.checksum`, which computes the source's side: the text of several columns is
``coalesce(length(x) || ':' || x, 'N')`` of each, joined by '|'; a row's number is the first 15 hexadecimal digits of the md5 of
all its columns; its bucket is the first digits of the md5 of its key. A value that its typed column cannot hold takes part with
the text that meta.value_exceptions keeps of it, so that equal checksums mean equal rows, without exception.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from cdc.relation import Column, Relation
from config.errors import CausewayError, ErrorKind
from transforms.columns import checksum_sql_duckdb, checksum_sql_postgres, checksum_sql_text
from warehouse import value_exceptions
from warehouse.names import MirrorTable, quoted
from warehouse.store import Warehouse, translate
from warehouse.tables import mirrored_columns


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
    """Return the checksum of each bucket of the table's mirror that has rows; 16**digits buckets ('' where digits is 0).

    `relation` is the table as the source has it now. CausewayError WAREHOUSE where it has no mirror.
    """
    cursor = warehouse.cursor()
    try:
        hashed = _hashed(cursor, MirrorTable(source, relation), digits)
        rows = cursor.execute(f"SELECT _bucket, count(*), sum(_number) FROM ({hashed}) GROUP BY _bucket").fetchall()
        return {bucket: MirrorChecksum(int(count), int(total)) for bucket, count, total in rows}
    except duckdb.Error as error:
        raise translate(error, f"computing checksums of {relation.qualified_name}", source=source) from error
    finally:
        cursor.close()


def bucket_rows(warehouse: Warehouse, source: str, relation: Relation, *, digits: int, bucket: str) -> pa.Table:
    """Return the rows of one bucket for drill-down: every column as canonical text, and `_number`."""
    cursor = warehouse.cursor()
    try:
        hashed = _hashed(cursor, MirrorTable(source, relation), digits)
        query = f"SELECT * EXCLUDE (_bucket) FROM ({hashed}) WHERE _bucket = ?"
        return cursor.execute(query, [bucket]).to_arrow_table()
    except duckdb.Error as error:
        raise translate(error, f"reading rows of {relation.qualified_name}", source=source) from error
    finally:
        cursor.close()


def _hashed(cursor: duckdb.DuckDBPyConnection, table: MirrorTable, digits: int) -> str:
    """SQL for the mirror's rows with their canonical texts, bucket and number."""
    names = table.relation.column_names
    keys = [column.name for column in table.keys]
    return f"""
        SELECT *, substr(md5({_joined(keys)}), 1, {digits}) AS _bucket,
            CAST('0x' || substr(md5({_joined(names)}), 1, 15) AS BIGINT) AS _number
        FROM ({_texts(cursor, table)})
    """


def _joined(names: Sequence[str]) -> str:
    return " || '|' || ".join(f"coalesce(length({quoted(name)}) || ':' || {quoted(name)}, 'N')" for name in names)


def _texts(cursor: duckdb.DuckDBPyConnection, table: MirrorTable) -> str:
    """SQL for every column as canonical text. One that the source got since its last change is NULL in every row."""
    mirrored = mirrored_columns(cursor, table)
    if not mirrored:
        raise CausewayError(
            ErrorKind.WAREHOUSE,
            f"{table.source}: the table {table.relation.qualified_name} has no mirror.",
            hint="Run the analytical lane first: causeway run --lane analytical --until-caught-up.",
            source=table.source,
            table=table.relation.qualified_name,
        )
    kept = value_exceptions.columns_kept(cursor, table)
    columns = table.relation.columns
    texts = ", ".join(
        f"{_text(column, kept) if column.name.casefold() in mirrored else 'CAST(NULL AS VARCHAR)'} AS {quoted(column.name)}"
        for column in columns
    )
    joins = " ".join(
        f"LEFT JOIN {value_exceptions.texts_of(table, column)} AS e{number} ON e{number}.key = {table.key_text('t')}"
        for number, column in enumerate(column for column in columns if column.name in kept)
    )
    return f"SELECT {texts} FROM {table.name} AS t {joins}"


def _text(column: Column, kept: Sequence[str]) -> str:
    held = checksum_sql_duckdb(column, f"t.{quoted(column.name)}")
    if column.name not in kept:
        return held
    return f"coalesce({held}, {checksum_sql_text(column, f'e{kept.index(column.name)}.text')})"
