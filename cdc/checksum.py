"""The source's side of a verification: count and sum of row hashes in each bucket of keys, in one consistent view.

The formula, which the mirror's side repeats: the text of several columns is ``coalesce(length(x) || ':' || x, 'N')`` of each,
joined by '|', length in characters; a hash is md5 of it; a row's number is the first 15 hexadecimal digits of its hash as an
integer; its bucket is the first `digits` hexadecimal digits of the hash of its key columns. The texts of the columns are
expressions that the caller hands in (transforms.columns), so that both sides write a value in the same way.

    with consistent_view(settings.connection, application_name="causeway verify") as view:   # cdc.exported_snapshot
        sums = bucket_checksums(view.connection, relation, expressions, digits=2)            # as of view.lsn
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
import pyarrow as pa
from psycopg import sql

from cdc.connection import PlainConnection, Row
from cdc.driver_errors import translate
from cdc.relation import Relation
from cdc.snapshot import output_functions, text_column_list, text_columns
from cdc.snapshot import partitioned as partitioned_ones

# Columns of the tables that are returned, beside columns that are named as the source's: no identifier has more than 63 bytes.
KEY = "md5 of the text of the key".ljust(64, ".")
NUMBER = "number of the row".ljust(64, ".")
_HASH, _NUMBER, _BUCKET = "hash", "number", "bucket"  # in queries, where the source's names are not
MOST_DIGITS = 6
_CHUNK_ROWS = 20_000
# With -1 and not NULL: without a modifier `character` would be character(1).
_TYPE_NAMES = "SELECT format_type(t.oid, -1) FROM unnest(%s::oid[]) WITH ORDINALITY AS t (oid, n) ORDER BY t.n"


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
    partitioned: bool | None = None,
) -> dict[str, Checksum]:
    """Return the checksum of each bucket that has rows; 16**digits buckets, named by their digits ('' where digits is 0).

    expressions: column name -> Postgres SQL for its canonical text; columns without one are not compared. partitioned: whether
    the table is; asked where it is not given.
    """
    if partitioned is None:
        partitioned = relation.oid in partitioned_ones(connection, [relation])
    hashed = _hashed(relation, expressions, digits, (), _only(relation, partitioned=partitioned))
    query = sql.SQL("SELECT {0}, count(*), sum({1}) FROM ({2}) AS hashed GROUP BY {0}").format(
        sql.Identifier(_BUCKET), sql.Identifier(_NUMBER), hashed
    )
    rows = rows_of(connection, relation, query)
    return {bucket: Checksum(int(count), int(total)) for bucket, count, total in rows}


def keys_in_buckets(
    connection: PlainConnection,
    relation: Relation,
    expressions: Mapping[str, str],
    *,
    digits: int,
    buckets: Sequence[str],
) -> Iterator[pa.Table]:
    """Yield what tells the rows of these buckets apart, a few thousand at a time: KEY, NUMBER and the key columns by name.

    A key column has the text of its output function, which is the one that the log and `rows_of_keys` have.
    """
    query = sql.SQL("SELECT {} FROM ({}) AS hashed WHERE {} = ANY ({})").format(
        _names([_HASH, _NUMBER, *_written_names(relation)]),
        _hashed_with_keys(connection, relation, expressions, digits),
        sql.Identifier(_BUCKET),
        list(buckets),
    )
    with translated(relation), connection.cursor(name="causeway_keys") as cursor:
        cursor.itersize = _CHUNK_ROWS
        cursor.execute(query)
        while rows := cursor.fetchmany(_CHUNK_ROWS):
            yield _keys_table(relation, rows)


def keys_of_rows(
    connection: PlainConnection, relation: Relation, expressions: Mapping[str, str], keys: pa.Table
) -> pa.Table:
    """Return the same of the rows with these keys (key columns by name, as text); a key that is gone has no row."""
    inner = _hashed_with_keys(connection, relation, expressions, 0, keys)
    query = sql.SQL("SELECT {} FROM ({}) AS hashed").format(_names([_HASH, _NUMBER, *_written_names(relation)]), inner)
    return _keys_table(relation, rows_of(connection, relation, query))


def bucket_rows(
    connection: PlainConnection, relation: Relation, expressions: Mapping[str, str], *, digits: int, bucket: str
) -> pa.Table:
    """Return the rows of one bucket, all at once: the columns of `expressions` as canonical text, and `_number`."""
    names = [column.name for column in relation.columns if column.name in expressions]
    query = sql.SQL("SELECT {} FROM ({}) AS hashed WHERE {} = {}").format(
        _names([*_text_names(names), _NUMBER]),
        _hashed_with_keys(connection, relation, expressions, digits),
        sql.Identifier(_BUCKET),
        bucket,
    )
    rows = rows_of(connection, relation, query)
    numbers = pa.array([row[-1] for row in rows], type=pa.int64())
    return _texts_table(names, rows).append_column("_number", numbers)


def texts_of_keys(
    connection: PlainConnection, relation: Relation, expressions: Mapping[str, str], keys: pa.Table
) -> pa.Table:
    """Return the rows with these keys as canonical texts, the columns of `expressions` by name, and KEY."""
    names = [column.name for column in relation.columns if column.name in expressions]
    columns = _names([_HASH, *_text_names(names)])
    inner = _hashed_with_keys(connection, relation, expressions, 0, keys)
    rows = rows_of(connection, relation, sql.SQL("SELECT {} FROM ({}) AS hashed").format(columns, inner))
    return _texts_table([KEY, *names], rows)


def rows_of_keys(connection: PlainConnection, relation: Relation, keys: pa.Table) -> pa.Table:
    """Return the whole rows with these keys, every column as its output function writes it."""
    outputs = output_functions(connection, [relation])
    query = sql.SQL("SELECT {} FROM {}").format(text_columns(relation, outputs), _from(connection, relation, keys))
    return _texts_table(relation.column_names, rows_of(connection, relation, query))


def key_columns(relation: Relation) -> tuple[str, ...]:
    """Return the names of the columns that tell rows apart, in the table's order."""
    return tuple(name for name in relation.column_names if name in relation.key_columns)


