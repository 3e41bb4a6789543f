"""How long the receiving thread keeps messages back, so that an idle lane gets few large batches of a stream in full flow."""

from __future__ import annotations

import pytest

from cdc.stream import due_at

WAIT_S = 0.02


def test_few_messages_are_handed_out_after_the_wait_though_more_come() -> None:
    assert due_at(3, since=100.0, heard_at=100.019, wait_s=WAIT_S) == pytest.approx(100.02)


def test_many_messages_wait_on_while_more_keep_coming() -> None:
    assert due_at(5000, since=100.0, heard_at=100.05, wait_s=WAIT_S) == pytest.approx(100.07)


def test_a_burst_that_is_over_is_handed_out_after_the_wait() -> None:
    assert due_at(5000, since=100.0, heard_at=100.001, wait_s=WAIT_S) == pytest.approx(100.021)


def test_a_stream_that_never_pauses_is_handed_out_after_five_waits() -> None:
    assert due_at(5000, since=100.0, heard_at=100.099, wait_s=WAIT_S) == pytest.approx(100.1)
