"""Tables that came into the operational lane's publication while it runs: copied by the lane, for the log has nothing of them from before.

Contract: runs on the lane's applying thread between two batches. A transaction that was open when the table was published may have
changed it before, which the log does not send, and commit behind the copy, which would not see it: so the copy waits for all of these.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

import psycopg
from loguru import logger

from causeway.source_rows import SourceRows
from cdc.driver_errors import translate
from config.errors import CausewayError

# All transactions before the first number have ended; all that there have been are before the second.
_SNAPSHOT = """
SELECT pg_snapshot_xmin(s.now)::text::int8, pg_snapshot_xmax(s.now)::text::int8 FROM (SELECT pg_current_snapshot()) AS s (now)
"""
_AGAIN_S = 5.0


class AppearedTables:
    """`copy` begins to copy tables of a source, and raises CausewayError where that can't be now."""

    def __init__(self, rows: SourceRows, copy: Callable[[str, Sequence[str]], object]) -> None:
        self._rows = rows
        self._copy = copy
        self._behind: dict[tuple[str, str], int | None] = {}  # the transaction before which all must have ended
        self._due_at = 0.0

    def note(self, tables: Iterable[tuple[str, str]]) -> None:
        """Take note of tables (source, schema.table) that the publication has now."""
        for one in tables:
            self._behind[one] = None
            self._due_at = 0.0

    def work(self, *, at_once: bool = False) -> None:
        """Begin the copies that are due; what can't be done now is tried again."""
        if not self._behind or (time.monotonic() < self._due_at and not at_once):
            return
        self._due_at = time.monotonic() + _AGAIN_S
        for source, table in list(self._behind):
            try:
                self._begin(source, table)
            except CausewayError as error:
                logger.info("{}: {} was published, its copy waits: {}", source, table, error)

    def _begin(self, source: str, table: str) -> None:
        try:
            ((oldest, newest),) = self._rows.connection(source).execute(_SNAPSHOT.encode()).fetchall()
        except psycopg.Error as error:
            raise translate(error, f"looking for transactions that may have changed {table}", table=table) from error
        behind = self._behind[source, table]
        behind = self._behind[source, table] = newest if behind is None else behind
        if oldest < behind:
            logger.info("{}: {} was published, its copy waits for transactions that are open since", source, table)
            return
        self._copy(source, [table])
        del self._behind[source, table]
        logger.info("{}: {} was published, its rows are copied now", source, table)
