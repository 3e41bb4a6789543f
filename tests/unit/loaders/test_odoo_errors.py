"""Everything that a call of Odoo can raise has a kind, and Odoo's own words are kept."""

from __future__ import annotations

import inspect

import odoorpc.error
import psycopg.errors
import pytest

from config.errors import ErrorKind
from loaders.odoo import http_connection
from loaders.odoo.http_connection import NotSentError, ReplyLostError, UnexpectedAnswerError
from loaders.odoo.odoo_errors import is_race, kind_of, translate

URL = "http://odoo.example"


def reply(name: str, message: str, code: int = 200) -> odoorpc.error.RPCError:
    """An error as Odoo's http.py serialises it."""
    return odoorpc.error.RPCError(
        message, {"code": code, "message": "Odoo Server Error", "data": {"name": name, "message": message}}
    )


REPLIES = [
    ("odoo.exceptions.UserError", "You cannot cancel a locked order.", ErrorKind.REFUSED),
    ("odoo.exceptions.ValidationError", "Contacts require a name", ErrorKind.REFUSED),
    ("odoo.exceptions.AccessError", "You are not allowed to create 'Sales Order' records.", ErrorKind.REFUSED),
    ("odoo.exceptions.MissingError", "Record does not exist or has been deleted.", ErrorKind.REFUSED),
    ("odoo.exceptions.AccessError", "Database not found.", ErrorKind.SETTINGS),
    ("odoo.exceptions.AccessDenied", "Access Denied", ErrorKind.AUTHENTICATION),
    ("odoo.exceptions.AccessDenied", "Too many login failures, please wait a bit", ErrorKind.THROTTLED),
    (
        "psycopg2.errors.SerializationFailure",
        "could not serialize access due to concurrent update",
        ErrorKind.TRANSIENT,
    ),
    ("psycopg2.errors.DeadlockDetected", "deadlock detected", ErrorKind.TRANSIENT),
    ("psycopg2.OperationalError", "server closed the connection", ErrorKind.TRANSIENT),
    ("psycopg2.OperationalError", 'FATAL: database "nodb" does not exist', ErrorKind.SETTINGS),
    ("builtins.AttributeError", "The method 'sale.order.nope' does not exist", ErrorKind.SETTINGS),
    ("builtins.ValueError", "Invalid field 'nofield' on model 'res.partner'", ErrorKind.SETTINGS),
    ("builtins.ValueError", "Expected singleton: sale.order(22, 23)", ErrorKind.REFUSED),
    ("werkzeug.exceptions.NotFound", "404 Not Found", ErrorKind.SETTINGS),
    ("werkzeug.exceptions.Unauthorized", "Invalid apikey", ErrorKind.AUTHENTICATION),
    ("werkzeug.exceptions.TooManyRequests", "slow down", ErrorKind.THROTTLED),
    ("werkzeug.exceptions.ServiceUnavailable", "starting", ErrorKind.CONNECTION),
    ("werkzeug.exceptions.UnprocessableEntity", "missing a required argument: 'vals'", ErrorKind.SETTINGS),
]


@pytest.mark.parametrize(("name", "words", "kind"), REPLIES)
def test_a_reply_is_classified_by_what_it_says_and_keeps_odoos_words(name: str, words: str, kind: ErrorKind) -> None:
    found = translate(reply(name, words), URL)
    assert found.kind is kind
    assert found.message == words


def test_an_expired_session_is_told_apart() -> None:
    found = translate(reply("odoo.http.SessionExpiredException", "Session expired", code=100), URL)
    assert found.session_expired
    assert found.kind is ErrorKind.TRANSIENT


# The classes of odoo/exceptions.py and odoo/http.py, 16 to 19; LockError and ConcurrencyError are 19's.
EXCEPTIONS = {
    "odoo.exceptions.UserError": ErrorKind.REFUSED,
    "odoo.exceptions.RedirectWarning": ErrorKind.REFUSED,
    "odoo.exceptions.AccessDenied": ErrorKind.AUTHENTICATION,
    "odoo.exceptions.AccessError": ErrorKind.REFUSED,
    "odoo.exceptions.CacheMiss": ErrorKind.REFUSED,
    "odoo.exceptions.MissingError": ErrorKind.REFUSED,
    "odoo.exceptions.ValidationError": ErrorKind.REFUSED,
    "odoo.exceptions.LockError": ErrorKind.TRANSIENT,
    "odoo.exceptions.ConcurrencyError": ErrorKind.TRANSIENT,
    "odoo.http.SessionExpiredException": ErrorKind.TRANSIENT,
}


@pytest.mark.parametrize(("name", "kind"), EXCEPTIONS.items())
def test_every_exception_class_of_odoo_has_a_kind(name: str, kind: ErrorKind) -> None:
    assert kind_of(name, "words") is kind


