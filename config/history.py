"""How long the changes of a table are kept: `off`, `on` (for ever), or a retention such as `30 days`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator

_RETENTION = re.compile(r"([1-9]\d{0,5}) (hour|day|week)s?")


def _check_history(value: object) -> object:
    if isinstance(value, bool):  # YAML reads on and off as these
        return "on" if value else "off"
    if value in ("on", "off") or (isinstance(value, str) and _RETENTION.fullmatch(value)):
        return value
    raise ValueError("must be on, off, or a retention such as 12 hours, 30 days or 8 weeks")


History = Annotated[str, BeforeValidator(_check_history)]


def retention(history: str) -> timedelta | None:
    """Return how long changes are kept; None for ever."""
    found = _RETENTION.fullmatch(history)
    return None if found is None else timedelta(**{f"{found[2]}s": int(found[1])})
