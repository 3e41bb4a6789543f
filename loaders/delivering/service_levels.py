"""How old records are when they are delivered, by domain, against the service levels that the policies promise.

The age runs from the commit at the source to the outcome of the delivery. What a snapshot or a copy brought has no commit and no age.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from config.policies import Domain, Policies
from config.settings import StateSettings
from loaders.delivering.domains import DOMAIN_OF
from loaders.named_sql import statements
from loaders.state import connect, prepare, translated

_REMEMBERED = 2000


@dataclass(kw_only=True, slots=True)
class Ages:
    """Ages at delivery of one domain since the deliverer began; `late`: past the service level."""

    delivered: int = 0
    late: int = 0
    recent_s: deque[float] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))


class ServiceLevels:
    """What one deliverer has seen; for its status and metrics."""

    def __init__(self, policies: Policies) -> None:
        self._policies = policies
        self._ages: dict[Domain, Ages] = {}

    def note(self, ages: Iterable[tuple[str, float]]) -> None:
        """Note records (entity, age in seconds) that were delivered."""
        for entity, age_s in ages:
            domain = DOMAIN_OF.get(entity)
            if domain is None:
                continue
            its = self._ages.setdefault(domain, Ages())
            level_s = self._policies.domain(domain).service_level_s
            its.delivered += 1
            its.late += level_s is not None and age_s > level_s
            its.recent_s.append(age_s)

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """Return, by domain, what was delivered, how much of it late, and the recent ages' median and 99th percentile."""
        return {
            domain.value: {
                "delivered": its.delivered,
                "late": its.late,
                "age_p50_s": percentile(its.recent_s, 0.5),
                "age_p99_s": percentile(its.recent_s, 0.99),
            }
            for domain, its in list(self._ages.items())
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class DomainReport:
    """One domain as people look at it. Ages in seconds, of the last `hours`; `kept_ratio`: delivered in time, of 1."""

    domain: str
    mode: str
    deliver: str
    priority: int
    held_by: str | None
    reason: str | None
    pending: int
    parked: int
    dead: int
    oldest_pending_s: float | None
    delivered: int
    age_p50_s: float | None
    age_p99_s: float | None
    service_level_s: float | None
    kept_ratio: float | None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields by name."""
        return asdict(self)


class DomainSwitches:
    """The domains of one state database, for people: report, hold, release. A context manager."""

    def __init__(self, settings: StateSettings, policies: Policies) -> None:
        prepare(settings)
        self._policies = policies
        self._connection = connect(settings, application_name="causeway domains")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def hold(self, domain: Domain, *, by: str, reason: str) -> None:
        """Deliver nothing of a domain until it is released; running lanes see it within seconds."""
        with translated("holding a domain"):
            self._connection.execute(_sql("hold"), {"domain": domain.value, "by": by, "reason": reason})
            self._connection.commit()

    def release(self, domain: Domain) -> bool:
        """Deliver a domain again; False where nobody held it."""
        with translated("releasing a domain"):
            released = self._connection.execute(_sql("release"), {"domain": domain.value}).rowcount
            self._connection.commit()
        return released > 0

    def report(self, hours: int = 24) -> list[DomainReport]:
        """Return every domain with what waits and how its service level was kept."""
        with translated("looking at the domains"):
            waiting = self._connection.execute(_sql("waiting")).fetchall()
            ages = self._connection.execute(_sql("ages"), {"hours": hours}).fetchall()
            held = {domain: (by, reason) for domain, by, reason, _ in self._connection.execute(_sql("held"))}
            self._connection.commit()
        return [self._report(domain, waiting, ages, held.get(domain.value, (None, None))) for domain in Domain]

    def _report(
        self,
        domain: Domain,
        waiting: Sequence[tuple[Any, ...]],
        ages: Sequence[tuple[str, float]],
        held: tuple[str | None, str | None],
    ) -> DomainReport:
        policy = self._policies.domain(domain)
        own = [row for row in waiting if DOMAIN_OF.get(row[0]) is domain]
        its_ages = [age for entity, age in ages if DOMAIN_OF.get(entity) is domain]
        oldest = [row[4] for row in own if row[4] is not None]
        level_s = policy.service_level_s
        return DomainReport(
            domain=domain.value,
            mode="held" if held[0] else policy.mode.value,
            deliver=policy.deliver,
            priority=policy.priority,
            held_by=held[0],
            reason=held[1],
            pending=sum(row[1] for row in own),
            parked=sum(row[2] for row in own),
            dead=sum(row[3] for row in own),
            oldest_pending_s=max(oldest, default=None),
            delivered=len(its_ages),
            age_p50_s=percentile(its_ages, 0.5),
            age_p99_s=percentile(its_ages, 0.99),
            service_level_s=level_s,
            kept_ratio=sum(age <= level_s for age in its_ages) / len(its_ages) if level_s and its_ages else None,
        )


def percentile(values: Iterable[float], share: float) -> float | None:
    """Return the value that this share of the values does not exceed (nearest rank); None of none."""
    ranked = sorted(values)
    return ranked[max(0, -(-len(ranked) * int(share * 100) // 100) - 1)] if ranked else None


def _sql(name: str) -> Any:
    return statements("delivering/domains.sql")[name]
