"""The circuit to Odoo: opened by failures in a row, closed by one small call that succeeds."""

from __future__ import annotations

import itertools

import pytest

from loaders.delivering.circuit import FAILURES_TO_OPEN, TRANSITIONS, Circuit, CircuitState, Event


def _state(circuit: Circuit) -> str:
    return circuit.state.value


def _opened() -> Circuit:
    circuit = Circuit(first_s=0.0, longest_s=0.0)
    for _ in range(FAILURES_TO_OPEN):
        circuit.failed()
    return circuit


def test_fewer_failures_than_it_takes_leave_it_closed() -> None:
    circuit = Circuit(first_s=0.0, longest_s=0.0)
    for _ in range(FAILURES_TO_OPEN - 1):
        circuit.failed()
    assert _state(circuit) == CircuitState.CLOSED
    assert not circuit.must_probe()
    circuit.succeeded()
    circuit.failed()
    assert _state(circuit) == CircuitState.CLOSED


def test_an_open_one_is_tried_with_one_call_and_closes_when_it_succeeds() -> None:
    circuit = _opened()
    assert _state(circuit) == CircuitState.OPEN
    assert circuit.must_probe()
    assert _state(circuit) == CircuitState.HALF_OPEN
    circuit.succeeded()
    assert _state(circuit) == CircuitState.CLOSED
    assert not circuit.must_probe()


def test_a_failed_try_opens_it_again() -> None:
    circuit = _opened()
    assert circuit.must_probe()
    circuit.failed()
    assert _state(circuit) == CircuitState.OPEN


def test_it_is_not_tried_before_the_wait_is_over() -> None:
    circuit = Circuit(first_s=100.0, longest_s=100.0)
    for _ in range(FAILURES_TO_OPEN):
        circuit.failed()
    assert circuit.remaining_s > 0
    assert not circuit.must_probe()
    assert _state(circuit) == CircuitState.OPEN


def test_what_cannot_happen_changes_nothing() -> None:
    for state, event in itertools.product(CircuitState, Event):
        if (state, event) not in TRANSITIONS:
            circuit = Circuit(first_s=0.0, longest_s=0.0)
            circuit.state = state
            with pytest.raises(RuntimeError):
                circuit._happens(event)
            assert _state(circuit) == state
