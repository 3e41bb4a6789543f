"""The domains at delivery: which records belong to which, and which of them may be delivered now.

Contract: a domain is closed while its policy says held, while a person holds it (`causeway domains hold`), and between the times
of its schedule. Closing keeps its records in the outbox, and with them what depends on them; nothing is dropped. A schedule's
time that passed while nobody was running is caught up. Asks the state database now and then; several processes share its answer.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from config.policies import Domain, Mode, Policies
from config.schedule import cron_trigger
from loaders.named_sql import statements
from loaders.state import translated

_LOOK_S = 2.0

Connection = psycopg.Connection[tuple[Any, ...]]

ENTITIES_OF: dict[Domain, tuple[str, ...]] = {
    Domain.CUSTOMERS: ("customer",),
    Domain.PRODUCTS: ("product",),
    Domain.ORDERS: ("sales_order", "sales_order_line"),
    Domain.SHIPMENTS: ("shipment", "shipment_line"),
    Domain.RETURNS: ("return", "return_line"),
    Domain.INVOICES: ("invoicing",),
    Domain.PAYMENTS: ("payment",),
    Domain.SETTLEMENTS: ("settlement_line",),
    Domain.STOCK: ("stock_level",),
}
DOMAIN_OF = {entity: domain for domain, entities in ENTITIES_OF.items() for entity in entities}


def next_opening(schedule: str, after: datetime) -> datetime | None:
    """Return when a domain with this schedule opens next after a time; None for realtime, which is always open."""
    if schedule == "realtime":
        return None
    words = schedule.split()
    if words[0] == "every":
        minutes = timedelta(minutes=int(words[1]))
        start = datetime(1970, 1, 1, tzinfo=UTC)
        return start + (1 + (after - start) // minutes) * minutes
    opening: datetime | None = cron_trigger(schedule).get_next_fire_time(None, after + timedelta(microseconds=1))
    return opening


class DomainGates:
    """Which domains are open. `at_once`: schedules are not waited for, as in a run that is to end."""

    def __init__(self, policies: Policies, *, at_once: bool = False) -> None:
        self._policies = policies
        self._at_once = at_once
        self._held: frozenset[str] = frozenset()
        self._worked_off: dict[str, datetime] = {}
        self._looked_at = float("-inf")

    def look(self, connection: Connection) -> None:
        """Read which domains people hold, and when each was worked off last; at most every two seconds."""
        if time.monotonic() - self._looked_at < _LOOK_S:
            return
        self._looked_at = time.monotonic()
        with translated("looking at the domains"):
            rows = connection.execute(statements("delivering/domains.sql")["switches"]).fetchall()
            connection.rollback()
        self._held = frozenset(domain for domain, held, _ in rows if held)
        self._worked_off |= {domain: at for domain, _, at in rows if at is not None}

    def mode(self, domain: Domain) -> Mode:
        """Return a domain's mode: held where a person holds it, else as the policies say."""
        return Mode.HELD if domain.value in self._held else self._policies.domain(domain).mode

    def is_open(self, domain: Domain, now: datetime | None = None) -> bool:
        """Return whether a domain's records may be worked on now."""
        if self.mode(domain) is Mode.HELD:
            return False
        return self._at_once or self._is_time(domain, now or datetime.now(UTC))

    def worked_off(self, connection: Connection) -> None:
        """Nothing that is open is due any more: scheduled domains close until their next time."""
        now = datetime.now(UTC)
        closing = [domain for domain in self._scheduled() if self.is_open(domain, now)]
        if not closing:
            return
        with translated("noting that domains were worked off"):
            parameters = {"domains": [domain.value for domain in closing], "at": now}
            connection.execute(statements("delivering/domains.sql")["worked_off"], parameters)
            connection.commit()
        self._worked_off |= {domain.value: now for domain in closing}

    def entities(self, *modes: Mode) -> list[str]:
        """Return the entities of the domains that are in one of these modes."""
        found = (domain for domain in Domain if self.mode(domain) in modes)
        return [entity for domain in found for entity in ENTITIES_OF.get(domain, ())]

    def _scheduled(self) -> Iterable[Domain]:
        if self._at_once:
            return ()
        return (domain for domain in Domain if self._policies.domain(domain).deliver != "realtime")

    def _is_time(self, domain: Domain, now: datetime) -> bool:
        schedule = self._policies.domain(domain).deliver
        if schedule == "realtime":
            return True
        since = self._worked_off.setdefault(domain.value, now)
        opening = next_opening(schedule, since)
        return opening is not None and opening <= now
