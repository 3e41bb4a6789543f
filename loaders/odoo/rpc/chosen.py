"""Which protocol an Odoo is spoken to by: what the settings say, or what its version can."""

from __future__ import annotations

import json
from http import HTTPStatus

from config.settings import OdooSettings
from loaders.odoo.http_connection import HttpConnection, UnexpectedAnswerError
from loaders.odoo.odoo_errors import translate
from loaders.odoo.rpc.calls import CallKind, timeout_of
from loaders.odoo.rpc.json2 import VERSION_PATH, Json2
from loaders.odoo.rpc.transport import Transport
from loaders.odoo.rpc.web_session import WebSession


def transport_for(settings: OdooSettings) -> Transport:
    """Return the transport of the settings; `auto`: JSON-2 where Odoo has it and a key is given, else a web session. Raises OdooError."""
    connection = HttpConnection(settings.url)
    protocol = settings.protocol
    if protocol == "auto":
        protocol = "json2" if settings.api_key is not None and _has_json2(settings, connection) else "jsonrpc"
    return Json2(settings, connection) if protocol == "json2" else WebSession(settings, connection)


def _has_json2(settings: OdooSettings, connection: HttpConnection) -> bool:
    """Ask for the version in the way that came with JSON-2, in 19: what does not know it answers with a page."""
    connection.timeout_s = timeout_of(CallKind.LOGIN, settings)
    try:
        answer = json.load(connection.fetch(VERSION_PATH))
    except UnexpectedAnswerError as error:
        if error.status == HTTPStatus.NOT_FOUND:
            return False
        connection.close()
        raise translate(error, settings.url) from error
    except Exception as error:
        connection.close()
        raise translate(error, settings.url) from error
    return isinstance(answer, dict) and "version" in answer
