from __future__ import annotations

import psycopg
import psycopg.errors
import pytest

from cdc.driver_errors import _BY_CLASS, _BY_EXCEPTION, _BY_STATE, kind_of, translate, translate_connect
from config.errors import ErrorKind


def all_errors(base: type[psycopg.Error]) -> list[type[psycopg.Error]]:
    return [base, *[found for sub in base.__subclasses__() for found in all_errors(sub)]]


@pytest.mark.parametrize("error", sorted(set(all_errors(psycopg.Error)), key=repr))
def test_every_exception_of_the_driver_is_mapped(error: type[psycopg.Error]) -> None:
    """By its SQLSTATE's class where it has one, else by its own; psycopg.Error itself is never raised."""
    if error.sqlstate is not None:
        assert error.sqlstate in _BY_STATE or error.sqlstate[:2] in _BY_CLASS
    elif error is not psycopg.Error:
        assert issubclass(error, tuple(cls for cls, _ in _BY_EXCEPTION))
    assert isinstance(kind_of(error("words")), ErrorKind)


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ('FATAL:  password authentication failed for user "x"', ErrorKind.AUTHENTICATION),
        ("fe_sendauth: no password supplied", ErrorKind.AUTHENTICATION),
        ('FATAL:  role "x" does not exist', ErrorKind.AUTHENTICATION),
        ('FATAL:  no pg_hba.conf entry for host "10.0.0.1", user "x"', ErrorKind.AUTHENTICATION),
        ('FATAL:  database "x" does not exist', ErrorKind.SETTINGS),
        ("FATAL:  permission denied to start WAL sender", ErrorKind.PRIVILEGE),
        ("FATAL:  the database system is starting up", ErrorKind.CONNECTION),
        ("FATAL:  sorry, too many clients already", ErrorKind.CONNECTION),
        ("Connection refused", ErrorKind.CONNECTION),
        ("FATAL:  Passwort-Authentifizierung fehlgeschlagen", ErrorKind.CONNECTION),
    ],
)
def test_a_failed_connection_is_told_by_its_words(words: str, kind: ErrorKind) -> None:
    error = psycopg.OperationalError(f'connection failed: connection to server at "h", port 5 failed: {words}')
    found = translate_connect(error, "database x at h")
    assert found.kind is kind
    assert str(found).startswith("cannot connect to database x at h: ")
    assert "FATAL" not in str(found)
    assert found.hint


def test_slots_are_told_apart_where_the_state_is_the_same() -> None:
    missing = psycopg.errors.UndefinedObject('replication slot "s" does not exist')
    other = psycopg.errors.UndefinedObject('type "t" does not exist')
    lost = psycopg.errors.ObjectNotInPrerequisiteState('can no longer access replication slot "s"')
    assert [kind_of(error) for error in (missing, other, lost)] == [
        ErrorKind.SLOT_MISSING,
        ErrorKind.SCHEMA,
        ErrorKind.GAP,
    ]


def test_a_translation_names_what_was_done_and_its_objects() -> None:
    found = translate(psycopg.errors.ObjectInUse('replication slot "s" is active for PID 7'), "reading", slot="s")
    assert found.kind is ErrorKind.SLOT_IN_USE
    assert "PID 7" in str(found)
    assert found.objects == {"slot": "s"}
