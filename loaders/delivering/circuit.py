"""Whether Odoo is called at all: a circuit that opens after failures in a row, and is tried with one small call before it closes.

While it is open nothing is claimed and nothing is sent; the outbox grows, and what arrives is in order when Odoo is back.
`TRANSITIONS` is the whole machine; none of its states survives a restart: a new process begins with a closed circuit.
"""

from __future__ import annotations

from enum import StrEnum

from loaders.delivering.backoff import Backoff

FAILURES_TO_OPEN = 3  # one lost race or dropped connection says nothing of the server


class CircuitState(StrEnum):
    """closed: called. open: left alone until the wait is over. half_open: one small call tells (set by the deliverer)."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Event(StrEnum):
    """What the deliverer sees."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"  # so many times in a row
    WAITED = "waited"


TRANSITIONS: dict[tuple[CircuitState, Event], CircuitState] = {
    (CircuitState.CLOSED, Event.SUCCEEDED): CircuitState.CLOSED,
    (CircuitState.CLOSED, Event.FAILED): CircuitState.OPEN,
    (CircuitState.OPEN, Event.FAILED): CircuitState.OPEN,
    (CircuitState.OPEN, Event.WAITED): CircuitState.HALF_OPEN,
    (CircuitState.HALF_OPEN, Event.FAILED): CircuitState.OPEN,
    (CircuitState.HALF_OPEN, Event.SUCCEEDED): CircuitState.CLOSED,
}


class Circuit:
    """The circuit of one deliverer. `first_s`, `longest_s`: waits after failures, see Backoff."""

    def __init__(self, first_s: float, longest_s: float) -> None:
        self._backoff = Backoff(first_s, longest_s)
        self._failures = 0
        self.state = CircuitState.CLOSED

    @property
    def remaining_s(self) -> float:
        """Seconds until Odoo may be called again; 0 when it may."""
        return self._backoff.remaining_s

    def must_probe(self) -> bool:
        """Whether one small call has to succeed first; asked when the wait is over."""
        if self.state is CircuitState.OPEN and not self.remaining_s:
            self._happens(Event.WAITED)
        return self.state is CircuitState.HALF_OPEN

    def failed(self, at_least_s: float | None = None) -> float:
        """Note a failure and return the wait. `at_least_s`: what the server asked for."""
        self._failures += 1
        if self._failures >= FAILURES_TO_OPEN:
            self._happens(Event.FAILED)
        return self._backoff.failed(at_least_s)

    def succeeded(self) -> None:
        """Odoo has answered."""
        self._failures = 0
        self._backoff.succeeded()
        self._happens(Event.SUCCEEDED)

    def _happens(self, event: Event) -> None:
        after = TRANSITIONS.get((self.state, event))
        if after is None:
            raise RuntimeError(f"a circuit that is {self.state} cannot have {event}")
        self.state = after
