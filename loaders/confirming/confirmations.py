"""Odoo's own log as the last word on what was delivered: the operational lane's second end, for Odoo's database.

Contract: implements cdc.destination.Destination, for one source. A batch's rows, what they confirm, bind and contradict, and the
position go into one transaction. The rows are staged before anybody has to wait: only the judging holds the writers' lock. Odoo's
names of our prefix are copied at first, so that the crosswalk is true from then on; of its documents only what changes is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from loguru import logger

from cdc.batch import OP_DELETE, OP_TRUNCATE, BatchKind, ChangeBatch, CopyProgress, Position, TableChanges
from cdc.lsn import Lsn
from cdc.relation import Relation
from config.errors import CausewayError, ErrorKind
from config.policies import Policies
from config.settings import Lane, StateSettings
from loaders.confirming.confirming import NAMELESS, Judge, Told, look_again, note_drift, stage, tell
from loaders.confirming.odoo_log import BY_TABLE, NAMES_TABLE, TABLES, WRITER, OdooTable, canonical_id, texts
from loaders.named_sql import statements
from loaders.state import connect, lock_writers, prepare, read_position, scalar, translated

_LANE = Lane.OPERATIONAL.value
_FORGET_S = 600.0


@dataclass(kw_only=True, slots=True)
class _Session:
    """The connection, how many rows are staged on it, and since when a copy of the names is under way."""

    connection: psycopg.Connection[tuple[Any, ...]]
    staged: int = 0
    gone: bool = False
    lsn: Lsn | None = None
    forgot_at: datetime | None = None


@dataclass(kw_only=True, slots=True)
class _Name:
    seq: int
    external_id: str
    canonical_id: str | None
    model: str | None
    odoo_id: int | None
    lsn: str


class Confirmations:
    """Destination of Odoo's log. `prefix`: the module part of our external ids."""

    def __init__(self, settings: StateSettings, policies: Policies, prefix: str) -> None:
        prepare(settings)
        self._settings = settings
        self._judge = Judge(policies)
        self._prefix = prefix
        self._session: _Session | None = None
        self._before: datetime | None = None

    def position(self, source: str) -> Position | None:
        """See Destination. Where there is none, whatever is bound by now lies before the copy of the names that follows."""
        found = read_position(self._settings, source, _LANE)
        if found is None:
            connection = self._opened().connection
            with translated("looking at the clock"):
                self._before = scalar(connection, "SELECT clock_timestamp()")
                connection.rollback()
        return found

    def begin_snapshot(self, source: str, relations: Sequence[Relation]) -> None:
        """See Destination: nothing is kept of an interrupted one."""

    def captured(self, source: str, relations: Sequence[Relation]) -> tuple[str, ...]:  # noqa: ARG002
        """See Destination: no rows from before are missed."""
        return ()

    def copies(self, source: str) -> tuple[CopyProgress, ...]:  # noqa: ARG002
        """See Destination: there are none."""
        return ()

    def begin_copy(self, source: str, progress: CopyProgress) -> None:  # noqa: ARG002
        """See Destination: tables of Odoo are not copied here."""
        raise CausewayError(ErrorKind.REFUSED, f"{source}: the operational lane copies no tables of Odoo's database.")

    def apply(self, batch: ChangeBatch) -> None:
        """See Destination. Raises CausewayError STATE where the position would go back."""
        session = self._opened()
        with translated(f"confirming deliveries by the log of {batch.position.source}"):
            self._stage(session, batch)
            if batch.complete:
                self._merge(session, batch)

    def rollback(self, source: str) -> None:  # noqa: ARG002
        """See Destination."""
        self.close()

    def close(self) -> None:
        """See Destination."""
        if self._session is not None:
            self._session.connection.close()
            self._session = None

    def _opened(self) -> _Session:
        if self._session is None or self._session.connection.closed:
            self._session = _Session(connection=connect(self._settings, application_name="causeway confirmations"))
        return self._session

    def _stage(self, session: _Session, batch: ChangeBatch) -> None:
        if not batch.row_count:
            return
        if not session.staged:
            stage(session.connection)
        rows, names = [], []
        for changes in batch.changes:
            name = changes.relation.qualified_name
            if name == NAMES_TABLE:
                names += list(self._names(changes, session.staged))
            elif (table := BY_TABLE.get(name)) is not None:
                rows += list(_rows(table, changes, session.staged))
        session.gone |= any(row.columns is None for row in rows) or any(name.odoo_id is None for name in names)
        session.staged += batch.row_count
        if rows:
            tell(session.connection, rows)
        if names:
            with session.connection.cursor() as cursor, cursor.copy(_sql("copy_names")) as copy:
                for one in names:
                    copy.write_row((one.seq, one.external_id, one.canonical_id, one.model, one.odoo_id, one.lsn))

    def _names(self, changes: TableChanges, first: int) -> Iterator[_Name]:
        """Odoo's names of our prefix. The row filter sees to that; a publication without one may say others, too."""
        for row in changes.rows.to_pylist():
            if row["_op"] == OP_TRUNCATE or row["module"] != self._prefix:
                continue
            gone = row["_op"] == OP_DELETE or row["res_id"] is None
            yield _Name(
                seq=first + row["_seq"],
                external_id=f"{self._prefix}.{row['name']}",
                canonical_id=canonical_id(row["name"]),
                model=None if gone else row["model"],
                odoo_id=None if gone else int(row["res_id"]),
                lsn=str(Lsn(row["_lsn"])),
            )

    def _merge(self, session: _Session, batch: ChangeBatch) -> None:
        connection, confirmed = session.connection, 0
        if session.staged:
            connection.execute(_sql("keep"))
        if session.staged or batch.kind is BatchKind.SNAPSHOT:
            lock_writers(connection)
            self._bind(session, batch)
            confirmed = self._judge.judge(connection)
        self._forget_old(session)
        self._store_position(connection, batch)
        connection.commit()
        session.staged, session.gone = 0, False
        if confirmed:
            logger.debug("{} deliveries confirmed at {}", confirmed, batch.position.lsn)

    def _bind(self, session: _Session, batch: ChangeBatch) -> None:
        """Bring the crosswalk to what Odoo's names are now."""
        connection, whole = session.connection, batch.kind is BatchKind.SNAPSHOT
        if whole and not session.staged:
            stage(connection)
        for name in ("rebind", "bind", "named_again"):
            connection.execute(_sql(name))
        if not (whole or session.gone):
            return
        pattern = self._prefix.replace("_", r"\_") + ".%"
        parameters = {"before": self._before if whole else None, "names": pattern, "models": list(TABLES)}
        lsn = str(batch.position.lsn)
        gone = connection.execute(_sql("unbind"), parameters).fetchall()
        if again := look_again(connection, gone, lsn):
            logger.warning("{} records were deleted in Odoo: they are looked at again", again)
        connection.execute(_sql("forget_gone"))
        nameless = connection.execute(_sql("nameless")).fetchall()
        note_drift(
            connection,
            [(record, model, odoo_id, NAMELESS, name, None, None, at) for record, model, odoo_id, name, at in nameless],
        )

    def _forget_old(self, session: _Session) -> None:
        now = datetime.now().astimezone()
        if session.forgot_at is None or (now - session.forgot_at).total_seconds() >= _FORGET_S:
            session.forgot_at = now
            session.connection.execute(_sql("forget_old"))

    def _store_position(self, connection: psycopg.Connection[tuple[Any, ...]], batch: ChangeBatch) -> None:
        position = batch.position
        parameters = {
            "source": position.source,
            "lane": _LANE,
            "lsn": str(position.lsn),
            "slot": position.slot,
            "system_identifier": position.system_identifier,
            "timeline": position.timeline,
            "snapshot": None,
            "may_go_back": batch.kind is BatchKind.SNAPSHOT,
        }
        if connection.execute(statements("arriving/merge.sql")["store_position"], parameters).fetchone() is None:
            raise CausewayError(
                ErrorKind.STATE,
                f"Source {position.source}: a batch ends at {position.lsn}, before the stored position.",
                hint="Two lanes may be running over one state database.",
                source=position.source,
            )


def _rows(table: OdooTable, changes: TableChanges, first: int) -> Iterator[Told]:
    """What the log tells of a model's rows; values that it left out are not among the columns."""
    unsent = {name: flags for name, flags in changes.unchanged.items() if name in table.columns}
    for number, row in enumerate(changes.rows.to_pylist()):
        if row["_op"] == OP_TRUNCATE:
            continue
        columns = None
        if row["_op"] != OP_DELETE:
            sent = {name: value for name, value in row.items() if name not in unsent or not unsent[name][number]}
            more = {name: sent[name] for name in table.more if name in sent}
            columns = texts(table, sent) | more
        yield Told(
            seq=first + row["_seq"],
            model=table.model,
            odoo_id=int(row["id"]),
            writer=int(row[WRITER]) if row.get(WRITER) else None,
            columns=columns,
            lsn=str(Lsn(row["_lsn"])),
            committed_at=row["_committed_at"],
        )


def _sql(name: str) -> Any:
    return statements("confirming/confirmations.sql")[name]
