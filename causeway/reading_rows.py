"""The operational lane's second way to a row: what could not be mapped as it came is read at its source by key, and delivered.

Contract: runs on the lane's applying thread between two batches, a few hundred rows at a time, and then leaves the thread to the
stream for as long as it took. Nothing here ends the lane: a source out of reach, a table that is gone, a mapping that is still
broken leave the rows noted, with the reason in the status, and are tried again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import psycopg
import pyarrow as pa
from loguru import logger

from causeway.mapping_files import MappingFiles
from causeway.source_rows import SourceRows
from causeway.sources import Sources
from config.errors import CausewayError
from config.settings import StateSettings
from loaders.arriving.copies import without_records
from loaders.arriving.outbox import Outbox
from loaders.arriving.rows_to_read import Group, ReadRows, groups, note_mended, take
from loaders.state import connect
from transforms.changes import AnyChange, Held, Origin
from transforms.compiled import BrokenMapping
from transforms.mapper import BatchMapper

ROWS_AT_A_TIME = 500
_LOOK_S = 1.0  # for rows that another process has noted
_FILES_S = 2.0
_AGAIN_S = 5.0
_CATALOGS_S = 30.0


class RowReading:
    """Reads the rows that are noted in the state table rows_to_read, and keeps the mapper's mappings as the files say."""

    def __init__(
        self,
        state: StateSettings,
        sources: Sources,
        *,
        mapper: BatchMapper,
        outbox: Outbox,
        rows: SourceRows,
        files: MappingFiles,
        copy: Callable[[str, str], object],
    ) -> None:
        """`copy` begins to copy a table of a source, which has just been published; CausewayError where that can't be now."""
        self._state = state
        self._sources = sources
        self._mapper = mapper
        self._outbox = outbox
        self._rows = rows
        self._files = files
        self._copy = copy
        self._appeared: set[tuple[str, str]] = set()
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None
        self._look_at = self._files_at = self._mend_at = 0.0
        self._again_at: dict[tuple[str, str, str], float] = {}
        self._problems: dict[tuple[str, str, str], str] = {}
        self._groups: tuple[Group, ...] = ()
        self._looked_for_mended = False

    def work(self) -> bool:
        """Do what is due; True where rows were read."""
        try:
            self._watch_mappings()
            if not self._looked_for_mended:
                self._note_mended()
                self._tell_of_older_rows()
            self._copy_appeared()
            if time.monotonic() < self._look_at:
                return False
            self._look_at = time.monotonic() + _LOOK_S
            return self._read_some()
        except CausewayError as error:  # of the state database: the stream meets the same trouble, and its loop waits
            logger.warning("rows that are to be read wait: {}", error)
            self._forget_connection()
            self._look_at = time.monotonic() + _AGAIN_S
            return False

    def finish(self) -> None:
        """Read all that can be read now: the lane is about to end."""
        self._files_at = self._mend_at = 0.0
        self._again_at.clear()
        self._watch_mappings()
        while True:
            self._look_at = 0.0
            if not self.work():
                return

    def status(self) -> dict[str, Any]:
        """The mappings that hold records back, and the rows that wait to be read, as JSON values."""
        return {
            **self._files.status(),
            "rows_to_read": [
                {
                    "source": group.source,
                    "table": group.table,
                    "mapping": group.mapping,
                    "reason": group.reason.value,
                    "rows": group.rows,
                    "since": group.since.isoformat(),
                    "problem": self._problems.get(_name(group), ""),
                }
                for group in self._groups
            ],
        }

    def close(self) -> None:
        """Close the connections."""
        self._forget_connection()
        self._rows.close()

    def _watch_mappings(self) -> None:
        """Take up changed files; look at the catalogs again where rows were held back, soon while a mapping is broken, else now and then:
        a table that has left the publication says nothing.
        """
        now = time.monotonic()
        if now >= self._files_at:
            self._files_at = now + _FILES_S
            if self._files.changed():
                self._use_mappings()
        held = self._outbox.take_held()
        if held or now >= self._mend_at:
            if self._files.look_again():
                self._use_mappings()
            self._appeared.update(self._files.take_appeared())
            self._mend_at = now + (_AGAIN_S if self._files.broken else _CATALOGS_S)
            if held:
                self._look_at = 0.0

    def _copy_appeared(self) -> None:
        """Of a table that has come into its publication the log has nothing from before: it is copied."""
        for source, table in sorted(self._appeared):
            try:
                self._copy(source, table)
            except CausewayError as error:
                logger.debug("{}: {} was published, its copy waits: {}", source, table, error)
                return
            self._appeared.discard((source, table))
            logger.info("{}: {} was published, its rows are copied", source, table)

    def _note_mended(self) -> None:
        """Records that a mapping or status map has made invalid may be none under what the files say now."""
        digests = {one.name: one.mapping.digest for one in self._files.current}
        if noted := note_mended(self._state_connection(), digests):
            logger.info("{} rows whose records were invalid are read again: their mappings have changed", noted)
        self._looked_for_mended = True

    def _tell_of_older_rows(self) -> None:
        """A mapping that came after its table's rows has nothing of them: say how they come, where its backfill policy wants any."""
        wanting = [one for one in self._files.loaded if not one.backfill.none]
        empty = without_records(self._state_connection(), wanting)
        for one in wanting:
            if one.name in empty:
                logger.info(
                    "mapping {} has no records yet, though the rows of {} were taken in before:"
                    " `causeway copy {} {} --lane operational` brings them to it",
                    *(one.name, one.table, one.source, one.table),
                )

    def _use_mappings(self) -> None:
        self._mapper.replace(self._files.current)
        self._looked_for_mended = False
        self._again_at.clear()
        self._look_at = 0.0

    def _read_some(self) -> bool:
        self._groups = groups(self._state_connection())
        for group in self._groups:
            if time.monotonic() < self._again_at.get(_name(group), 0.0):
                continue
            began = time.monotonic()
            problem = self._read(group)
            if problem:
                self._put_off(group, problem)
                continue
            self._problems.pop(_name(group), None)
            self._look_at = 2 * time.monotonic() - began
            return True
        return False

    def _put_off(self, group: Group, problem: str) -> None:
        if self._problems.get(_name(group)) != problem:
            logger.warning("{} rows of {}: {} wait to be read: {}", group.rows, group.source, group.table, problem)
        self._problems[_name(group)] = problem
        self._again_at[_name(group)] = time.monotonic() + _AGAIN_S

    def _read(self, group: Group) -> str:
        """Read some rows of a group and store what they give; return why that can't be done now, else nothing."""
        if group.source in self._sources and not self._files.has_answered(group.source):
            return "the source has not answered yet"
        if group.source not in self._sources or group.table not in self._sources[group.source].table_names:
            return "the table is not captured any more"
        mappings = {one.name: one for one in self._mapper.mappings_of(group.source, group.table)}
        if not mappings:
            return "no mapping reads the table"
        only = group.mapping if group.mapping in mappings else ""
        if only and isinstance(broken := mappings[only], BrokenMapping):
            return "; ".join(broken.problems)
        rows = take(self._state_connection(), group, ROWS_AT_A_TIME)
        try:
            changes, broken_now = self._map(group, rows, only)
        except CausewayError as error:
            return str(error)
        if broken_now and only:
            return "; ".join(broken_now[0].problems)
        held = [_held_for(one.name, rows, at) for one in broken_now for at in range(len(rows.keys))]
        try:
            self._outbox.apply_read(group.source, changes, rows, held)
        except CausewayError:
            self._outbox.rollback(group.source)
            raise
        return ""

    def _map(self, group: Group, rows: ReadRows, only: str) -> tuple[list[AnyChange], list[BrokenMapping]]:
        keys = pa.Table.from_pylist([dict(key) for key in rows.keys if key])
        xids = frozenset(xid for xid in rows.xids if xid)
        found = self._rows.look_up(group.source, group.table, keys, xids)
        changes, broken = self._mapper.map_looked_up(group.source, keys, found, group.reason, only)
        if rows.truncated:
            ended = self._mapper.truncated(group.source, found, only)
            changes = [*ended, *changes]
        return changes, broken

    def _state_connection(self) -> psycopg.Connection[tuple[Any, ...]]:
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._state, application_name="causeway rows to read")
        return self._connection

    def _forget_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _name(group: Group) -> tuple[str, str, str]:
    return group.source, group.table, group.mapping


def _held_for(mapping: str, rows: ReadRows, at: int) -> Held:
    """Note a row that was read for all mappings for the one of them that is broken."""
    return Held(
        source=rows.group.source,
        table=rows.group.table,
        key=rows.keys[at],
        mapping=mapping,
        reason=Origin.MAPPING,
        position=rows.lsns[at],
        xid=rows.xids[at],
        seq=at,
    )
