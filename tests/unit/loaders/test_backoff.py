"""Waits double up to a longest wait, and a server's own wish is kept."""

from __future__ import annotations

from loaders.delivering.backoff import Backoff


def test_waits_grow_to_the_longest_and_end_with_success() -> None:
    backoff = Backoff(first_s=1.0, longest_s=8.0)
    waits = [backoff.failed() for _ in range(40)]
    assert 0.5 <= waits[0] <= 1.0
    assert all(wait <= 8.0 for wait in waits)
    assert waits[-1] >= 4.0
    assert backoff.remaining_s > 0
    backoff.succeeded()
    assert backoff.remaining_s == 0
    assert backoff.failed() <= 1.0


def test_a_server_that_names_a_wait_gets_it() -> None:
    assert Backoff(first_s=0.1, longest_s=1.0).failed(at_least_s=7.0) == 7.0
