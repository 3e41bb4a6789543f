"""What Odoo's rows say of our deliveries: confirmed where they show what was sent, drift where somebody has changed it since.

Contract: `told` and `told_names` are temporary tables of the connection's transaction (confirmations.sql). The caller holds the writers'
lock: what the log tells of a row and that the row was delivered may come in either order, and one of the two must see the other.
An echo of our own writes is known by its values; by its writer and its time only where Odoo has changed them on its own account.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any

import psycopg
from loguru import logger

from config.policies import Policies
from loaders.confirming.odoo_log import TABLES
from loaders.delivering.claims import Due
from loaders.named_sql import statements

Connection = psycopg.Connection[tuple[Any, ...]]

_FOREVER = datetime.max.replace(tzinfo=UTC)
DELETED, NAMELESS = "id", "external_id"


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What a row of Odoo's is now. `columns`: as texts, None where it is gone; `lsn`: None where it was read back."""

    seq: int
    model: str
    odoo_id: int
    writer: int | None
    columns: dict[str, str | None] | None
    lsn: str | None
    committed_at: datetime


@dataclass(kw_only=True, slots=True)
class Delivered:
    """What a batch has delivered: the rows of Odoo's that are waited for, and the records that are gone at their source."""

    rows: list[tuple[str, int]] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)

    def add(self, due: Due, model: str | None, odoo_id: int | None, *, waits: bool) -> None:
        """Take in one record."""
        if waits and model is not None and odoo_id is not None:
            self.rows.append((model, odoo_id))
        if due.is_delete:
            self.deleted.append(due.record_id)


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges deliveries by what was told. `uid`: who the deliverer is in Odoo, where it is known."""

    policies: Policies
    uid: int | None = None

    def delivered(self, connection: Connection, delivered: Delivered) -> None:
        """Judge a batch that was recorded just now by what the log has told before."""
        if self.uid is not None:
            _execute(connection, "writes_as", [self.uid])
        if delivered.deleted:
            _execute(connection, "no_longer_ours", [delivered.deleted])
        if delivered.rows:
            stage(connection)
            models, ids = zip(*delivered.rows, strict=True)
            if _execute(connection, "tell_known", [list(models), list(ids)]).rowcount:
                self.judge(connection)

    def judge(self, connection: Connection) -> int:
        """Confirm what `told` shows, and note where it differs; return how many deliveries are confirmed now."""
        confirmed = _execute(connection, "confirm").rowcount
        if confirmed:
            confirmed += _execute(connection, "confirm_superseded").rowcount
        self._note_differences(connection)
        return confirmed

    def _note_differences(self, connection: Connection) -> None:
        rows = _execute(connection, "differences").fetchall()
        if not rows:
            return
        echoes, drift = [], []
        under_way = _UnderWay.since(connection, [row[-1] for row in rows if row[5] is not None and row[-1] is not None])
        for record_id, entity, source, model, odoo_id, name, ours, theirs, writer, lsn, delivery_id, own_at in rows:
            if name is None:
                continue
            if own_at is not None and under_way.at(own_at):
                echoes.append((delivery_id, name, theirs))
            elif self._owns(entity, source, model, name):
                drift.append((record_id, model, odoo_id, name, ours, theirs, writer or None, lsn))
        if echoes:
            _execute(connection, "reworded", [list(column) for column in zip(*echoes, strict=True)])
        judged = sorted({row[0] for row in rows})
        _execute(connection, "agrees", [judged, [one[0] for one in drift], [one[3] for one in drift]])
        note_drift(connection, drift)

    def _owns(self, entity: str, source: str, model: str, column: str) -> bool:
        named = TABLES[model].fields.get(column, column)
        return self.policies.ownership(entity).may_write(source, named)


@dataclass(frozen=True, slots=True)
class _UnderWay:
    """When batches of ours were under way. What our own user writes then may be a side effect of another record's delivery: an echo."""

    beginnings: Sequence[datetime]
    ends: Sequence[datetime]  # the latest of any batch that began by then

    @classmethod
    def since(cls, connection: Connection, moments: Sequence[datetime]) -> _UnderWay:
        """Return what there was at these moments; asks only where there is one."""
        rows = _execute(connection, "batches", {"since": min(moments)}).fetchall() if moments else []
        ends = accumulate((end or _FOREVER for _, end in rows), max)
        return cls([begin for begin, _ in rows], list(ends))

    def at(self, moment: datetime) -> bool:
        """Whether one was under way."""
        begun = bisect_right(self.beginnings, moment)
        return begun > 0 and self.ends[begun - 1] >= moment


def stage(connection: Connection) -> None:
    """Make the temporary tables, where they are not there yet."""
    connection.execute("SET LOCAL client_min_messages = warning")
    _execute(connection, "staging")


def tell(connection: Connection, rows: Iterable[Told]) -> None:
    """Write into `told`."""
    with connection.cursor() as cursor, cursor.copy(_sql("copy_told")) as copy:
        for one in rows:
            columns = None if one.columns is None else json.dumps(one.columns)
            copy.write_row((one.seq, one.model, one.odoo_id, one.writer or 0, columns, one.lsn, one.committed_at))


def note_drift(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Note drift: (record, model, Odoo's id, field, ours, theirs, Odoo's user, LSN)."""
    if not rows:
        return
    new = _execute(connection, "differs", [list(column) for column in zip(*rows, strict=True)])
    for record_id, name, model, odoo_id in new.fetchall():
        logger.warning("{}: {} of {} {} was changed in Odoo", record_id, name, model, odoo_id)


def look_again(connection: Connection, gone: Sequence[tuple[str, str, int]], lsn: str | None) -> int:
    """Make records due whose rows are gone from Odoo (canonical id, model, Odoo's id), and report them; return how many."""
    if not gone:
        return 0
    rows = _execute(connection, "look_again", [[canonical_id for canonical_id, _, _ in gone]]).fetchall()
    due = {record_id for (record_id,) in rows}
    note_drift(
        connection,
        [
            (canonical_id, model, odoo_id, DELETED, str(odoo_id), None, None, lsn)
            for canonical_id, model, odoo_id in gone
            if canonical_id in due
        ],
    )
    return len(due)


def _execute(
    connection: Connection, name: str, parameters: Sequence[Any] | Mapping[str, Any] | None = None
) -> psycopg.Cursor[tuple[Any, ...]]:
    """Run a named statement, planned anew: a plan that was made for a few rows of a temporary table would be kept for many."""
    return connection.execute(_sql(name), parameters, prepare=False)


def _sql(name: str) -> Any:
    return statements("confirming/confirmations.sql")[name]
