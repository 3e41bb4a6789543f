"""The one translation of what goes wrong with Odoo: OdooRPC's exceptions, the connection's, and load()'s messages.

Contract: a reply is data, so it is classified by what it says, not by the method that was called. Odoo's own words are kept:
they are what a dead letter shows. Source of the shapes: Odoo 18 odoo/http.py (serialize_exception), odoo/models.py (load).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import odoorpc.error
import psycopg.errors

from config.errors import CausewayError, ErrorKind
from loaders.odoo.access import denied
from loaders.odoo.http_connection import NotSentError, ReplyLostError, UnexpectedAnswerError

SESSION_EXPIRED = 100  # code of the JSON-RPC error where the web session is gone
_GATEWAY = frozenset({502, 503, 504})
_GATEWAY_TIMEOUT = 504
_THROTTLED = 429

_RACE = re.compile(
    r"could not serialize access|deadlock detected|could not obtain lock|canceling statement due to (lock|statement) timeout"
)


class Rule(NamedTuple):
    """Replies whose exception's dotted name and words begin like this (both are regular expressions) are of this kind."""

    name: str
    words: str
    kind: ErrorKind


# The first rule that fits decides; then, for an error of Postgres, its SQLSTATE. What is left is one record's fault, and REFUSED:
# validation, access, a missing record, and what Odoo's own code or a customer's module makes of a record.
RULES = (
    Rule(r"odoo\.http\.SessionExpiredException", "", ErrorKind.TRANSIENT),
    Rule(r"odoo\.exceptions\.(LockError|ConcurrencyError)", "", ErrorKind.TRANSIENT),
    Rule(r"odoo\.exceptions\.AccessDenied", "Too many login failures", ErrorKind.THROTTLED),
    Rule(r"odoo\.exceptions\.AccessDenied", "", ErrorKind.AUTHENTICATION),
    Rule(r"werkzeug\.exceptions\.Unauthorized", "", ErrorKind.AUTHENTICATION),
    Rule(r"werkzeug\.exceptions\.TooManyRequests", "", ErrorKind.THROTTLED),
    Rule(r"werkzeug\.exceptions\.(BadGateway|ServiceUnavailable)", "", ErrorKind.CONNECTION),
    Rule(r"werkzeug\.exceptions\.", "", ErrorKind.SETTINGS),
    Rule(r"builtins\.(AttributeError|TypeError|KeyError)", "", ErrorKind.SETTINGS),
    Rule("", r"Database not found|Invalid field", ErrorKind.SETTINGS),
    Rule(r"psycopg2\.OperationalError", r"(?s:.*)does not exist", ErrorKind.SETTINGS),
    Rule(r"psycopg2\.(OperationalError|InterfaceError|InternalError|DatabaseError)", "", ErrorKind.TRANSIENT),
)


# By the longest beginning of the SQLSTATE. Connections, read-only standbys, serialization, resources, locks, shutdown, the system:
_BY_SQLSTATE = dict.fromkeys(("08", "25", "40", "53", "55", "57", "58", "72", "F0", "XX"), ErrorKind.TRANSIENT)
# Who Odoo is to Postgres, and tables, columns and functions that are not there: a module is missing or being updated.
_BY_SQLSTATE |= dict.fromkeys(("28", "3D", "3F", "42501", "42P01", "42703", "42704", "42883"), ErrorKind.SETTINGS)


class OdooError(CausewayError):
    """A CausewayError of Odoo.

    `retry_after_s`: what a throttling server asked for; `session_expired`: log in again; `at_once`: a call that failed in a way that
    may pass can be sent again right away.
    """

    retry_after_s: float | None = None
    session_expired: bool = False
    at_once: bool = True


def is_race(text: str) -> bool:
    """Tell whether Odoo's words mean a lost race: load() catches it and answers with an ordinary message."""
    return _RACE.search(text) is not None


