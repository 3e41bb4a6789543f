"""What a lane says of itself is true, and it says it for as long as it lives."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any, cast

import pytest

from causeway import process
from causeway.lane import SourceProgress
from cdc.lsn import Lsn
from config.errors import CausewayError, ErrorKind


class Folder:
    """A run folder on a disk that is full at first."""

    def __init__(self) -> None:
        self.said: list[dict[str, Any]] = []
        self.attempts = 0

    def write_status(self, _lane: object, said: dict[str, Any]) -> None:
        self.attempts += 1
        if self.attempts < 3:
            raise OSError("no space left")
        self.said.append(said)


@pytest.fixture
def lane() -> Any:
    progress = {"away": SourceProgress(), "shop": SourceProgress(durable=Lsn(10), server_end=Lsn(20))}
    loop = SimpleNamespace(progress=progress, copying=list)
    return SimpleNamespace(lane="analytical", loop=loop, progress=progress, status=dict)


def wait_until(done: Any) -> None:
    deadline = time.monotonic() + 10
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_lag_is_to_where_the_servers_log_ends(lane: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def ends(sources: dict[str, Any]) -> dict[str, Lsn]:
        if "away" in sources:
            raise CausewayError(ErrorKind.CONNECTION, "gone")
        return dict.fromkeys(sources, Lsn(5000))

    monkeypatch.setattr(process, "current_ends", ends)
    monkeypatch.setattr(process, "ENDS_INTERVAL_S", 0.01)
    with process._server_ends(cast("Any", {"away": None, "shop": None}), lane):
        wait_until(lambda: lane.loop.progress["shop"].lag_bytes == 4990)


def test_a_full_disk_does_not_end_the_status(lane: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "STATUS_INTERVAL_S", 0.01)
    lane.lane = SimpleNamespace(value="analytical")
    folder = Folder()
    with process._Status(cast("Any", folder), lane, threading.Event(), threading.Event()):
        wait_until(lambda: len(folder.said) > 1)
    assert [folder.said[0]["state"], folder.said[-1]["state"]] == ["running", "stopped"]


def test_a_bugs_words_do_not_go_into_the_status(lane: Any) -> None:
    lane.lane = SimpleNamespace(value="analytical")
    folder = Folder()
    folder.attempts = 2
    with (
        pytest.raises(ValueError, match="4111"),
        process._Status(cast("Any", folder), lane, threading.Event(), threading.Event()),
    ):
        int("4111 1111 1111 1111")
    assert folder.said[-1]["state"] == "failed"
    assert folder.said[-1]["error"].startswith("a bug: ValueError")
    assert "4111" not in folder.said[-1]["error"]
