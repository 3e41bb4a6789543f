"""The one translation of what goes wrong with Odoo: OdooRPC's exceptions, the connection's, and load()'s messages.

Contract: a reply is data, so it is classified by what it says, not by the method that was called. Odoo's own words are kept:
they are what a dead letter shows. Source of the shapes: Odoo 18 odoo/http.py (serialize_exception), odoo/models.py (load).
"""

from __future__ import annotations

import re
from typing import Any

import odoorpc.error

from config.errors import CausewayError, ErrorKind
from loaders.http_connection import NotSentError, ReplyLostError, UnexpectedAnswerError

SESSION_EXPIRED = 100  # code of the JSON-RPC error where the web session is gone
_GATEWAY = frozenset({502, 503, 504})
_GATEWAY_TIMEOUT = 504
_THROTTLED = 429

_RACE = re.compile(
    r"could not serialize access|deadlock detected|could not obtain lock|canceling statement due to (lock|statement) timeout"
)
_OF_THE_DATABASE = ("psycopg2.OperationalError", "psycopg2.InterfaceError", "psycopg2.errors.")
_WRONG_CALL = ("builtins.AttributeError", "builtins.TypeError", "builtins.KeyError", "werkzeug.exceptions.")
_WRONG_FIELD = re.compile(r"Invalid field")


class OdooError(CausewayError):
    """A CausewayError of Odoo. `retry_after_s`: what a throttling server asked for; `session_expired`: log in again."""

    retry_after_s: float | None = None
    session_expired: bool = False


def is_race(text: str) -> bool:
    """Tell whether Odoo's words mean a lost race: load() catches it and answers with an ordinary message."""
    return _RACE.search(text) is not None


def translate(error: BaseException, url: str) -> OdooError:
    """Return the bridge's error for what OdooRPC or the connection raised. Unknown ones are INTERNAL, and stop the lane."""
    match error:
        case odoorpc.error.RPCError():
            return _from_reply(error)
        case NotSentError():
            return OdooError(
                ErrorKind.CONNECTION, f"Odoo at {url} does not answer: {error}.", hint="The lane tries again."
            )
        case ReplyLostError():
            return OdooError(
                ErrorKind.UNKNOWN_OUTCOME,
                f"Odoo's reply was lost: {error}.",
                hint="What became of the call is looked up before anything is sent again.",
            )
        case UnexpectedAnswerError():
            return _from_answer(error, url)
        case odoorpc.error.InternalError() | ValueError() | KeyError() | AttributeError():
            return _not_odoo(url, "its answer is not JSON-RPC")
    return OdooError(ErrorKind.INTERNAL, f"Calling Odoo failed in a way that nobody foresaw: {type(error).__name__}.")


def _from_answer(error: UnexpectedAnswerError, url: str) -> OdooError:
    if error.status == _THROTTLED:
        found = OdooError(
            ErrorKind.THROTTLED, "Odoo asks to slow down (HTTP 429).", hint="The lane waits and tries again."
        )
        found.retry_after_s = error.retry_after_s
        return found
    if error.status in _GATEWAY:
        kind = ErrorKind.UNKNOWN_OUTCOME if error.status == _GATEWAY_TIMEOUT else ErrorKind.CONNECTION
        found = OdooError(kind, f"What stands before Odoo answered HTTP {error.status}.", hint="The lane tries again.")
        found.retry_after_s = error.retry_after_s
        return found
    return _not_odoo(url, str(error))


def _not_odoo(url: str, what: str) -> OdooError:
    return OdooError(
        ErrorKind.CONNECTION,
        f"{url} does not answer as Odoo does ({what}).",
        hint="Check odoo.url: the base URL of Odoo, without /web or /odoo; or Odoo is starting or being updated.",
    )


def _from_reply(error: odoorpc.error.RPCError) -> OdooError:
    info: dict[str, Any] = error.info if isinstance(error.info, dict) else {}
    data: dict[str, Any] = info.get("data") or {}
    name = str(data.get("name", ""))
    words = str(data.get("message") or info.get("message") or error).strip()
    found = OdooError(_kind(info.get("code"), name, words), words)
    found.session_expired = info.get("code") == SESSION_EXPIRED
    found.hint = _HINTS.get(found.kind, "")
    return found


_HINTS = {
    ErrorKind.AUTHENTICATION: "Check odoo.user and odoo.password.",
    ErrorKind.SETTINGS: "Check odoo.database, and that the apps Sales and Inventory are installed there.",
    ErrorKind.TRANSIENT: "The lane tries again.",
}


def _kind(code: Any, name: str, words: str) -> ErrorKind:
    if code == SESSION_EXPIRED or is_race(words):
        return ErrorKind.TRANSIENT
    if name == "odoo.exceptions.AccessDenied":
        return ErrorKind.THROTTLED if words.startswith("Too many login failures") else ErrorKind.AUTHENTICATION
    if words.startswith("Database not found") or name.startswith(_WRONG_CALL) or _WRONG_FIELD.match(words):
        return ErrorKind.SETTINGS
    if name.startswith(_OF_THE_DATABASE):
        return ErrorKind.SETTINGS if "does not exist" in words else ErrorKind.TRANSIENT
    return ErrorKind.REFUSED
