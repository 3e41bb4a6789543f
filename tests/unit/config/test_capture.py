"""The readers of a lane share its memory."""

from __future__ import annotations

import pytest

from config.settings import SMALLEST_BATCH_BYTES, CaptureSettings


@pytest.mark.parametrize(
    ("readers", "share"), [(1, 8_000_000), (2, 8_000_000), (5, 3_200_000), (1_000, SMALLEST_BATCH_BYTES)]
)
def test_readers_get_no_more_together_than_two_of_them_alone(readers: int, share: int) -> None:
    assert CaptureSettings(batch_bytes=8_000_000).shared_by(readers).batch_bytes == share


def test_one_reader_keeps_its_settings() -> None:
    capture = CaptureSettings(batch_rows=7)
    assert capture.shared_by(1) == capture
