"""What the receiving thread waits on: a server's socket, and a bell that other threads ring."""

from __future__ import annotations

import os
import select

_POLL_MS = 1000


class Doorbell:
    """A pipe beside the socket: `ring` from any thread ends a `wait`."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def ring(self) -> None:
        """End the present or next wait."""
        try:
            os.write(self._write, b"!")
        except BlockingIOError:
            return  # it rings already, thousands of times

    def wait(self, socket: int | None, timeout_s: float, *, write: bool = False) -> bool:
        """Wait until `socket` can be read (or written), the bell rings or the time is over; whether the socket is ready."""
        poll = select.poll()
        poll.register(self._read, select.POLLIN)
        if socket is not None:
            poll.register(socket, select.POLLIN | (select.POLLOUT if write else 0))
        ready = dict(poll.poll(max(timeout_s, 0) * _POLL_MS))
        if self._read in ready:
            self._silence()
        return socket is not None and socket in ready

    def close(self) -> None:
        """Close the pipe."""
        os.close(self._read)
        os.close(self._write)

    def _silence(self) -> None:
        try:
            while os.read(self._read, 4096):
                pass
        except BlockingIOError:
            return
