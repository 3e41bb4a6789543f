"""The last change of each row in a batch, as one Arrow table with typed columns: what the mappings are computed over.

Contract: works on the text that capture hands on, before any cast. Keys are compared as text: Postgres writes equal keys of the
types that can be replica identities the same way. Without SQL: planning five statements cost a small batch 8 ms, its rows nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cdc.batch import OP_DELETE, OP_INSERT, OP_TRUNCATE, TableChanges
from cdc.relation import Column, Relation
from cdc.visibility import Visibility
from config.errors import CausewayError, ErrorKind
from transforms.columns import cast_sql, duckdb_type, may_not_fit
from transforms.translator import identifier, text_literal


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """Rows as the source has them now, all columns as text, and what could be seen when they were read."""

    relation: Relation
    rows: pa.Table
    visibility: Visibility


# Whole rows by key, in a view that shows these transactions; CausewayError where that can't be had now.
Fetch = Callable[[Relation, pa.Table, frozenset[int]], Found]

INCOMPLETE, NEW, MISFIT, LOOKED_UP, BORN = "_incomplete", "_new", "_misfit", "_looked_up", "_born"
_CAPTURED = ("_op", "_seq", "_lsn", "_xid", "_committed_at")
_META = f"_op, _seq, _lsn, _committed_us, {LOOKED_UP}, {BORN}"
_INSERT, _DELETE, _TRUNCATE = pa.scalar(OP_INSERT), pa.scalar(OP_DELETE), pa.scalar(OP_TRUNCATE)
# What a Python datetime holds in any time zone; Postgres's infinity lies beyond.
_MOMENTS = ("DATE", "TIMESTAMP", "TIMESTAMPTZ")
_FIRST_DAY, _LAST_DAY = "DATE '0001-01-02'", "DATE '9999-12-30'"


@dataclass(frozen=True, slots=True)
class Truncate:
    """The last truncate of a table in a batch. `committed_us`: since 1970, UTC."""

    seq: int
    lsn: int
    committed_us: int


@dataclass(frozen=True, kw_only=True, slots=True)
class LastChanges:
    """Last changes of one relation version, `rows` as text, after its last truncate, if there is one.

    Columns of `rows`: `_op`, `_seq`, `_lsn`, `_xid`, `_committed_us` (since 1970, UTC), `_incomplete` (Postgres did not send an
    unchanged value of a used column), `_new` (the row did not exist before this batch), `_born` (its first change in this
    batch is its insert), `_looked_up` (its values come from a look-up), then the key's and the used columns as text.
    """

    relation: Relation
    rows: pa.Table
    truncate: Truncate | None

    @property
    def lacking(self) -> pa.Table:
        """The rows with a value that is not there."""
        return self.rows.filter(pc.and_(self.rows[INCOMPLETE], pc.not_equal(self.rows["_op"], _DELETE)))


def last_changes(changes: TableChanges, used: Sequence[str]) -> LastChanges:
    """Return the last change of each key after the last truncate, with the values of the `used` columns.

    Raises CausewayError SCHEMA where the rows of this version have no key.
    """
    relation = changes.relation
    if not relation.key_columns:
        raise CausewayError(
            ErrorKind.SCHEMA,
            f"Table {relation.qualified_name} has no replica identity any more: its changes can't be told apart.",
            hint=f"ALTER TABLE {relation.qualified_name} ADD PRIMARY KEY (...), then start the lane again.",
            table=relation.qualified_name,
        )
    names = [name for name in relation.column_names if name in relation.key_columns or name in used]
    rows, truncate = _after_truncate(_with_incomplete(changes, used).select([*_CAPTURED, INCOMPLETE, *names]))
    # pyarrow can't take rows of string_view columns, in which capture hands values on.
    rows = rows.cast(pa.schema([_as_string(field) for field in rows.schema]))
    return LastChanges(relation=relation, rows=_last_of_each_key(rows, relation, names), truncate=truncate)


def completed(connection: duckdb.DuckDBPyConnection, last: LastChanges, found: pa.Table) -> LastChanges:
    """Return the changes with the rows that lack a value replaced by what was found.

    A row that is no longer at the source is left out, for its delete follows.
    """
    keys = _listed(last.relation.key_columns)
    names = last.rows.column_names[last.rows.column_names.index(LOOKED_UP) + 1 :]
    whole = f"SELECT * FROM last WHERE NOT {INCOMPLETE} OR _op = '{OP_DELETE}'"
    meta = f"_op, _seq, _lsn, _xid, _committed_us, false AS {INCOMPLETE}, {NEW}, {BORN}, true AS {LOOKED_UP}"
    lacking = f"SELECT _op, _seq, _lsn, _xid, _committed_us, {NEW}, {BORN}, {keys} FROM last WHERE {INCOMPLETE} AND _op <> '{OP_DELETE}'"
    mended = f"SELECT {meta}, {_listed(names)} FROM ({lacking}) JOIN fetched USING ({keys})"
    with _held(connection, "last", last.rows), _held(connection, "fetched", found, names):
        rows = connection.execute(f"{whole} UNION ALL {mended}").to_arrow_table()
    return replace(last, rows=rows)


def born(last: LastChanges) -> LastChanges:
    """Return the changes as if each were its row's first: a row that was to be read later may have been inserted then."""
    at = last.rows.column_names.index(BORN)
    return replace(last, rows=last.rows.set_column(at, BORN, pa.array([True] * last.rows.num_rows, pa.bool_())))


