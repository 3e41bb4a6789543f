"""Actions on lists of records, where one bad member rolls the whole call back: halve the list until the bad ones are alone.

How many records a call takes follows from how long the last one took: fifty orders of three lines are confirmed in two seconds by an
idle Odoo, of thirty lines by a busy one in minutes, and a call that outlasts `odoo.timeout_s` is lost.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from config.errors import ErrorKind
from loaders.odoo.odoo_errors import OdooError

_FIRST = 10
_WANTED_S = 10.0
_GROWTH = 5.0


def each_or_refused(
    act: Callable[[list[int]], Any],
    ids: Sequence[int],
    at_once: int = 50,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> dict[int, str]:
    """Act on all ids, at most `at_once` a call; return Odoo's words for each that it refuses.

    An answer that is a dict opens a dialog for a person: nothing has happened (Odoo's actions do so), so it is a refusal.
    Raises OdooError for what is not one record's fault.
    """
    refused: dict[int, str] = {}
    left, size = list(ids), min(at_once, _FIRST)
    while left:
        some, left = left[:size], left[size:]
        began = clock()
        refused |= _bisected(act, some)
        size = _next_size(len(some), clock() - began, at_once)
    return refused


def _bisected(act: Callable[[list[int]], Any], ids: list[int]) -> dict[int, str]:
    refused: dict[int, str] = {}
    waiting = [ids]
    while waiting:
        some = waiting.pop()
        words = _refusal(act, some)
        if words is not None and len(some) == 1:
            refused[some[0]] = words
        elif words is not None:
            waiting += [some[: len(some) // 2], some[len(some) // 2 :]]
    return refused


def _next_size(records: int, took_s: float, at_once: int) -> int:
    """Return how many records the next call takes, so that it takes about _WANTED_S."""
    return max(1, min(at_once, int(records * min(_GROWTH, _WANTED_S / max(took_s, 0.001)))))


def _refusal(act: Callable[[list[int]], Any], ids: list[int]) -> str | None:
    try:
        answer = act(ids)
    except OdooError as error:
        if error.kind is not ErrorKind.REFUSED:
            raise
        return error.message
    if isinstance(answer, dict):
        return f"Odoo asks a person first: {answer.get('name') or answer.get('res_model')}"
    return None
