"""Odoo 16 to 18 over OdooRPC: JSON-RPC in a web session, instead of a password with every call.

Contract: the only module that imports OdooRPC's client. A session that has expired is renewed and the call sent again: Odoo refuses it
before doing anything.

Why the web session: OdooRPC's execute_kw sends the password, and each product create empties the cache that holds its check:
0.33 s a call. `/web/dataset/call_kw` costs 2.5-6 ms. Source: Odoo 18 addons/web/controllers/{session,dataset}.py. An API key opens
no session: base/models/res_users.py (_check_credentials) takes it from callers that are not interactive only.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import odoorpc

from config.errors import ErrorKind
from config.settings import OdooSettings
from loaders.odoo.http_connection import HttpConnection
from loaders.odoo.odoo_errors import OdooError, translate
from loaders.odoo.rpc.calls import CallKind, timeout_of

# OdooRPC logs every request at DEBUG, with the password among the arguments of some.
logging.getLogger("odoorpc").setLevel(logging.INFO)


class WebSession:
    """See Transport."""

    def __init__(self, settings: OdooSettings, connection: HttpConnection) -> None:
        self._settings = settings
        self._connection = connection
        self._odoo: Any = None
        self._logged_in = False

    @property
    def version(self) -> str:
        """See Transport."""
        return str(self._connected().version)

    def login(self) -> int:
        """Open a web session."""
        self._connection.forget_session()
        settings = self._settings
        parameters = {"db": settings.database, "login": settings.user, "password": settings.password.get_secret_value()}
        result = self._post("/web/session/authenticate", parameters, CallKind.LOGIN)
        if not (isinstance(result, dict) and result.get("uid")):
            raise OdooError(
                ErrorKind.AUTHENTICATION, "Odoo refuses the login.", hint="Check odoo.user and odoo.password."
            )
        self._logged_in = True
        return int(result["uid"])

    def call(self, model: str, method: str, args: Sequence[Any], named: Mapping[str, Any], kind: CallKind) -> Any:
        """See Transport."""
        parameters = {"model": model, "method": method, "args": list(args), "kwargs": dict(named)}
        if not self._logged_in:
            self.login()
        try:
            return self._post("/web/dataset/call_kw", parameters, kind)
        except OdooError as error:
            if not error.session_expired:
                raise
        self.login()
        return self._post("/web/dataset/call_kw", parameters, kind)

    def close(self) -> None:
        """Close the connection. The web session ends by itself."""
        self._connection.close()
        self._odoo, self._logged_in = None, False

    def _post(self, path: str, parameters: Mapping[str, Any], kind: CallKind) -> Any:
        odoo = self._connected()
        self._connection.timeout_s = timeout_of(kind, self._settings)
        try:
            return odoo.json(path, dict(parameters)).get("result")
        except Exception as error:
            raise translate(error, self._settings.url, reading=kind is CallKind.READ) from error

    def _connected(self) -> Any:
        """Return OdooRPC's client; making it asks Odoo for its version."""
        if self._odoo is None:
            connection = self._connection
            connection.timeout_s = timeout_of(CallKind.LOGIN, self._settings)
            try:
                self._odoo = odoorpc.ODOO(
                    connection.host,
                    protocol="jsonrpc+ssl" if connection.secure else "jsonrpc",
                    port=connection.port,
                    timeout=self._settings.timeout_s,
                    opener=connection,
                )
            except Exception as error:
                raise translate(error, self._settings.url) from error
        return self._odoo
