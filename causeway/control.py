"""The control channel of a running lane: a Unix socket in the run folder, for commands that a running lane has to carry out.

One request a connection: one JSON line {"command": NAME, ...}. The answer is JSON lines too: any number of {"progress": ...}, then
{"result": ...} or {"error": {"kind", "message", "hint"}}. Only the lane's own user may connect (mode 0600).

Contract: the server holds the lane's lock, so that a socket file that it finds is a dead lane's. A handler runs in the
connection's own thread; what needs the destination or a reader goes through `causeway.turns`.
"""

from __future__ import annotations

import hashlib
import json
import os
import select
import socket
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loguru import logger

from config.errors import CausewayError, ErrorKind, in_our_words
from config.settings import Lane

Handler = Callable[["Request"], Any]

# sun_path of sockaddr_un holds 108 bytes on Linux, 104 elsewhere, with the zero behind the path.
_LONGEST_PATH_BYTES = 103
_LONGEST_REQUEST_BYTES = 1 << 20
_REQUEST_WITHIN_S = 5.0
_LOOK_S = 0.5


@dataclass(kw_only=True)
class Request:
    """One command on its way: what was asked with it, and the way back for its progress.

    `gone` is set once the client has hung up, or the lane is ending: the handler may stop.
    """

    arguments: Mapping[str, Any]
    gone: threading.Event
    _send: Callable[[dict[str, Any]], None]

    def progress(self, value: Any) -> None:
        """Tell the client how far the command is; `value` is JSON. A client that has gone is no error of the work."""
        try:
            self._send({"progress": value})
        except OSError:
            self.gone.set()

    def text(self, name: str) -> str:
        """Return an argument that must be text; CausewayError SETTINGS."""
        value = self.arguments.get(name)
        if not isinstance(value, str):
            raise CausewayError(ErrorKind.SETTINGS, f"The command lacks {name}, or it is not text.")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Return an argument that must be a list of texts, empty where it was not given; CausewayError SETTINGS."""
        value = self.arguments.get(name, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise CausewayError(ErrorKind.SETTINGS, f"The command's {name} is not a list of texts.")
        return tuple(value)


def socket_path(run_dir: Path, lane: Lane) -> Path:
    """Return where the lane's socket is known: RUN_DIR/LANE.sock, which may be a symbolic link to a shorter path."""
    return run_dir / f"{lane}.sock"


class ControlServer:
    """Serves a lane's commands while its context is entered; `handlers` by the command's name."""

    def __init__(self, run_dir: Path, lane: Lane, handlers: Mapping[str, Handler]) -> None:
        self._known = socket_path(run_dir.absolute(), lane)
        self._lane = lane
        self._handlers = handlers
        self._ended = threading.Event()
        self._bound = self._known
        self._socket: socket.socket | None = None

    def __enter__(self) -> ControlServer:
        try:
            self._socket = self._bind()
        except OSError as error:  # a lane without commands is worth more than none
            logger.warning("no commands for the {} lane: {} cannot be made: {}", self._lane, self._known, error)
            return self
        threading.Thread(target=self._serve, args=(self._socket,), name="control", daemon=True).start()
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._ended.set()
        if self._socket is not None:
            with suppress(OSError):  # wakes the thread that waits in accept
                self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()
            for path in {self._known, self._bound}:
                path.unlink(missing_ok=True)

    def _bind(self) -> socket.socket:
        self._known.unlink(missing_ok=True)
        if len(os.fsencode(self._known)) > _LONGEST_PATH_BYTES:
            self._bound = _short_path(self._known)
            self._bound.unlink(missing_ok=True)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            os.fchmod(listening.fileno(), 0o600)  # Linux gives the file the socket's mode: it is never open to others
            listening.bind(str(self._bound))
            self._bound.chmod(0o600)
            listening.listen(8)
            if self._bound != self._known:
                self._known.symlink_to(self._bound)
        except OSError:
            listening.close()
            raise
        return listening

    def _serve(self, listening: socket.socket) -> None:
        while not self._ended.is_set():
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), name="command", daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        """Read one request and answer it; whatever goes wrong is the client's to know, never the lane's end."""
        gone = threading.Event()
        with connection, suppress(OSError):
            try:
                asked = _read_request(connection)
                handler = self._handler(asked)
                watch = threading.Thread(target=self._watch, args=(connection, gone), name="client", daemon=True)
                watch.start()
                request = Request(arguments=asked, gone=gone, _send=lambda line: _send(connection, line))
                answer = {"result": handler(request)}
            except Exception as error:  # noqa: BLE001
                answer = {"error": _described(in_our_words(error))}
            _send(connection, answer)
            gone.set()

    def _handler(self, asked: Mapping[str, Any]) -> Handler:
        handler = self._handlers.get(str(asked.get("command")))
        if handler is None:
            known = ", ".join(sorted(self._handlers)) or "none"
            message = f"The {self._lane} lane knows no command {asked.get('command')}; it knows {known}."
            raise CausewayError(ErrorKind.SETTINGS, message, hint="Is the lane of the same version as the command?")
        return handler

    def _watch(self, connection: socket.socket, gone: threading.Event) -> None:
        """Notice that the client has hung up: nothing else is to come from it."""
        with suppress(OSError, ValueError):
            while not gone.is_set() and not self._ended.is_set():
                if select.select([connection], [], [], _LOOK_S)[0] and not connection.recv(1):
                    break
        gone.set()