def without_lacking(last: LastChanges) -> LastChanges:
    """Return the changes without the rows that lack a value."""
    kept = pc.or_(pc.invert(last.rows[INCOMPLETE]), pc.equal(last.rows["_op"], _DELETE))
    return replace(last, rows=last.rows.filter(kept))


def _with_incomplete(changes: TableChanges, used: Sequence[str]) -> pa.Table:
    incomplete = np.zeros(changes.rows.num_rows, dtype=np.bool_)
    for name in used:
        if name in changes.unchanged:
            incomplete |= changes.unchanged[name]
    return changes.rows.append_column(INCOMPLETE, pa.array(incomplete))


def _after_truncate(rows: pa.Table) -> tuple[pa.Table, Truncate | None]:
    """Return the rows after the last truncate, and that one."""
    places = pc.indices_nonzero(pc.equal(rows["_op"], _TRUNCATE))
    if not len(places):
        return rows, None
    at = places[-1].as_py()
    seq, lsn, committed_us = (column[at].as_py() for column in (rows["_seq"], rows["_lsn"], _microseconds(rows)))
    return rows.slice(at + 1), Truncate(seq=seq, lsn=lsn, committed_us=committed_us)


def _last_of_each_key(rows: pa.Table, relation: Relation, names: Sequence[str]) -> pa.Table:
    """Return the last row of each key, in the order of the changes, as `LastChanges.rows`.

    A row that was inserted and is inserted still, with nothing before it, is new: where its WHERE is false there is nothing to
    delete. An insert after a delete of the same key in the same batch is not.
    """
    keys = list(zip(*(rows[name].to_pylist() for name in relation.key_columns), strict=True))
    last = {key: at for at, key in enumerate(keys)}
    inserted = pc.equal(rows["_op"], _INSERT)
    new = is_born = inserted
    if len(last) < rows.num_rows:
        first = {key: at for at, key in zip(reversed(range(len(keys))), reversed(keys), strict=True)}
        kept = sorted(last.items(), key=lambda each: each[1])
        places, firsts = pa.array([at for _, at in kept]), pa.array([first[key] for key, _ in kept])
        is_born = inserted.take(firsts)
        new = pc.and_(inserted.take(places), pc.equal(places, firsts))
        rows = rows.take(places)
    given = {name: rows[name] for name in ("_op", "_seq", "_lsn", "_xid")}
    given |= {"_committed_us": _microseconds(rows), INCOMPLETE: rows[INCOMPLETE]}
    found = {NEW: new, BORN: is_born, LOOKED_UP: pa.array(np.zeros(rows.num_rows, dtype=np.bool_))}
    return pa.table({**given, **found, **{name: rows[name] for name in names}})


def _microseconds(rows: pa.Table) -> pa.ChunkedArray[Any]:
    return rows["_committed_at"].cast(pa.int64())


def _as_string(field: pa.Field[Any]) -> pa.Field[Any]:
    return field.with_type(pa.string()) if field.type == pa.string_view() else field


@contextmanager
def _held(
    connection: duckdb.DuckDBPyConnection, name: str, table: pa.Table, columns: Sequence[str] = ()
) -> Iterator[None]:
    """Let SQL read these columns of an Arrow table.

    Copied, because DuckDB hands filters and joins down to pyarrow, which cannot filter string_view columns.
    """
    connection.register("arrow", table)
    try:
        connection.execute(f"CREATE TEMP TABLE {name} AS SELECT {_listed(columns) or '*'} FROM arrow")
    finally:
        connection.unregister("arrow")
    try:
        yield
    finally:
        connection.execute(f"DROP TABLE {name}")


def typed_sql(columns: Sequence[Column], relation_name: str, given: Collection[str]) -> str:
    """Return a SELECT of the changes with these columns in their DuckDB types.

    `_misfit` names the first column whose value its type cannot hold (null where all fit): a NaN, a numeric with more digits; or
    a record cannot, if it is one of those that fields are `given` from: an infinite date.
    """
    casts = [f"{cast_sql(column, identifier(column.name))} AS {identifier(column.name)}" for column in columns]
    tests = "".join(
        f" WHEN {identifier(column.name)} IS NOT NULL AND {lost} THEN {text_literal(column.name)}"
        for column in columns
        if (lost := _lost(column, column.name in given))
    )
    misfit = f"CASE{tests} END" if tests else "CAST(NULL AS VARCHAR)"
    return f"SELECT {_META}, {NEW}, {misfit} AS {MISFIT}, {', '.join(casts)} FROM {relation_name}"


def _lost(column: Column, given: bool) -> str:
    """SQL that is true where the value of a column is lost on the way to a record; empty where none can be."""
    typed, held = cast_sql(column, identifier(column.name)), duckdb_type(column)
    beyond = f"NOT BETWEEN {_FIRST_DAY} AND {_LAST_DAY}"
    if given and held in _MOMENTS:
        return f"coalesce({typed} {beyond}, true)"
    if given and held.removesuffix("[]") in _MOMENTS:
        return f"coalesce(len(list_filter({typed}, lambda m: m {beyond})) > 0, true)"
    return f"{typed} IS NULL" if may_not_fit(column) else ""


def _listed(names: Sequence[str]) -> str:
    return ", ".join(identifier(name) for name in names)
