"""One mapping's SQL over the last changes of one table: rows that make a record, and the others with their reasons.

Contract: one row that the SQL fails on does not fail the batch. The rows are halved until it is found, and it is named with the
fields that can't be computed; DuckDB's own words would quote the row's values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import duckdb
import pyarrow as pa

from cdc.batch import OP_DELETE
from cdc.relation import Relation
from transforms.compiled import SOURCE_KEY, CompiledMapping
from transforms.lastchanges import MISFIT, NEW, typed_sql
from transforms.translator import identifier

_DATA_ERRORS = (duckdb.DataError, duckdb.InvalidInputException)


@dataclass(frozen=True, kw_only=True, slots=True)
class OtherRow:
    """A row without a record: deleted or not kept (`error` is None), or wrong."""

    source_key: str
    seq: int
    lsn: int
    committed_us: int
    error: str | None = None
    payload: Mapping[str, str | None] = field(default_factory=dict)


class RowMapping:
    """Runs one mapping over tables of last changes; `others` fills as `kept` is consumed."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, mapping: CompiledMapping, relation: Relation) -> None:
        wanted = {*mapping.columns, *relation.key_columns}
        columns = [column for column in relation.columns if column.name in wanted]
        self._names = [column.name for column in columns]
        self._connection, self._mapping = connection, mapping
        self._typed = f"WITH typed AS ({typed_sql(columns, 'rows')})"
        self.others: list[OtherRow] = []

    def kept(self, rows: pa.Table) -> Iterator[pa.Table]:
        """Give the mapped rows (_lsn, _committed_us, _seq, source_key, then the mapping's fields), in one table or several."""
        self._connection.register("rows", rows)
        try:
            kept = self._connection.execute(self._kept_sql()).to_arrow_table()
            others = self._connection.execute(self._others_sql()).fetchall()
        except _DATA_ERRORS as error:
            kept, others = None, []
            failure = error
        finally:
            self._connection.unregister("rows")
        if kept is not None:
            self.others += [self._other(*each) for each in others]
            yield kept
        elif rows.num_rows == 1:
            self.others.append(self._failed(rows, failure))
        else:
            half = rows.num_rows // 2
            yield from self.kept(rows.slice(0, half))
            yield from self.kept(rows.slice(half))

    def _kept_sql(self) -> str:
        mapping = self._mapping
        return (
            f"{self._typed} SELECT _lsn, _committed_us, _seq, {mapping.projection_sql()} FROM typed "
            f"WHERE _op <> '{OP_DELETE}' AND {MISFIT} IS NULL AND {mapping.keep_sql}"
        )

    def _others_sql(self) -> str:
        """A row that is kept nowhere and was never seen before needs no delete."""
        mapping = self._mapping
        gone = f"_op = '{OP_DELETE}'"
        left_out = f"NOT {NEW} AND NOT coalesce({mapping.keep_sql}, false)"
        return (
            f"{self._typed} SELECT {mapping.key_sql}, _seq, _lsn, _committed_us, "
            f"CASE WHEN {gone} THEN NULL ELSE {MISFIT} END FROM typed "
            f"WHERE CASE WHEN {gone} OR {MISFIT} IS NOT NULL THEN true ELSE {left_out} END"
        )

    def _other(self, key: str | None, seq: int, lsn: int, committed_us: int, misfit: str | None) -> OtherRow:
        error = None if misfit is None else f"{misfit}: the value is beyond what its type can hold here"
        return OtherRow(source_key=key or "", seq=seq, lsn=lsn, committed_us=committed_us, error=error)

    def _failed(self, row: pa.Table, failure: duckdb.Error) -> OtherRow:
        """Return the one row that the SQL fails on, with the fields to blame and the source's columns as they came."""
        self._connection.register("rows", row)
        try:
            key = self._connection.execute(f"{self._typed} SELECT TRY({self._mapping.key_sql}) FROM typed").fetchone()
            blamed = [name for name in (SOURCE_KEY, *self._mapping.fields) if self._fails(name)]
        finally:
            self._connection.unregister("rows")
        (values,) = row.select([*self._names, "_seq", "_lsn", "_committed_us"]).to_pylist()
        what = "; ".join(self._blame(name) for name in blamed) or "WHERE: can't be computed"
        return OtherRow(
            source_key=(key[0] if key else None) or "",
            seq=values.pop("_seq"),
            lsn=values.pop("_lsn"),
            committed_us=values.pop("_committed_us"),
            error=f"{what} ({_kind(failure)})",
            payload=values,
        )

    def _fails(self, name: str) -> bool:
        fragment = self._mapping.key if name == SOURCE_KEY else self._mapping.fields[name]
        try:
            self._connection.execute(f"{self._typed} SELECT {fragment.sql} FROM typed").fetchall()
        except _DATA_ERRORS:
            return True
        return False

    def _blame(self, name: str) -> str:
        columns = ", ".join(identifier(column) for column in self._mapping.lineage[name])
        return f"{name}: can't be computed from {columns}"


def _kind(failure: duckdb.Error) -> str:
    if isinstance(failure, duckdb.OutOfRangeException):
        return "the result is out of range"
    return "the value does not have the form that its cast needs"
