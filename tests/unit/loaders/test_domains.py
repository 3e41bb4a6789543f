"""When scheduled domains open, in which order they are worked off, and how ages at delivery are counted."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from config.policies import Domain, DomainPolicy, Policies
from loaders.arriving.incoming import DELIVERED_ENTITIES
from loaders.delivering.domains import DOMAIN_OF, next_opening
from loaders.delivering.service_levels import ServiceLevels, percentile
from loaders.delivering.steps import delivery_steps


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "after", "opening"),
    [
        ("every 15 minutes", "2026-03-02T12:00:00", "2026-03-02T12:15:00"),
        ("every 15 minutes", "2026-03-02T12:14:59", "2026-03-02T12:15:00"),
        ("every 1 minute", "2026-03-02T12:00:30", "2026-03-02T12:01:00"),
        ("0 2 * * *", "2026-03-02T02:00:00", "2026-03-03T02:00:00"),
        ("0 2 * * *", "2026-03-02T01:59:59", "2026-03-02T02:00:00"),
    ],
)
def test_a_scheduled_domain_opens_at_its_next_time(schedule: str, after: str, opening: str) -> None:
    assert next_opening(schedule, _at(after)) == _at(opening)


def test_a_realtime_domain_needs_no_time() -> None:
    assert next_opening("realtime", _at("2026-03-02T12:00:00")) is None


def test_every_delivered_entity_is_of_a_domain() -> None:
    assert set(DOMAIN_OF) >= DELIVERED_ENTITIES


def test_steps_go_by_priority_and_then_by_what_depends_on_what() -> None:
    names = [step.name for step in delivery_steps(500)]
    urgent = Policies(domains={Domain.ORDERS: DomainPolicy(priority=1)})
    first = list(delivery_steps(500, urgent))
    orders = [step.name for step in first if step.domain is Domain.ORDERS]
    assert [step.name for step in first] == orders + [name for name in names if name not in orders]
    assert all(step.batches_a_round for step in first if step.domain is not Domain.ORDERS)


def test_ages_are_counted_against_the_service_level() -> None:
    levels = ServiceLevels(Policies(domains={Domain.ORDERS: DomainPolicy(service_level_s=60)}))
    levels.note([("sales_order", 10.0), ("sales_order_line", 61.0), ("customer", 1000.0)])
    assert levels.as_dict() == {
        "orders": {"delivered": 2, "late": 1, "age_p50_s": 10.0, "age_p99_s": 61.0},
        "customers": {"delivered": 1, "late": 0, "age_p50_s": 1000.0, "age_p99_s": 1000.0},
    }


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([], 0.5, None), ([3.0], 0.99, 3.0), ([4.0, 1.0, 3.0, 2.0], 0.5, 2.0), (range(1, 101), 0.99, 99.0)],
)
def test_a_percentile_is_a_value_of_the_sample(values: list[float], share: float, expected: float | None) -> None:
    assert percentile(values, share) == expected
