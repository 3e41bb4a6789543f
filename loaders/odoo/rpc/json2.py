"""Odoo 19 and later over JSON-2: `POST /json/2/<model>/<method>` with a bearer key and named arguments.

Tested against the stand-in only, which follows Odoo's documentation and sources (addons/rpc/controllers/json2.py; odoo/http.py,
Json2Dispatcher): 200 with the method's result as JSON; else a status of 4xx or 5xx with the error that JSON-RPC has as its `data`.
Which Odoo it is, `/web/version` says, to anybody.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from config.settings import OdooSettings
from loaders.odoo.http_connection import HttpConnection, UnexpectedAnswerError
from loaders.odoo.odoo_errors import OdooError, from_reply, translate
from loaders.odoo.rpc.calls import CallKind, timeout_of
from loaders.odoo.rpc.named_arguments import named_arguments

VERSION_PATH = "/web/version"


class Json2:
    """See Transport."""

    def __init__(self, settings: OdooSettings, connection: HttpConnection) -> None:
        self._settings = settings
        self._connection = connection
        self._version: str | None = None
        key = settings.api_key or settings.password
        self._headers = {
            "Authorization": f"bearer {key.get_secret_value()}",
            "X-Odoo-Database": settings.database,
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "causeway",
        }

    @property
    def version(self) -> str:
        """See Transport."""
        if self._version is None:
            answer = self._send(VERSION_PATH, None, CallKind.LOGIN)
            self._version = str(answer.get("version", "")) if isinstance(answer, dict) else ""
        return self._version

    def login(self) -> int:
        """Make a call that any user may make: the key goes with each, so there is nothing to open."""
        return int(self.call("res.users", "context_get", [], {}, CallKind.LOGIN)["uid"])

    def call(self, model: str, method: str, args: Sequence[Any], named: Mapping[str, Any], kind: CallKind) -> Any:
        """See Transport."""
        body = json.dumps(named_arguments(model, method, args, named)).encode()
        result = self._send(f"/json/2/{model}/{method}", body, kind)
        # Made of one record's values, create gives its id over JSON-RPC (odoo/service/model.py, call_kw) and a list over JSON-2.
        if method == "create" and isinstance(result, list) and isinstance(args[0], Mapping):
            return result[0]
        return result

    def close(self) -> None:
        """See Transport."""
        self._connection.close()
        self._version = None

    def _send(self, path: str, body: bytes | None, kind: CallKind) -> Any:
        self._connection.timeout_s = timeout_of(kind, self._settings)
        try:
            return json.load(self._connection.fetch(path, body, self._headers))
        except UnexpectedAnswerError as error:
            told = _told(error)
            if told is not None:
                raise told from error
            raise self._translated(error, kind) from error
        except Exception as error:
            raise self._translated(error, kind) from error

    def _translated(self, error: Exception, kind: CallKind) -> OdooError:
        return translate(error, self._settings.url, reading=kind is CallKind.READ)


def _told(error: UnexpectedAnswerError) -> OdooError | None:
    """Return the error that Odoo's body tells of; None where it is not Odoo that answers."""
    try:
        data = json.loads(error.body) if error.content_type == "application/json" else None
    except ValueError:
        return None
    if not (isinstance(data, dict) and "name" in data and "message" in data):
        return None
    found = from_reply(data)
    found.retry_after_s = error.retry_after_s
    return found
