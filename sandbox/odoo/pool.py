"""A few connections to Postgres, handed out one to a call. Broken ones are thrown away, missing ones made."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import IsolationLevel

Connection = psycopg.Connection[tuple[Any, ...]]


class Pool:
    """At most `size` connections at a time; a call more waits for one."""

    def __init__(self, dsn: str, *, size: int = 8) -> None:
        self._dsn = dsn
        self._free: list[Connection] = []
        self._places = threading.BoundedSemaphore(size)
        self._lock = threading.Lock()

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection between transactions; what is left open when it comes back is rolled back."""
        with self._places:
            connection = self._take() or self._connect()
            try:
                yield connection
            finally:
                self._give_back(connection)

    def _take(self) -> Connection | None:
        with self._lock:
            return self._free.pop() if self._free else None

    def _connect(self) -> Connection:
        connection = psycopg.connect(self._dsn, application_name="odoo")
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        return connection

    def _give_back(self, connection: Connection) -> None:
        if not connection.closed:
            try:
                connection.rollback()
            except psycopg.Error:
                connection.close()
        if not connection.closed:
            with self._lock:
                self._free.append(connection)

    def close(self) -> None:
        """Close what is free."""
        with self._lock:
            for connection in self._free:
                connection.close()
            self._free.clear()