def joined_text(names: Sequence[str]) -> sql.Composed:
    """Build the text of several columns that hold canonical text already; the same SQL in DuckDB."""
    each = [sql.SQL("coalesce(length({0}) || ':' || {0}, 'N')").format(sql.Identifier(name)) for name in names]
    return sql.SQL(" || '|' || ").join(each)


def _hashed_with_keys(
    connection: PlainConnection,
    relation: Relation,
    expressions: Mapping[str, str],
    digits: int,
    keys: pa.Table | None = None,
) -> sql.Composed:
    """Build what `_hashed` does, with the key columns as they are written (_written_names)."""
    outputs = output_functions(connection, [relation])
    key = Relation(
        oid=relation.oid,
        schema=relation.schema,
        table=relation.table,
        columns=tuple(column for column in relation.columns if column.name in relation.key_columns),
        replica_identity=relation.replica_identity,
    )
    written = [
        sql.SQL("{} AS {}").format(text, sql.Identifier(name))
        for text, name in zip(text_column_list(key, outputs), _written_names(relation), strict=True)
    ]
    return _hashed(relation, expressions, digits, written, _from(connection, relation, keys))


def _hashed(
    relation: Relation,
    expressions: Mapping[str, str],
    digits: int,
    more: Sequence[sql.Composed],
    rows: sql.Composed,
) -> sql.Composed:
    """Build the rows with their canonical texts (named by _text_names), the hashes, and `more` columns."""
    assert 0 <= digits <= MOST_DIGITS
    names = [column.name for column in relation.columns if column.name in expressions]
    named = dict(zip(names, _text_names(names), strict=True))
    texts = [
        sql.SQL("{} AS {}").format(sql.SQL(expressions[name]), sql.Identifier(text)) for name, text in named.items()
    ]
    return sql.SQL(
        "SELECT *, substr({hash}, 1, {digits}) AS {bucket} FROM (SELECT *, md5({key}) AS {hash},"
        " ('x' || substr(md5({row}), 1, 15))::bit(60)::int8 AS {number} FROM (SELECT {texts} FROM {rows}) AS t) AS h"
    ).format(
        hash=sql.Identifier(_HASH),
        bucket=sql.Identifier(_BUCKET),
        number=sql.Identifier(_NUMBER),
        key=joined_text([named[name] for name in key_columns(relation) if name in named]),
        digits=digits,
        row=joined_text(list(named.values())),
        texts=sql.SQL(", ").join([*texts, *more]),
        rows=rows,
    )


