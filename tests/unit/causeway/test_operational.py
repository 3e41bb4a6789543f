"""Delivery that fails in a way that nobody foresaw ends a run that is to end, and not the lane that goes on."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any, cast

import pytest

from causeway.operational import OperationalLane
from config.errors import ErrorKind
from config.settings import DeliverySettings, Settings


class BrokenDeliverer:
    """Fails as a bug does, twice; then works until it is told to stop."""

    def __init__(self) -> None:
        self.attempts = 0
        self.closed = 0

    def run(self, stop: threading.Event) -> None:
        self.attempts += 1
        if self.attempts < 3:
            raise KeyError("a record's value")
        stop.set()

    def run_once(self, stop: threading.Event) -> Any:
        raise KeyError("a record's value")

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def lane(monkeypatch: pytest.MonkeyPatch) -> OperationalLane:
    quick = SimpleNamespace(delivery=DeliverySettings(retry_longest_s=0.001), feeding={}, confirming=None)
    made = OperationalLane(cast("Settings", quick), stop=threading.Event(), wake=threading.Event())
    monkeypatch.setattr(made, "_deliverer", BrokenDeliverer())
    return made


def test_a_lane_that_goes_on_tries_again(lane: OperationalLane) -> None:
    lane._deliver(threading.Event())
    assert cast("Any", lane._deliverer).attempts == 3
    assert cast("Any", lane._deliverer).closed == 2


def test_a_run_that_is_to_end_ends_with_the_bug(lane: OperationalLane) -> None:
    lane._deliver_or_give_up(threading.Event())
    assert lane._delivery_error is not None
    assert lane._delivery_error.kind is ErrorKind.INTERNAL
    assert "value" not in str(lane._delivery_error)
