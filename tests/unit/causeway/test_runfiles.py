"""A run folder holds one lane of a kind at a time, and a status that is always whole."""

from __future__ import annotations

import fcntl
import threading
from pathlib import Path

import pytest

from causeway.runfiles import RunFolder
from config.errors import CausewayError, ErrorKind
from config.settings import Lane


def test_a_second_lane_of_a_kind_is_refused_and_the_first_named(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    assert not folder.is_running(Lane.ANALYTICAL)
    with folder.lock(Lane.ANALYTICAL):
        assert folder.is_running(Lane.ANALYTICAL)
        assert not folder.is_running(Lane.OPERATIONAL)
        with pytest.raises(CausewayError, match="already running as process") as caught:
            folder.lock(Lane.ANALYTICAL)
        assert caught.value.kind is ErrorKind.SLOT_IN_USE
    assert not folder.is_running(Lane.ANALYTICAL)
    folder.lock(Lane.ANALYTICAL).close()


def test_a_look_at_the_lock_does_not_keep_a_lane_from_starting(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.lock(Lane.ANALYTICAL).close()
    look = (tmp_path / "analytical.lock").open()
    fcntl.flock(look, fcntl.LOCK_SH)
    ended = threading.Timer(0.1, look.close)
    ended.start()
    folder.lock(Lane.ANALYTICAL).close()
    ended.join()


def test_a_folder_that_cannot_be_made_is_a_settings_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CausewayError, match="run_dir") as caught:
        RunFolder(tmp_path / "file" / "run").lock(Lane.ANALYTICAL)
    assert caught.value.kind is ErrorKind.SETTINGS


def test_status_is_read_back_and_a_lane_that_never_ran_has_none(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert folder.read_status(Lane.ANALYTICAL) is None
    folder.write_status(Lane.ANALYTICAL, {"pid": 1})
    assert folder.read_status(Lane.ANALYTICAL) == {"pid": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["analytical.json"]
