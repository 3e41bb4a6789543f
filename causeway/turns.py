"""Work that other threads hand to a lane's applying thread, which does it between two batches.

Contract: destinations and readers belong to the applying thread. Whoever needs them from another thread (a command that came over
the control channel) passes a function to `between_batches` and gets its result; the lane's loop calls `drain` after every turn.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from config.errors import CausewayError, ErrorKind

T = TypeVar("T")


class Turns:
    """A queue of such work. `wake` is set when something is added."""

    def __init__(self, wake: threading.Event) -> None:
        self._wake = wake
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._ended = False

    def between_batches(self, work: Callable[[], T]) -> T:
        """Let the applying thread run `work`; return what it returned, raise what it raised.

        CausewayError CONNECTION where the lane ends before.
        """
        future: Future[T] = Future()
        with self._lock:
            if self._ended:
                raise _ended()
            self._waiting.append((work, future))
        self._wake.set()
        return future.result()

    def drain(self) -> bool:
        """Run, on the applying thread, what has been waiting at this moment; return whether there was anything."""
        with self._lock:
            due, self._waiting = self._waiting, deque()
        for work, future in due:
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001  the thread that waits is the one to raise it
                future.set_exception(error)
        return bool(due)

    def end(self) -> None:
        """Refuse what waits, and everything from now on: the lane is ending."""
        with self._lock:
            self._ended = True
            due, self._waiting = self._waiting, deque()
        for _, future in due:
            future.set_exception(_ended())


def _ended() -> CausewayError:
    return CausewayError(ErrorKind.CONNECTION, "the lane is ending.", hint="Ask again once it runs.")
