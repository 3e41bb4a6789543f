"""The control channel: one request, progress, one answer, over real sockets; what becomes of it when either side goes away."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from causeway.control import ControlServer, Request, ask, socket_path
from causeway.turns import Turns
from config.errors import CausewayError, ErrorKind
from config.settings import Lane

LANE = Lane.ANALYTICAL


def count(request: Request) -> Any:
    for number in range(3):
        request.progress({"done": number})
    return {"of": request.text("table")}


def refuse(request: Request) -> Any:
    raise CausewayError(ErrorKind.SCHEMA, "the table has no key.", hint="Add one.")


def test_a_command_is_answered_with_its_progress_and_its_result(tmp_path: Path) -> None:
    seen: list[Any] = []
    with ControlServer(tmp_path, LANE, {"count": count}):
        assert ask(tmp_path, LANE, "count", {"table": "t"}, progress=seen.append) == {"of": "t"}
    assert seen == [{"done": 0}, {"done": 1}, {"done": 2}]


def test_an_error_arrives_with_its_kind_its_words_and_its_hint(tmp_path: Path) -> None:
    with ControlServer(tmp_path, LANE, {"refuse": refuse}), pytest.raises(CausewayError) as caught:
        ask(tmp_path, LANE, "refuse")
    assert (caught.value.kind, str(caught.value)) == (ErrorKind.SCHEMA, "the table has no key. Add one.")


def test_an_unknown_command_is_told_which_there_are(tmp_path: Path) -> None:
    with ControlServer(tmp_path, LANE, {"count": count}), pytest.raises(CausewayError, match="it knows count"):
        ask(tmp_path, LANE, "recount")


@pytest.mark.parametrize("line", [b"no json\n", b"[1]\n", b"\n", b"{"])
def test_what_is_no_request_is_answered_with_an_error_and_ends_nothing(tmp_path: Path, line: bytes) -> None:
    with ControlServer(tmp_path, LANE, {"count": count}):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(socket_path(tmp_path, LANE)))
            connection.sendall(line)
            connection.shutdown(socket.SHUT_WR)
            with connection.makefile() as answers:
                assert json.loads(answers.readline())["error"]["kind"] == "settings"
        assert ask(tmp_path, LANE, "count", {"table": "t"}) == {"of": "t"}


def test_a_missing_argument_is_named(tmp_path: Path) -> None:
    with ControlServer(tmp_path, LANE, {"count": count}), pytest.raises(CausewayError, match="lacks table"):
        ask(tmp_path, LANE, "count")


def test_only_the_lanes_own_user_may_connect(tmp_path: Path) -> None:
    with ControlServer(tmp_path, LANE, {}):
        assert stat.S_IMODE(socket_path(tmp_path, LANE).stat().st_mode) == 0o600


def test_a_run_folder_with_a_long_path_has_its_socket_elsewhere(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    with ControlServer(folder, LANE, {"count": count}):
        assert ask(folder, LANE, "count", {"table": "t"}) == {"of": "t"}
        real = socket_path(folder, LANE).readlink()
        assert stat.S_IMODE(real.stat().st_mode) == 0o600
        assert stat.S_IMODE(real.parent.stat().st_mode) == 0o700
    assert not real.exists()
    assert not socket_path(folder, LANE).is_symlink()


def test_a_socket_file_of_a_dead_lane_is_no_obstacle(tmp_path: Path) -> None:
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(socket_path(tmp_path, LANE)))
    stale.close()
    with pytest.raises(CausewayError) as caught:
        ask(tmp_path, LANE, "count", {"table": "t"})
    assert caught.value.kind is ErrorKind.CONNECTION
    with ControlServer(tmp_path, LANE, {"count": count}):
        assert ask(tmp_path, LANE, "count", {"table": "t"}) == {"of": "t"}


def test_where_no_lane_runs_the_command_says_so(tmp_path: Path) -> None:
    with pytest.raises(CausewayError, match="does not take commands") as caught:
        ask(tmp_path, LANE, "count")
    assert caught.value.kind is ErrorKind.CONNECTION


def test_both_lanes_of_a_run_folder_have_a_socket_each(tmp_path: Path) -> None:
    with (
        ControlServer(tmp_path, Lane.ANALYTICAL, {"who": lambda _: "analytical"}),
        ControlServer(tmp_path, Lane.OPERATIONAL, {"who": lambda _: "operational"}),
    ):
        assert [ask(tmp_path, lane, "who") for lane in Lane] == [lane.value for lane in Lane]


KILLED = """
import os, signal, sys
from pathlib import Path
from causeway.control import ControlServer
from config.settings import Lane
def die(request):
    request.progress("dying")
    os.kill(os.getpid(), signal.SIGKILL)
with ControlServer(Path(sys.argv[1]), Lane.ANALYTICAL, {"die": die}):
    print("ready", flush=True)
    sys.stdin.read()
"""


def test_a_lane_that_is_killed_at_work_leaves_an_error_and_not_a_wait(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as lane:
        assert lane.stdout is not None
        assert lane.stdout.readline() == "ready\n"
        seen: list[Any] = []
        with pytest.raises(CausewayError, match="ended before it had answered") as caught:
            ask(tmp_path, LANE, "die", progress=seen.append)
        assert (seen, caught.value.kind) == (["dying"], ErrorKind.CONNECTION)


def test_a_handler_learns_that_its_client_has_hung_up(tmp_path: Path) -> None:
    started, told = threading.Event(), threading.Event()

    def wait(request: Request) -> None:
        started.set()
        if request.gone.wait(30):
            told.set()

    with ControlServer(tmp_path, LANE, {"wait": wait}):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(socket_path(tmp_path, LANE)))
            connection.sendall(b'{"command": "wait"}\n')
            assert started.wait(30)
        assert told.wait(30)


def test_a_folder_that_cannot_be_written_costs_the_commands_and_not_the_lane(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    with ControlServer(missing, LANE, {}):
        assert not missing.exists()


def test_work_runs_on_the_applying_thread_and_its_error_reaches_who_asked() -> None:
    wake = threading.Event()
    turns = Turns(wake)
    found: list[Any] = []

    def asks() -> None:
        found.append(turns.between_batches(threading.get_ident))
        with pytest.raises(CausewayError, match="no key"):
            turns.between_batches(lambda: refuse(None))  # type: ignore[arg-type]
        found.append("raised")

    thread = threading.Thread(target=asks)
    thread.start()
    while thread.is_alive():
        if wake.wait(0.01):
            wake.clear()
            turns.drain()
    thread.join()
    assert found == [threading.get_ident(), "raised"]


def test_work_for_a_lane_that_ends_is_refused_and_never_waits() -> None:
    turns = Turns(threading.Event())
    refused: list[ErrorKind] = []

    def asks() -> None:
        with pytest.raises(CausewayError) as caught:
            turns.between_batches(os.getpid)
        refused.append(caught.value.kind)

    thread = threading.Thread(target=asks)
    thread.start()
    turns.end()
    thread.join(30)
    asks()
    assert refused == [ErrorKind.CONNECTION, ErrorKind.CONNECTION]
