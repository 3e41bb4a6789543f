"""One mapping's SQL over the last changes of one table: rows that make a record, and the others with their reasons.

Contract: one row that the SQL fails on does not fail the batch. Where a query fails, a second one finds every such row and the
fields to blame, under TRY(), and the first runs again without them. DuckDB's own words would quote the row's values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from cdc.batch import OP_DELETE
from cdc.relation import Relation
from config.errors import CausewayError, ErrorKind
from transforms.compiled import SOURCE_KEY, CompiledMapping
from transforms.lastchanges import BORN, LOOKED_UP, MISFIT, NEW, typed_sql
from transforms.translator import Fragment, identifier, text_literal

BEGINS = "_begins"
_DATA_ERRORS = (duckdb.DataError, duckdb.InvalidInputException)


@dataclass(frozen=True, kw_only=True, slots=True)
class OtherRow:
    """A row without a record: deleted or not kept (`error` is None), or wrong."""

    source_key: str
    seq: int
    lsn: int
    committed_us: int
    looked_up: bool
    begins: bool
    error: str | None = None
    payload: Mapping[str, str | None] = field(default_factory=dict)


class RowMapping:
    """Runs one mapping over tables of last changes; `others` is complete when `kept` has returned."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, mapping: CompiledMapping, relation: Relation) -> None:
        wanted = {*mapping.columns, *relation.key_columns}
        columns = [column for column in relation.columns if column.name in wanted]
        self._names = [column.name for column in columns]
        self._connection, self._mapping = connection, mapping
        given = {name for names in mapping.lineage.values() for name in names}
        self._typed = f"WITH typed AS ({typed_sql(columns, 'rows', given)})"
        self.others: list[OtherRow] = []

    def kept(self, rows: pa.Table) -> pa.Table:
        """Return the mapped rows: _lsn, _committed_us, _seq, _looked_up, _begins, source_key, then
        the mapping's fields.
        """
        try:
            return self._mapped(rows)
        except _DATA_ERRORS as error:
            failed = self._query(rows, self._failures_sql()).to_pylist()
            if not failed:
                raise CausewayError(
                    ErrorKind.INTERNAL,
                    f"mapping {self._mapping.name} fails on rows that none of its expressions fails on.",
                    hint="Report this with the mapping's file.",
                    source=self._mapping.source,
                    table=self._mapping.table,
                ) from error
        sequence = pa.array([row["_seq"] for row in failed], pa.int64())
        is_failed = pc.is_in(rows["_seq"], value_set=sequence)
        texts = {row["_seq"]: row for row in rows.filter(is_failed).select(["_seq", *self._names]).to_pylist()}
        self.others += [self._failed(row, texts[row["_seq"]]) for row in failed]
        return self._mapped(rows.filter(pc.invert(is_failed)))

    def _mapped(self, rows: pa.Table) -> pa.Table:
        kept = self._query(rows, self._kept_sql())
        if kept.num_rows < rows.num_rows:  # planning a query costs more than a small batch's rows
            self.others += [self._other(row) for row in self._query(rows, self._others_sql()).to_pylist()]
        return kept

    def _query(self, rows: pa.Table, sql: str) -> pa.Table:  # noqa: ARG002  the SQL names it: DuckDB finds it in this frame
        # Not registered: making and dropping a view took a third of a small batch's time.
        return self._connection.execute(f"{self._typed} {sql}").to_arrow_table()

    def _kept_sql(self) -> str:
        mapping = self._mapping
        return (
            f"SELECT _lsn, _committed_us, _seq, {LOOKED_UP}, {_begins(mapping)}, {mapping.projection_sql()} FROM typed "
            f"WHERE _op <> '{OP_DELETE}' AND {MISFIT} IS NULL AND {mapping.keep_sql}"
        )

    def _others_sql(self) -> str:
        """A row that is not kept and did not exist before needs no delete."""
        mapping = self._mapping
        gone = f"_op = '{OP_DELETE}'"
        left_out = f"NOT {NEW} AND NOT coalesce({mapping.keep_sql}, false)"
        return (
            f"SELECT _seq, _lsn, _committed_us, {LOOKED_UP}, {_begins(mapping)}, {mapping.key_sql} AS key, "
            f"CASE WHEN {gone} THEN NULL ELSE {MISFIT} END AS misfit FROM typed "
            f"WHERE CASE WHEN {gone} OR {MISFIT} IS NOT NULL THEN true ELSE {left_out} END"
        )

    def _failures_sql(self) -> str:
        """The rows with an expression that fails, and which: of deletes only the key is computed, of rows left out nothing else."""
        mapping = self._mapping
        computed = f"_op <> '{OP_DELETE}' AND {MISFIT} IS NULL"
        where = _failure("WHERE", mapping.keep, computed)
        fields = [
            _failure(name, one, f"{computed} AND TRY({mapping.keep_sql})") for name, one in mapping.fields.items()
        ]
        listed = ", ".join(each for each in (_failure(SOURCE_KEY, mapping.key, "true"), where, *fields) if each)
        blamed = f"list_filter([{listed}], lambda name: name IS NOT NULL)"
        key = f"TRY({mapping.key_sql}) AS key"
        found = (
            f"SELECT _seq, _lsn, _committed_us, {LOOKED_UP}, {_begins(mapping)}, {key}, {blamed} AS blamed FROM typed"
        )
        return f"SELECT * FROM ({found}) WHERE len(blamed) > 0"

    def _other(self, row: Mapping[str, Any]) -> OtherRow:
        misfit = row["misfit"]
        error = None if misfit is None else f"{misfit}: the value is beyond what its type can hold here"
        return _row(row, error=error)

    def _failed(self, row: Mapping[str, Any], texts: Mapping[str, str | None]) -> OtherRow:
        payload = {name: texts[name] for name in self._names}
        return _row(row, error="; ".join(self._blame(name) for name in row["blamed"]), payload=payload)

    def _blame(self, name: str) -> str:
        mapping = self._mapping
        read = mapping.keep_columns if name == "WHERE" else mapping.lineage[name]
        columns = ", ".join(identifier(column) for column in read)
        return f"{name}: can't be computed from {columns}: out of range, or not of the form that its cast needs"


def _begins(mapping: CompiledMapping) -> str:
    """Whether the backfill policy lets the record begin: with a date unless it is shown to be too old; with none at its insert."""
    begins = BORN if mapping.mapping.backfill.none else f"coalesce(TRY({mapping.begins.sql}), true)"
    return f"{begins} AS {BEGINS}"


def _failure(name: str, fragment: Fragment, condition: str) -> str:
    """SQL for the name of an expression where it fails, else null; empty where it can't fail.

    IS NULL is never null itself, so that a null of TRY() is a failure.
    """
    if not fragment.may_fail:
        return ""
    return f"CASE WHEN {condition} AND TRY(({fragment.sql}) IS NULL) IS NULL THEN {text_literal(name)} END"


def _row(row: Mapping[str, Any], **more: Any) -> OtherRow:
    return OtherRow(
        source_key=row["key"] or "",
        seq=row["_seq"],
        lsn=row["_lsn"],
        committed_us=row["_committed_us"],
        looked_up=row[LOOKED_UP],
        begins=row[BEGINS],
        **more,
    )
