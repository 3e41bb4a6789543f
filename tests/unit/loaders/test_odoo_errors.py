"""Everything that a call of Odoo can raise has a kind, and Odoo's own words are kept."""

from __future__ import annotations

import inspect

import odoorpc.error
import pytest

from config.errors import ErrorKind
from loaders import http_connection
from loaders.http_connection import NotSentError, ReplyLostError, UnexpectedAnswerError
from loaders.odoo_errors import is_race, translate

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
