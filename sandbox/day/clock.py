"""The day on which everything happens. No clock of the machine is read, so that two plays give the same rows.

It is a day in June on purpose: London is then an hour ahead of UTC, and a bridge that takes the portal's wall-clock time for
UTC is found out.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

OPENING = datetime(2026, 6, 1, 7, 0, tzinfo=UTC)
"""When the first order comes in: Monday, eight o'clock in London."""

CLOSING = OPENING + timedelta(hours=9)
"""The last order has come in; fulfilment goes on."""

EVENING = OPENING + timedelta(hours=13)
"""The late phase."""

_BRITISH_SUMMER_TIME = timedelta(hours=1)


def london(at: datetime) -> datetime:
    """The wall-clock time in London, without a zone, as the portal writes it."""
    return at.astimezone(UTC).replace(tzinfo=None) + _BRITISH_SUMMER_TIME
