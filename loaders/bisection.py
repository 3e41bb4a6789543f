"""Actions on lists of records, where one bad member rolls the whole call back: halve the list until the bad ones are alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from config.errors import ErrorKind
from loaders.odoo_errors import OdooError


def each_or_refused(act: Callable[[list[int]], Any], ids: Sequence[int], at_once: int = 50) -> dict[int, str]:
    """Act on all ids, `at_once` a call; return Odoo's words for each that it refuses.

    An answer that is a dict opens a dialog for a person: nothing has happened (Odoo's actions do so), so it is a refusal.
    Raises OdooError for what is not one record's fault.
    """
    refused: dict[int, str] = {}
    waiting = [list(ids[start : start + at_once]) for start in range(0, len(ids), at_once)]
    while waiting:
        some = waiting.pop()
        words = _refusal(act, some)
        if words is not None and len(some) == 1:
            refused[some[0]] = words
        elif words is not None:
            waiting += [some[: len(some) // 2], some[len(some) // 2 :]]
    return refused


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
