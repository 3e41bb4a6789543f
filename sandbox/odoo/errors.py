"""The errors that a caller of Odoo sees, by Odoo's own names, and the shape in which JSON-RPC carries them.

Raised anywhere below a call; `dispatch` turns them into the `error` member of the answer. `name` is the dotted Python
name that Odoo sends: clients tell errors apart by it.
"""

from __future__ import annotations

import traceback
from typing import Any, ClassVar


class OdooError(Exception):
    """Base of the errors that carry a text for the user. `name` is what arrives as `error.data.name`."""

    name: ClassVar[str] = "odoo.exceptions.UserError"


class UserError(OdooError):
    """The action is not possible in the record's present state."""


class ValidationError(UserError):
    """A constraint of the model or of the database does not hold."""

    name = "odoo.exceptions.ValidationError"


class MissingError(UserError):
    """A record named in the call does not exist (any more)."""

    name = "odoo.exceptions.MissingError"


class AccessError(UserError):
    """The method or database is not open to this caller."""

    name = "odoo.exceptions.AccessError"


class AccessDenied(UserError):
    """Wrong login, password or API key."""

    name = "odoo.exceptions.AccessDenied"

    def __init__(self, message: str = "Access Denied") -> None:
        super().__init__(message)


class SessionExpired(OdooError):
    """A route for logged-in users was called without a session that is one."""

    name = "odoo.http.SessionExpiredException"

    def __init__(self, message: str = "Session expired") -> None:
        super().__init__(message)


class NotFound(OdooError):
    """A web session's call of a model that does not exist."""

    name = "werkzeug.exceptions.NotFound"


class DatabaseUnknown(OdooError):
    """The database named in an RPC call does not exist: Odoo passes the driver's error on."""

    name = "psycopg2.OperationalError"


def error_member(error: BaseException) -> dict[str, Any]:
    """`error` as the `error` member of a JSON-RPC answer (the HTTP status stays 200)."""
    if isinstance(error, SessionExpired):
        return {"code": 100, "message": "Odoo Session Expired", "data": _data(error)}
    if isinstance(error, NotFound):
        return {"code": 404, "message": "404: Not Found", "data": _data(error)}
    return {"code": 200, "message": "Odoo Server Error", "data": _data(error)}


def _data(error: BaseException) -> dict[str, Any]:
    return {
        "name": error.name if isinstance(error, OdooError) else _python_name(error),
        "debug": "".join(traceback.format_exception(error)),
        "message": str(error.args[0]) if error.args else str(error),
        "arguments": [
            argument if isinstance(argument, str | int | float) else str(argument) for argument in error.args
        ],
        "context": {},
    }


def _python_name(error: BaseException) -> str:
    module = type(error).__module__.replace("psycopg.errors", "psycopg2.errors")
    return f"{module}.{type(error).__name__}"
