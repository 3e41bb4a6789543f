"""How far deliveries are confirmed, and how long each way took. On a connection of its own, from any thread."""

from __future__ import annotations

import threading
import time
from dataclasses import asdict, dataclass, field
from typing import Any

import psycopg

from config.settings import StateSettings
from loaders.state import connect, translated

STAGES = ("captured", "delivered", "confirmed", "whole")
QUANTILES = (0.5, 0.95, 0.99)
_KEPT_S = 5.0

# The last ones that the log has confirmed: what was read back says nothing of how fast Odoo's log is.
_LATENCY = """
WITH last AS (
    SELECT * FROM deliveries WHERE confirmed_at IS NOT NULL AND confirmed_lsn IS NOT NULL ORDER BY confirmed_at DESC LIMIT 1000
), stages (stage, took) AS (
    SELECT 'captured', arrived_at - committed_at FROM last
    UNION ALL SELECT 'delivered', finished_at - arrived_at FROM last
    UNION ALL SELECT 'confirmed', confirmed_at - finished_at FROM last
    UNION ALL SELECT 'whole', confirmed_at - committed_at FROM last
)
SELECT stage, percentile_cont(%s::float8[]) WITHIN GROUP (ORDER BY greatest(extract(epoch FROM took), 0)::float8)
FROM stages WHERE took IS NOT NULL GROUP BY stage
"""
_WAITING = """
SELECT count(*), extract(epoch FROM now() - min(finished_at))::float8 FROM deliveries WHERE expected IS NOT NULL AND confirmed_at IS NULL
"""
_DRIFT = "SELECT count(*) FROM drift"
_CONFIRMED = """
SELECT count(*) FILTER (WHERE confirmed_lsn IS NOT NULL), count(*) FILTER (WHERE confirmed_lsn IS NULL)
FROM deliveries WHERE confirmed_at IS NOT NULL
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Confirmed:
    """`unconfirmed`: deliveries that Odoo has acknowledged and its log has not shown yet; `oldest_unconfirmed_s`: since when.

    `latency_s`: stage -> quantile -> seconds, of the last 1,000 that the log has confirmed: from the source's commit to the outbox
    (captured), from there to Odoo's answer (delivered), from there to its row in the log (confirmed), and all of it (whole).
    `drift`: fields that somebody has changed in Odoo though a channel owns them.
    """

    unconfirmed: int = 0
    oldest_unconfirmed_s: float | None = None
    latency_s: dict[str, dict[str, float]] = field(default_factory=dict)
    drift: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return the fields by name."""
        return asdict(self)


class ConfirmedCounter:
    """Counts, at most every few seconds."""

    def __init__(self, settings: StateSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None
        self._last = Confirmed()
        self._asked_at = float("-inf")

    def count(self) -> Confirmed:
        """Return what is known, as of a few seconds ago at most. Raises CausewayError; the next call connects anew."""
        with self._lock:
            if time.monotonic() - self._asked_at >= _KEPT_S:
                self._last = self._ask()
                self._asked_at = time.monotonic()
            return self._last

    def totals(self) -> tuple[int, int]:
        """Return how many deliveries were confirmed by Odoo's log, and how many by reading them back. Reads all of them."""
        with self._lock, translated("counting confirmed deliveries"):
            by_log, read_back = self._connected().execute(_CONFIRMED).fetchall()[0]
            self._connected().rollback()
        return by_log, read_back

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()

    def _ask(self) -> Confirmed:
        connection = self._connected()
        with translated("counting confirmed deliveries"):
            (unconfirmed, oldest_s) = connection.execute(_WAITING).fetchall()[0]
            latency = connection.execute(_LATENCY, [list(QUANTILES)]).fetchall()
            ((drift,),) = connection.execute(_DRIFT).fetchall()
            connection.rollback()
        found = {
            stage: {str(quantile): round(took_s, 4) for quantile, took_s in zip(QUANTILES, its, strict=True)}
            for stage, its in latency
        }
        ordered = {stage: found[stage] for stage in STAGES if stage in found}
        return Confirmed(unconfirmed=unconfirmed, oldest_unconfirmed_s=oldest_s, latency_s=ordered, drift=drift)

    def _connected(self) -> psycopg.Connection[tuple[Any, ...]]:
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._settings, application_name="causeway confirmed")
        return self._connection
