"""psycopg's exceptions leave the state database's module as the bridge's errors, without row values."""

from __future__ import annotations

import psycopg
import pytest

from config.errors import CausewayError, ErrorKind
from config.settings import Connection, StateSettings
from loaders.state import connect, translate, translated


def every_exception() -> list[type[psycopg.Error]]:
    found: list[type[psycopg.Error]] = []
    waiting: list[type[psycopg.Error]] = [psycopg.Error]
    while waiting:
        one = waiting.pop()
        found.append(one)
        waiting += one.__subclasses__()
    return found


def test_every_exception_of_psycopg_has_a_kind_and_a_hint() -> None:
    for family in every_exception():
        error = translate(family("no"), "testing")
        assert error.kind is not ErrorKind.INTERNAL
        assert error.hint


@pytest.mark.parametrize(
    ("family", "kind"),
    [
        (psycopg.errors.InvalidPassword, ErrorKind.AUTHENTICATION),
        (psycopg.errors.InsufficientPrivilege, ErrorKind.PRIVILEGE),
        (psycopg.errors.DeadlockDetected, ErrorKind.TRANSIENT),
        (psycopg.errors.AdminShutdown, ErrorKind.CONNECTION),
        (psycopg.errors.UndefinedTable, ErrorKind.STATE),
        (psycopg.errors.DiskFull, ErrorKind.STATE),
        (psycopg.InterfaceError, ErrorKind.CONNECTION),
    ],
)
def test_the_kind_says_what_can_be_done(family: type[psycopg.Error], kind: ErrorKind) -> None:
    assert translate(family("no"), "testing").kind is kind


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ('FATAL:  password authentication failed for user "joe"', ErrorKind.AUTHENTICATION),
        ('FATAL:  role "joe" does not exist', ErrorKind.AUTHENTICATION),
        ('FATAL:  database "nodb" does not exist', ErrorKind.SETTINGS),
        ("Connection refused", ErrorKind.CONNECTION),
    ],
)
def test_a_connection_that_fails_is_told_by_the_servers_words(words: str, kind: ErrorKind) -> None:
    error = psycopg.OperationalError(f'connection failed: connection to server at "h", port 5432 failed: {words}')
    found = translate(error, "connecting")
    assert found.kind is kind
    assert found.message == f"The state database failed while connecting: {words.removeprefix('FATAL:').strip()}."


def test_the_message_says_what_was_being_done() -> None:
    with pytest.raises(CausewayError, match="while counting: gone") as caught, translated("counting"):
        raise psycopg.OperationalError("gone\nDETAIL: a row's values")
    assert "DETAIL" not in str(caught.value)


def test_a_server_that_is_not_there_is_a_connection_error() -> None:
    settings = StateSettings(connection=Connection(dsn="host=/nowhere dbname=x", connect_timeout_s=1))
    with pytest.raises(CausewayError) as caught:
        connect(settings)
    assert caught.value.kind is ErrorKind.CONNECTION
