"""Failures on demand, for tests: what a hosted Odoo does on a bad day.

A test adds a `Fault` to the server's `faults`; the calls that match it get it, `times` times, in the order added.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["status", "html", "delay", "drop_reply", "refuse_connection", "serialization"]

SERIALIZATION_TEXT = "could not serialize access due to concurrent update\n"


@dataclass(kw_only=True)
class Fault:
    """One failure.

    kind: `status` answers `status` (429, 503, ...) with `Retry-After: retry_after_s` and does nothing; `html` answers
    200 with a page of a proxy; `delay` waits `delay_s`, or until `until` is set, then goes on; `drop_reply` does the work, commits, and closes
    the connection without an answer; `refuse_connection` closes it and does nothing; `serialization` lets load() answer
    success with `ids: false` and Postgres's words, as Odoo's does.
    model, method: which calls it is for; None is any.
    """

    kind: Kind
    times: int = 1
    status: int = 503
    retry_after_s: int | None = None
    delay_s: float = 0.0
    until: threading.Event = field(default_factory=threading.Event)
    model: str | None = None
    method: str | None = None

    def matches(self, model: str, method: str) -> bool:
        """This call is one of those it is for."""
        return self.model in (None, model) and self.method in (None, method)


@dataclass(kw_only=True)
class Faults:
    """The failures that wait to happen, and how many did, by kind. Safe to use while the server runs."""

    happened: dict[str, int] = field(default_factory=dict)
    _waiting: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, fault: Fault) -> None:
        """Let it happen to the next matching calls."""
        with self._lock:
            self._waiting.append(fault)

    def clear(self) -> None:
        """Nothing waits any more."""
        with self._lock:
            self._waiting.clear()

    def take(self, model: str, method: str) -> Fault | None:
        """The failure for this call, if any; counts it."""
        with self._lock:
            for fault in self._waiting:
                if fault.matches(model, method):
                    fault.times -= 1
                    if fault.times <= 0:
                        self._waiting.remove(fault)
                    self.happened[fault.kind] = self.happened.get(fault.kind, 0) + 1
                    return fault
        return None