def translate(error: BaseException, url: str, *, reading: bool = False) -> OdooError:
    """Return the bridge's error for what OdooRPC or the connection raised. Unknown ones are INTERNAL, and stop the lane.

    `reading`: the call changes nothing, so that a lost reply leaves nothing unknown.
    """
    match error:
        case odoorpc.error.RPCError():
            return _from_rpc(error)
        case NotSentError():
            return OdooError(
                ErrorKind.CONNECTION, f"Odoo at {url} does not answer: {error}.", hint="The lane tries again."
            )
        case ReplyLostError():
            return _lost(f"Odoo's reply was lost: {error}.", reading=reading)
        case UnexpectedAnswerError():
            return _from_answer(error, url, reading=reading)
        case odoorpc.error.InternalError() | ValueError() | KeyError() | AttributeError():
            return _not_odoo(url, "its answer is not JSON-RPC")
    return OdooError(ErrorKind.INTERNAL, f"Calling Odoo failed in a way that nobody foresaw: {type(error).__name__}.")


def _lost(message: str, *, reading: bool) -> OdooError:
    if not reading:
        hint = "What became of the call is looked up before anything is sent again."
        return OdooError(ErrorKind.UNKNOWN_OUTCOME, message, hint=hint)
    found = OdooError(ErrorKind.TRANSIENT, message, hint="Nothing was to be changed: the lane asks again.")
    found.at_once = False
    return found


def _from_answer(error: UnexpectedAnswerError, url: str, *, reading: bool) -> OdooError:
    if error.status == _THROTTLED:
        found = OdooError(
            ErrorKind.THROTTLED, "Odoo asks to slow down (HTTP 429).", hint="The lane waits and tries again."
        )
    elif error.status == _GATEWAY_TIMEOUT:
        found = _lost("What stands before Odoo answered HTTP 504.", reading=reading)
    elif error.status in _GATEWAY:
        message = f"What stands before Odoo answered HTTP {error.status}."
        found = OdooError(ErrorKind.CONNECTION, message, hint="The lane tries again.")
    else:
        return _not_odoo(url, str(error))
    found.retry_after_s = error.retry_after_s
    return found


def _not_odoo(url: str, what: str) -> OdooError:
    return OdooError(
        ErrorKind.CONNECTION,
        f"{url} does not answer as Odoo does ({what}).",
        hint="Check odoo.url: the base URL of Odoo, without /web or /odoo; or Odoo is starting or being updated.",
    )


def _from_rpc(error: odoorpc.error.RPCError) -> OdooError:
    info: dict[str, Any] = error.info if isinstance(error.info, dict) else {}
    data: dict[str, Any] = dict(info.get("data") or {})
    data["message"] = data.get("message") or info.get("message") or str(error)
    found = from_reply(data)
    if info.get("code") == SESSION_EXPIRED:
        found.kind, found.session_expired = ErrorKind.TRANSIENT, True
    return found


def from_reply(data: Mapping[str, Any]) -> OdooError:
    """Return the error that Odoo tells of by `name`, `message` (http.py, serialize_exception); it is the same over both protocols.

    An access error names `model` and `operation` among its objects, and the hint the groups that may.
    """
    name, words = str(data.get("name", "")), str(data.get("message") or "").strip()
    kind = kind_of(name, words)
    right = denied(words) if name == "odoo.exceptions.AccessError" else None
    if right is not None:
        return OdooError(kind, words, hint=right.suggestion, model=right.model, operation=right.operation)
    return OdooError(kind, words, hint=_HINTS.get(kind, ""))


_HINTS = {
    ErrorKind.AUTHENTICATION: "Check odoo.user and odoo.password, or odoo.api_key.",
    ErrorKind.SETTINGS: "Check odoo.database, and that the apps Sales and Inventory are installed there.",
    ErrorKind.TRANSIENT: "The lane tries again.",
}


def kind_of(name: str, words: str) -> ErrorKind:
    """Return the kind of an error that Odoo answers with, by its exception's dotted name and its words."""
    if is_race(words):
        return ErrorKind.TRANSIENT
    for rule in RULES:
        if re.match(rule.name, name) and re.match(rule.words, words):
            return rule.kind
    sqlstate = _sqlstate(name)
    return _BY_SQLSTATE.get(sqlstate) or _BY_SQLSTATE.get(sqlstate[:2]) or ErrorKind.REFUSED


def _sqlstate(name: str) -> str:
    """Return the SQLSTATE of an error that bears psycopg2's name, e.g. ``psycopg2.errors.DiskFull``: psycopg has the same classes."""
    module, _, short = name.rpartition(".")
    found = getattr(getattr(psycopg.errors, short, None), "sqlstate", None) if module == "psycopg2.errors" else None
    return found if isinstance(found, str) else ""
