"""Cron expressions mean what crontab(5) says."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from config.schedule import cron_trigger

MONDAY = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "first"),
    [
        ("0 2 * * 0", "Sun 29 02:00"),
        ("0 2 * * 7", "Sun 29 02:00"),
        ("0 2 * * 1-5", "Tue 24 02:00"),
        ("30 13 * * mon", "Mon 23 13:30"),
        ("0 2 1 * *", "Tue 01 02:00"),
        ("*/10 * * * *", "Mon 23 12:00"),
    ],
)
def test_an_expression_names_its_next_moment(expression: str, first: str) -> None:
    assert cron_trigger(expression).get_next_fire_time(None, MONDAY).strftime("%a %d %H:%M") == first
