"""Retention: attempts at delivery, and settled records that are gone at their source, are forgotten after some days.

The crosswalk stays, so that a record that comes back finds its place in Odoo, and so does the audit.
"""

from __future__ import annotations

import time
from typing import Any

import psycopg

from loaders.named_sql import statements
from loaders.state import lock_writers, translated

_AT_ONCE = 2_000
_EVERY_S = 600.0  # where there is nothing left to forget


class Retention:
    """Forgets some at a time. `keep_days` None: nothing."""

    def __init__(self, keep_days: int | None) -> None:
        self._days = keep_days
        self._next_at = float("-inf")

    def sweep(self, connection: psycopg.Connection[tuple[Any, ...]]) -> int:
        """Forget what is due, in a transaction of its own; return how many deliveries and records (or their identities)."""
        if self._days is None or time.monotonic() < self._next_at:
            return 0
        parameters = {"days": self._days, "limit": _AT_ONCE}
        with translated("forgetting old deliveries"):
            lock_writers(connection)
            counts = [connection.execute(_sql(name), parameters).rowcount for name in ("deliveries", "records")]
            connection.commit()
        if max(counts) < _AT_ONCE:
            self._next_at = time.monotonic() + _EVERY_S
        return sum(counts)


def _sql(name: str) -> Any:
    return statements("delivering/retention.sql")[name]
