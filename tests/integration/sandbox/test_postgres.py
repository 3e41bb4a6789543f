"""The embedded PostgreSQL: configured for capture, private, and gone at the end however its owner ends."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import psycopg
import pytest

from sandbox.postgres import EmbeddedPostgres, PostgresNotInstalledError, PostgresStartError
from sandbox.private_directory import sweep
from tests.fixtures.postgres import EVERY_POSTGRES, FreshDatabase

_OWNER = """
import sys, time
from sandbox.postgres import EmbeddedPostgres
server = EmbeddedPostgres()
server.open()
print(server.directory, server.pid, server._watchdog.pid, flush=True)
time.sleep(60)
"""


def test_the_server_is_ready_for_logical_replication(postgres: EmbeddedPostgres) -> None:
    with postgres.connect() as connection:
        settings: dict[str, str] = dict(connection.execute("SELECT name, setting FROM pg_settings").fetchall())
    assert settings["wal_level"] == "logical"
    assert int(settings["max_replication_slots"]) >= 32
    assert settings["listen_addresses"] == ""
    assert settings["server_version"].startswith("18")


def test_a_database_is_dropped_with_its_slot(database: FreshDatabase, postgres: EmbeddedPostgres) -> None:
    name = postgres.create_database("with_a_slot") and "with_a_slot"
    with postgres.connect(name) as connection:
        connection.execute("SELECT pg_create_logical_replication_slot('left_behind', 'pgoutput')")
    postgres.drop_database(name)
    with database.connect() as connection:
        assert connection.execute(
            "SELECT count(*) FROM pg_replication_slots WHERE database = %s", [name]
        ).fetchone() == (0,)


@EVERY_POSTGRES
def test_the_version_can_be_chosen(database: FreshDatabase, postgres_version: int) -> None:
    with database.connect() as connection:
        assert connection.info.server_version // 10_000 == postgres_version


def test_a_version_that_is_not_installed_says_how_it_is() -> None:
    with pytest.raises(PostgresNotInstalledError, match="apt install postgresql-9;"), EmbeddedPostgres(9):
        pass


def test_committed_rows_survive_a_crash_and_a_restart() -> None:
    with EmbeddedPostgres() as server:
        with server.connect() as connection:
            connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS id")
        server.crash()
        assert server.pid is None
        server.start()
        server.restart()
        with server.connect() as connection:
            assert connection.execute("SELECT count(*) FROM kept").fetchone() == (1000,)


def test_tcp_wants_the_password() -> None:
    with EmbeddedPostgres(tcp=True) as server:
        with server.connect(autocommit=True) as connection:
            connection.execute("CREATE ROLE reader LOGIN PASSWORD 'right'")
        with psycopg.connect(server.tcp_dsn("postgres", user="reader", password="right")) as connection:
            assert connection.execute("SELECT current_user").fetchone() == ("reader",)
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(server.tcp_dsn("postgres", user="reader", password="wrong"))


def test_settings_override_the_defaults_and_a_failed_start_shows_the_log() -> None:
    with EmbeddedPostgres(settings={"wal_level": "replica"}) as server, server.connect() as connection:
        assert connection.execute("SHOW wal_level").fetchone() == ("replica",)
    with (
        pytest.raises(PostgresStartError, match="no_such_setting"),
        EmbeddedPostgres(settings={"no_such_setting": "1"}),
    ):
        pass


def test_nothing_is_left_after_an_exception() -> None:
    server = EmbeddedPostgres()
    left: list[tuple[Path, int]] = []

    def fail() -> None:
        with server:
            left.append((server.directory, server.pid or 0))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    directory, pid = left[0]
    assert not directory.exists()
    assert not psutil.pid_exists(pid)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_is_left_of_a_killed_owner(number: signal.Signals) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", _OWNER], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]
    )
    with owner:
        assert owner.stdout is not None
        directory, pid, _ = owner.stdout.readline().split()
        owner.send_signal(number)
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline and (Path(directory).exists() or psutil.pid_exists(int(pid))):
        time.sleep(0.05)
    assert not Path(directory).exists()
    assert not psutil.pid_exists(int(pid))


def test_the_next_server_cleans_up_where_the_watchdog_was_killed_as_well() -> None:
    checkout = Path(__file__).parents[3]
    with subprocess.Popen([sys.executable, "-c", _OWNER], stdout=subprocess.PIPE, text=True, cwd=checkout) as owner:
        assert owner.stdout is not None
        directory, pid, watchdog = owner.stdout.readline().split()
        psutil.Process(int(watchdog)).kill()
        owner.kill()
    assert Path(directory).exists()
    assert psutil.pid_exists(int(pid))
    with EmbeddedPostgres():
        assert not Path(directory).exists()
        assert not psutil.pid_exists(int(pid))


def test_a_servers_directory_in_use_is_left_alone(postgres: EmbeddedPostgres) -> None:
    sweep()
    assert postgres.directory.exists()
    assert postgres.pid is not None