MAY_PASS = ("08", "25", "40", "53", "55", "57", "58", "72", "F0", "XX")
OF_THE_SETUP = ("28", "3D", "3F")
NAMES_OF_THE_SETUP = {
    "InsufficientPrivilege",
    "UndefinedTable",
    "UndefinedColumn",
    "UndefinedObject",
    "UndefinedFunction",
}


def postgres_errors() -> list[tuple[str, str]]:
    """Name and SQLSTATE of every error of Postgres: psycopg has psycopg2's classes."""
    found = inspect.getmembers(psycopg.errors, inspect.isclass)
    codes = [(name, getattr(one, "sqlstate", None)) for name, one in found]
    return [(name, code) for name, code in codes if isinstance(code, str)]


def test_every_error_of_postgres_that_odoo_passes_on_has_a_kind_by_its_sqlstate() -> None:
    for name, sqlstate in postgres_errors():
        expected = ErrorKind.REFUSED
        if sqlstate.startswith(MAY_PASS):
            expected = ErrorKind.TRANSIENT
        elif sqlstate.startswith(OF_THE_SETUP) or name in NAMES_OF_THE_SETUP:
            expected = ErrorKind.SETTINGS
        assert kind_of(f"psycopg2.errors.{name}", "words") is expected, name


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("OperationalError", ErrorKind.TRANSIENT),
        ("InterfaceError", ErrorKind.TRANSIENT),
        ("InternalError", ErrorKind.TRANSIENT),
        ("DatabaseError", ErrorKind.TRANSIENT),
        ("IntegrityError", ErrorKind.REFUSED),
        ("DataError", ErrorKind.REFUSED),
        ("ProgrammingError", ErrorKind.REFUSED),
        ("NotSupportedError", ErrorKind.REFUSED),
    ],
)
def test_the_drivers_base_classes_have_a_kind(name: str, kind: ErrorKind) -> None:
    assert kind_of(f"psycopg2.{name}", "words") is kind


@pytest.mark.parametrize(
    "lost",
    [ReplyLostError("timed out"), UnexpectedAnswerError(504, "text/html", None)],
    ids=["lost", "gateway timeout"],
)
def test_a_lost_reply_leaves_nothing_unknown_where_nothing_was_to_be_changed(lost: Exception) -> None:
    changing, reading = translate(lost, URL), translate(lost, URL, reading=True)
    assert changing.kind is ErrorKind.UNKNOWN_OUTCOME
    assert reading.kind is ErrorKind.TRANSIENT
    assert not reading.at_once


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, ErrorKind.CONNECTION),
        (303, ErrorKind.CONNECTION),
        (404, ErrorKind.CONNECTION),
        (429, ErrorKind.THROTTLED),
        (502, ErrorKind.CONNECTION),
        (503, ErrorKind.CONNECTION),
        (504, ErrorKind.UNKNOWN_OUTCOME),
    ],
)
def test_an_answer_that_is_not_odoos_says_so(status: int, kind: ErrorKind) -> None:
    found = translate(UnexpectedAnswerError(status, "text/html", 3.0), URL)
    assert found.kind is kind
    if status in (200, 303, 404):
        assert "does not answer as Odoo does" in found.message
        assert "odoo.url" in found.hint
    else:
        assert found.retry_after_s == 3.0


def drivers_exceptions() -> list[type[BaseException]]:
    own = [
        one
        for _, one in inspect.getmembers(http_connection, inspect.isclass)
        if one.__module__ == http_connection.__name__
    ]
    odoo = [one for _, one in inspect.getmembers(odoorpc.error, inspect.isclass)]
    return [one for one in (*own, *odoo) if issubclass(one, Exception) and one is not odoorpc.error.Error]


def test_every_exception_of_the_driver_has_a_kind() -> None:
    examples: dict[type[BaseException], BaseException] = {
        NotSentError: NotSentError("refused"),
        ReplyLostError: ReplyLostError("reset"),
        UnexpectedAnswerError: UnexpectedAnswerError(200, "text/html", None),
        odoorpc.error.RPCError: reply("odoo.exceptions.UserError", "no"),
        odoorpc.error.InternalError: odoorpc.error.InternalError("wrong protocol"),
    }
    assert set(drivers_exceptions()) == set(examples)
    for example in examples.values():
        assert translate(example, URL).kind is not ErrorKind.INTERNAL


def test_what_nobody_foresaw_is_internal_and_stops_the_lane() -> None:
    assert translate(ZeroDivisionError(), URL).kind is ErrorKind.INTERNAL


@pytest.mark.parametrize("error", [ValueError("Expecting value"), KeyError("result"), AttributeError("get")])
def test_an_answer_that_odoorpc_cannot_read_is_not_odoos(error: Exception) -> None:
    assert translate(error, URL).kind is ErrorKind.CONNECTION


def test_a_lost_race_is_known_by_its_words() -> None:
    assert is_race("could not serialize access due to concurrent update\n")
    assert not is_race("Contacts require a name")
