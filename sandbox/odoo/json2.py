"""JSON-2 as Odoo 19 has it: a method's named arguments in, its result or a status with the error out. The models stay Odoo 18's.

Source: Odoo 19 addons/rpc/controllers/json2.py; odoo/http.py, Json2Dispatcher; odoo/exceptions.py (http_status).
"""

from __future__ import annotations

import inspect
import json
from email.message import Message
from http import HTTPStatus
from typing import Any, ClassVar

from sandbox.odoo.calls import public_method
from sandbox.odoo.errors import AccessDenied, AccessError, MissingError, NotFound, OdooError, UserError, error_member
from sandbox.odoo.services import VERSION, Services

PREFIX = "/json/2/"
VERSION_PATH = "/web/version"


class Unauthorized(OdooError):
    """No key, or a wrong one."""

    name: ClassVar[str] = "werkzeug.exceptions.Unauthorized"


class Unprocessable(OdooError):
    """Arguments that the method does not have, or lacks."""

    name: ClassVar[str] = "werkzeug.exceptions.UnprocessableEntity"


_STATUSES: tuple[tuple[type[Exception], HTTPStatus], ...] = (
    (Unauthorized, HTTPStatus.UNAUTHORIZED),
    (Unprocessable, HTTPStatus.UNPROCESSABLE_ENTITY),
    (NotFound, HTTPStatus.NOT_FOUND),
    (MissingError, HTTPStatus.NOT_FOUND),
    (AccessDenied, HTTPStatus.FORBIDDEN),
    (AccessError, HTTPStatus.FORBIDDEN),
    (UserError, HTTPStatus.UNPROCESSABLE_ENTITY),
)


def version() -> dict[str, Any]:
    """What /web/version tells everybody."""
    return {"version": VERSION["server_version"], "version_info": VERSION["server_version_info"]}


def subject(path: str) -> tuple[str, str]:
    """The model and method of a path below PREFIX; the method is empty where there is none."""
    model, _, method = path.removeprefix(PREFIX).partition("/")
    return model, method


def call(services: Services, path: str, headers: Message[str, str], body: bytes) -> Any:
    """The method's result. Raises as the method does, and Unauthorized, NotFound and Unprocessable."""
    model, method = subject(path)
    uid = _user(services, headers)
    given = json.loads(body or b"{}")
    if model not in services.calls.registry:
        raise NotFound(f"the model {model!r} does not exist")
    try:
        found = public_method(services.calls.registry[model], method)
    except AttributeError as error:
        raise NotFound(*error.args) from error
    ids, context = given.pop("ids", []), given.pop("context", {})
    of_records = found.__dict__["api"] == "records"
    if ids and not of_records:
        raise Unprocessable(f"cannot call {model}.{method} with ids")
    try:
        inspect.signature(found).bind(*([None] * (3 if of_records else 2)), **given)
    except TypeError as error:
        raise Unprocessable(*error.args) from error
    result = services.call(uid, model, method, [ids] if of_records else [], {**given, "context": context})
    return [result] if method == "create" and isinstance(result, int) else result


def failure(error: Exception) -> tuple[int, dict[str, Any]]:
    """The status and body of a failed call."""
    fitting = (status for kind, status in _STATUSES if isinstance(error, kind))
    return next(fitting, HTTPStatus.INTERNAL_SERVER_ERROR).value, error_member(error)["data"]


def _user(services: Services, headers: Message[str, str]) -> int:
    if headers.get("X-Odoo-Database", services.database) != services.database:
        raise NotFound("no such database")
    scheme, _, key = headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not services.accounts.is_key(key):
        raise Unauthorized("Invalid apikey")
    return 2
