"""The source's side of a verification: count and sum of row hashes in each bucket of keys, in one consistent view.

The formula, which the mirror's side repeats: the text of several columns is ``coalesce(length(x) || ':' || x, 'N')`` of each,
joined by '|', length in characters; a hash is md5 of it; a row's number is the first 15 hexadecimal digits of its hash as an
integer; its bucket is the first `digits` hexadecimal digits of the hash of its key columns. The texts of the columns are
expressions that the caller hands in (transforms.columns), so that both sides write a value in the same way.

    with consistent_view(settings.connection, application_name="causeway verify") as view:   # cdc.exported_snapshot
        sums = bucket_checksums(view.connection, relation, expressions, digits=2)            # as of view.lsn
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg
import pyarrow as pa
from psycopg import sql

from cdc.connection import PlainConnection, Row
from cdc.driver_errors import translate
from cdc.relation import Relation

MOST_DIGITS = 6
_PARTITIONED = "SELECT relkind = 'p' FROM pg_class WHERE oid = %s"


@dataclass(frozen=True, slots=True)
class Checksum:
    """Of one bucket: how many rows, and the sum of their numbers (each below 2**60)."""

    rows: int
    hash_sum: int


def bucket_checksums(
    connection: PlainConnection,
    relation: Relation,
    expressions: Mapping[str, str],
    *,
    digits: int,
    row_filter: str | None = None,
) -> dict[str, Checksum]:
    """Return the checksum of each bucket that has rows; 16**digits buckets, named by their digits ('' where digits is 0).

    expressions: column name -> Postgres SQL for its canonical text; columns without one are not compared.
    """
    query = sql.SQL("SELECT _bucket, count(*), sum(_number) FROM ({}) AS hashed GROUP BY _bucket").format(
        _hashed(connection, relation, expressions, digits, row_filter)
    )
    rows = _rows(connection, relation, query)
    return {bucket: Checksum(int(count), int(total)) for bucket, count, total in rows}


def bucket_rows(
    connection: PlainConnection,
    relation: Relation,
    expressions: Mapping[str, str],
    *,
    digits: int,
    bucket: str,
    row_filter: str | None = None,
) -> pa.Table:
    """Return the rows of one bucket for drill-down: the columns of `expressions` as canonical text, and `_number`."""
    names = [column.name for column in relation.columns if column.name in expressions]
    query = sql.SQL("SELECT {}, _number FROM ({}) AS hashed WHERE _bucket = {}").format(
        sql.SQL(", ").join(map(sql.Identifier, names)),
        _hashed(connection, relation, expressions, digits, row_filter),
        bucket,
    )
    rows = _rows(connection, relation, query)
    arrays = [pa.array([row[i] for row in rows], type=pa.string()) for i in range(len(names))]
    numbers = pa.array([row[-1] for row in rows], type=pa.int64())
    return pa.Table.from_arrays(arrays, names=names).append_column("_number", numbers)


def joined_text(names: Sequence[str]) -> sql.Composed:
    """Build the text of several columns that hold canonical text already; the same SQL in DuckDB."""
    each = [sql.SQL("coalesce(length({0}) || ':' || {0}, 'N')").format(sql.Identifier(name)) for name in names]
    return sql.SQL(" || '|' || ").join(each)


def _hashed(
    connection: PlainConnection, relation: Relation, expressions: Mapping[str, str], digits: int, row_filter: str | None
) -> sql.Composed:
    """Build the rows with their canonical texts, bucket and number."""
    assert 0 <= digits <= MOST_DIGITS
    names = [column.name for column in relation.columns if column.name in expressions]
    keys = [name for name in relation.key_columns if name in expressions]
    (partitioned,) = _rows(connection, relation, sql.SQL(_PARTITIONED), [relation.oid])[0]
    texts = sql.SQL(", ").join(
        sql.SQL("{} AS {}").format(sql.SQL(expressions[name]), sql.Identifier(name)) for name in names
    )
    return sql.SQL(
        "SELECT *, substr(md5({key}), 1, {digits}) AS _bucket,"
        " ('x' || substr(md5({row}), 1, 15))::bit(60)::int8 AS _number"
        " FROM (SELECT {texts} FROM {only}{table}{condition}) AS texts"
    ).format(
        key=joined_text(keys),
        digits=digits,
        row=joined_text(names),
        texts=texts,
        only=sql.SQL("" if partitioned else "ONLY "),
        table=sql.Identifier(relation.schema, relation.table),
        condition=sql.SQL(f" WHERE ({row_filter})") if row_filter else sql.SQL(""),
    )


def _rows(
    connection: PlainConnection, relation: Relation, query: sql.SQL | sql.Composed, parameters: Sequence[object] = ()
) -> list[Row]:
    try:
        return connection.execute(query, parameters or None).fetchall()
    except psycopg.Error as error:
        raise translate(error, f"checksums of {relation.qualified_name}", table=relation.qualified_name) from error