def _from(connection: PlainConnection, relation: Relation, keys: pa.Table | None) -> sql.Composed:
    """Build what rows are read from: the table, only these keys."""
    only = _only(relation, partitioned=relation.oid in partitioned_ones(connection, [relation]))
    if keys is None:
        return only
    columns = [column for column in relation.columns if column.name in relation.key_columns]
    types = rows_of(connection, relation, sql.SQL(_TYPE_NAMES), [[column.type_oid for column in columns]])
    wanted = [sql.Identifier(f"wanted {number}") for number in range(len(columns))]
    # A cast to the column's own type, so that the key's index is used. format_type's text is SQL already.
    same = [
        sql.SQL("listed.{} = wanted.{}::{}").format(sql.Identifier(column.name), name, sql.SQL(type_name))
        for column, name, (type_name,) in zip(columns, wanted, types, strict=True)
    ]
    lists = [sql.SQL("{}::text[]").format(keys.column(column.name).to_pylist()) for column in columns]
    return sql.SQL("{} AS listed JOIN unnest({}) AS wanted ({}) ON {}").format(
        only, sql.SQL(", ").join(lists), sql.SQL(", ").join(wanted), sql.SQL(" AND ").join(same)
    )


def _only(relation: Relation, *, partitioned: bool) -> sql.Composed:
    """Build the table without those that inherit, as its publication has it."""
    return sql.SQL("{}{}").format(
        sql.SQL("" if partitioned else "ONLY "), sql.Identifier(relation.schema, relation.table)
    )


def _text_names(names: Sequence[str]) -> list[str]:
    """Name the columns that hold canonical texts: by number, because a table's own names may be as long as names can be."""
    return [f"text {number}" for number in range(len(names))]


def _written_names(relation: Relation) -> list[str]:
    """Name the key columns as they are written; the table's own columns are never beside these names."""
    return [f"key {number}" for number in range(len(key_columns(relation)))]


def _names(names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def _keys_table(relation: Relation, rows: Sequence[Row]) -> pa.Table:
    texts = _texts_table(key_columns(relation), [row[2:] for row in rows])
    hashes = pa.array([row[0] for row in rows], type=pa.string())
    numbers = pa.array([row[1] for row in rows], type=pa.int64())
    return texts.append_column(KEY, hashes).append_column(NUMBER, numbers)


def _texts_table(names: Sequence[str], rows: Sequence[Row]) -> pa.Table:
    arrays = [pa.array([row[i] for row in rows], type=pa.string()) for i in range(len(names))]
    return pa.Table.from_arrays(arrays, names=list(names))


def rows_of(
    connection: PlainConnection, relation: Relation, query: sql.SQL | sql.Composed, parameters: Sequence[object] = ()
) -> list[Row]:
    """Run a query over the table; its errors name the table."""
    with translated(relation):
        return connection.execute(query, parameters or None).fetchall()


@contextmanager
def translated(relation: Relation) -> Iterator[None]:
    """The driver's errors in this block become the bridge's."""
    try:
        yield
    except psycopg.Error as error:
        raise translate(error, f"checksums of {relation.qualified_name}", table=relation.qualified_name) from error
