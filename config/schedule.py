"""Cron expressions, as crontab(5) reads them: five fields, Sunday is 0 or 7, times in UTC."""

from __future__ import annotations

import re

from apscheduler.triggers.cron import CronTrigger

_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
# apscheduler counts weekdays from Monday; names mean the same to both. A number behind a slash is a step.
_WEEKDAY = re.compile(r"(?<![/\d])[0-7](?!\d)")


def cron_trigger(expression: str) -> CronTrigger:
    """Return apscheduler's trigger for a cron expression; ValueError where it is none."""
    *times, weekdays = expression.split() or [""]
    named = _WEEKDAY.sub(lambda found: _WEEKDAYS[int(found[0])], weekdays)
    return CronTrigger.from_crontab(" ".join([*times, named]), timezone="UTC")
