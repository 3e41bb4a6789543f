"""How much is not in Odoo yet. On a connection of its own: whoever asks is not in the delivering thread."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, LiteralString

import psycopg

from config.settings import StateSettings
from loaders.state import connect, translated

# Only what is not settled: an index of its own, small as long as delivery keeps up.
_COUNT = """
SELECT status, count(*), min(first_seen_at) FROM outbox WHERE status IN ('pending', 'parked', 'dead') GROUP BY status
UNION ALL
SELECT status, count(*), NULL FROM outbox WHERE status IN ('resolved', 'waived') GROUP BY status
UNION ALL
SELECT 'recheck', count(*), NULL FROM outbox
WHERE status <> 'pending' AND record_id IN (SELECT unnest(record_ids) FROM calls_under_way)
"""
# What waits for the rest of its source's snapshot is not for now.
_LEFT = """
SELECT EXISTS (
    SELECT 1 FROM outbox
    WHERE status = 'pending' AND entity <> ALL(%(closed)s) AND source IN (SELECT source FROM positions WHERE lane = 'operational' AND snapshot IS NULL)
) OR EXISTS (
    SELECT 1 FROM outbox WHERE status <> 'pending' AND record_id IN (SELECT unnest(record_ids) FROM calls_under_way)
)
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Backlog:
    """Records that are not in Odoo, by status. `oldest_pending_s`: since the oldest pending one was first seen.

    `rechecks`: those of the pending that were settled, but are looked at once more because Odoo may still be at work on a call
    whose end nobody saw. `resolved` and `waived` ones people have closed.
    """

    pending: int = 0
    rechecks: int = 0
    parked: int = 0
    dead: int = 0
    resolved: int = 0
    waived: int = 0
    oldest_pending_s: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields by name."""
        return asdict(self)


class BacklogCounter:
    """Counts; safe to use from any thread."""

    def __init__(self, settings: StateSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None

    def count(self) -> Backlog:
        """Count what is not in Odoo yet. Raises CausewayError; the next call connects anew."""
        rows = {row[0]: row[1:] for row in self._ask(_COUNT)}
        pending, oldest = rows.get("pending", (0, None))
        rechecks = rows["recheck"][0]
        return Backlog(
            pending=pending + rechecks,
            rechecks=rechecks,
            parked=rows.get("parked", (0,))[0],
            dead=rows.get("dead", (0,))[0],
            resolved=rows.get("resolved", (0,))[0],
            waived=rows.get("waived", (0,))[0],
            oldest_pending_s=(datetime.now(UTC) - oldest).total_seconds() if oldest else None,
        )

    def anything_left(self, closed: Sequence[str] = ()) -> bool:
        """Whether anything is still to be delivered, now or later, of the sources whose snapshots are whole. Raises CausewayError.

        closed: entities of which nothing is going to be delivered.
        """
        return self._ask(_LEFT, {"closed": list(closed)}) == [(True,)]

    def _ask(self, query: LiteralString, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        with self._lock:
            if self._connection is None or self._connection.closed:
                self._connection = connect(self._settings, application_name="causeway backlog")
            with translated("counting the backlog"):
                rows = self._connection.execute(query, parameters).fetchall()
                self._connection.rollback()
        return rows

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
