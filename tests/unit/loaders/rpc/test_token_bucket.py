"""How many calls a second go to Odoo, by a clock that the test turns."""

from __future__ import annotations

import pytest

from loaders.odoo.rpc.token_bucket import TokenBucket


class Clock:
    """Time passes by sleeping, or by `passes`."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept_s = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept_s += seconds

    def passes(self, seconds: float) -> None:
        self.now += seconds


def bucket(clock: Clock, max_calls_s: float | None, burst: int = 1) -> TokenBucket:
    return TokenBucket(max_calls_s, burst, clock=clock, sleep=clock.sleep)


def take(one: TokenBucket, calls: int) -> None:
    for _ in range(calls):
        one.take()


def test_without_a_limit_nothing_waits() -> None:
    clock = Clock()
    take(bucket(clock, None), 5000)
    assert clock.slept_s == 0


def test_calls_go_no_faster_than_the_limit() -> None:
    clock = Clock()
    take(bucket(clock, 4.0), 41)
    assert clock.slept_s == pytest.approx(10.0)


def test_after_a_pause_a_burst_goes_at_once_and_no_more_than_that() -> None:
    clock = Clock()
    one = bucket(clock, 2.0, burst=5)
    take(one, 5)
    assert clock.slept_s == 0
    clock.passes(3600)
    take(one, 5)
    assert clock.slept_s == 0
    take(one, 1)
    assert clock.slept_s == pytest.approx(0.5)


def test_a_429_halves_the_rate_which_grows_back_to_the_limit_and_no_further() -> None:
    clock = Clock()
    one = bucket(clock, 8.0)
    one.throttled(None)
    assert one.calls_s == pytest.approx(4.0)
    one.throttled(None)
    assert one.calls_s == pytest.approx(2.0)
    clock.passes(30)
    take(one, 1)
    assert one.calls_s == pytest.approx(4.0)
    clock.passes(3600)
    take(one, 1)
    assert one.calls_s == 8.0


def test_a_429_where_nothing_was_limited_halves_the_rate_that_there_was_and_the_limit_goes_again() -> None:
    clock = Clock()
    one = bucket(clock, None)
    for _ in range(100):
        take(one, 1)
        clock.passes(0.05)
    one.throttled(None)
    assert one.calls_s == pytest.approx(5.0, rel=0.1)
    clock.passes(3600)
    take(one, 1)
    assert one.calls_s is None


def test_nothing_goes_before_the_time_that_odoo_asked_for() -> None:
    clock = Clock()
    one = bucket(clock, None)
    take(one, 1)
    one.throttled(7.0)
    take(one, 1)
    assert clock.slept_s >= 7.0


def test_the_rate_never_falls_to_a_standstill() -> None:
    clock = Clock()
    one = bucket(clock, 1.0)
    for _ in range(50):
        one.throttled(None)
    assert one.calls_s is not None
    assert one.calls_s >= 0.2