def ask(
    run_dir: Path,
    lane: Lane,
    command: str,
    arguments: Mapping[str, Any] | None = None,
    *,
    progress: Callable[[Any], None] | None = None,
) -> Any:
    """Let a running lane carry out a command; return its result.

    CausewayError: what the lane answered, or CONNECTION where no lane listens or it ended before it answered.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(_connectable(socket_path(run_dir.absolute(), lane)))
            _send(connection, {**(arguments or {}), "command": command})
            return _await_result(connection, lane, progress)
    except OSError as error:
        raise CausewayError(
            ErrorKind.CONNECTION,
            f"The {lane} lane does not take commands: {error.strerror or error}.",
            hint=f"Is it running, under the same user? Its socket is {socket_path(run_dir, lane)}.",
            lane=lane,
        ) from error


def _await_result(connection: socket.socket, lane: Lane, progress: Callable[[Any], None] | None) -> Any:
    with connection.makefile("r", encoding="utf-8") as lines:
        for line in lines:
            answer = json.loads(line)
            if "progress" in answer and progress is not None:
                progress(answer["progress"])
            elif "result" in answer:
                return answer["result"]
            elif "error" in answer:
                told = answer["error"]
                raise CausewayError(ErrorKind(told["kind"]), told["message"], hint=told["hint"], lane=lane)
    raise CausewayError(
        ErrorKind.CONNECTION,
        f"The {lane} lane ended before it had answered.",
        hint="What it had made durable stands; give the command again once the lane runs.",
        lane=lane,
    )


def _connectable(path: Path) -> str:
    return str(path.readlink() if path.is_symlink() else path)


def _short_path(path: Path) -> Path:
    """Return a path for the socket itself where its known one is too long for an address."""
    folder = Path(tempfile.gettempdir()) / f"causeway-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError(f"{folder} is not this user's alone")
    return folder / f"{hashlib.sha256(os.fsencode(path)).hexdigest()[:32]}.sock"


def _read_request(connection: socket.socket) -> dict[str, Any]:
    connection.settimeout(_REQUEST_WITHIN_S)
    with connection.makefile("rb") as lines:
        line = lines.readline(_LONGEST_REQUEST_BYTES)
    try:
        asked = json.loads(line)
    except ValueError:
        asked = None
    if not isinstance(asked, dict):
        raise CausewayError(ErrorKind.SETTINGS, "A command is one line of JSON, an object.")
    return asked


def _send(connection: socket.socket, line: Mapping[str, Any]) -> None:
    connection.sendall(json.dumps(line, default=str).encode() + b"\n")


def _described(error: CausewayError) -> dict[str, str]:
    return {"kind": error.kind.value, "message": error.message, "hint": error.hint}
