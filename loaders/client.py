"""Odoo, called: OdooRPC over one kept-alive connection, a web session instead of a password with every call.

Contract: the only module that imports OdooRPC's client. Raises OdooError only. A session that has expired is renewed and the
call sent again (Odoo refuses it before doing anything); a lost race is sent again a few times; everything else is the
caller's to decide. Not thread-safe: one client a deliverer.

Why the web session: OdooRPC's execute_kw sends the password, and each product create empties the cache that holds its check:
0.33 s a call. `/web/dataset/call_kw` costs 2.5-6 ms. Source: Odoo 18 addons/web/controllers/{session,dataset}.py.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import odoorpc
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from config.errors import ErrorKind
from config.failpoints import failpoint
from config.settings import OdooSettings
from loaders.companies import company_context
from loaders.http_connection import HttpConnection
from loaders.odoo_errors import OdooError, translate
from loaders.odoo_versions import Dialect, dialect_of

# OdooRPC logs every request at DEBUG, with the password among the arguments of some.
logging.getLogger("odoorpc").setLevel(logging.INFO)

QUIET: Mapping[str, Any] = {
    "tracking_disable": True,
    "mail_create_nolog": True,
    "mail_notrack": True,
    "mail_create_nosubscribe": True,
    "no_reset_password": True,
    "no_vat_validation": True,
    "tz": "UTC",  # load() reads date cells in the context's zone (ir_fields.py, _str_to_datetime)
}
_READING = frozenset({"read", "search_read", "search_count", "fields_get", "check_object_reference", "get_external_id"})
_RACE_ATTEMPTS = 5

Record = dict[str, Any]


class OdooClient:
    """A logged-in user of one Odoo. Connects at the first call."""

    def __init__(self, settings: OdooSettings) -> None:
        self._settings = settings
        self._connection = HttpConnection(settings.url)
        self._odoo: Any = None
        self._logged_in = False
        self._user_id = 0
        self.carried_out = 0  # calls that change things, of which Odoo has said that they are done

    @property
    def version(self) -> str:
        """Odoo's version, e.g. ``18.0``."""
        return str(self._connected().version)

    @property
    def user_id(self) -> int:
        """The user's id in Odoo; logs in if that has not been done. Raises OdooError."""
        if not self._logged_in:
            self.login()
        return self._user_id

    def login(self) -> None:
        """Open a web session. Raises OdooError: AUTHENTICATION, SETTINGS (no such database), CONNECTION, ..."""
        self._connection.forget_session()
        settings = self._settings
        parameters = {"db": settings.database, "login": settings.user, "password": settings.password.get_secret_value()}
        result = self._post("/web/session/authenticate", parameters)
        if not (isinstance(result, dict) and result.get("uid")):
            raise OdooError(
                ErrorKind.AUTHENTICATION, "Odoo refuses the login.", hint="Check odoo.user and odoo.password."
            )
        self._logged_in, self._user_id = True, result["uid"]

    @property
    def dialect(self) -> Dialect:
        """What this Odoo's version calls things."""
        return dialect_of(self.version)

    def call(
        self,
        model: str,
        method: str,
        args: Sequence[Any],
        *,
        context: Mapping[str, Any] | None = None,
        company_id: int | None = None,
        **named: Any,
    ) -> Any:
        """Call a public method of a model in the quiet context; a method without a result gives None.

        `company_id`: the company that is active for this call; none: the user's own.
        """
        parameters = {
            "model": model,
            "method": method,
            "args": list(args),
            "kwargs": {**named, "context": {**QUIET, **company_context(company_id), **(context or {})}},
        }
        if method not in _READING:
            failpoint("delivery.before_call")
        result = self._send_again_after_a_race(parameters)
        if method not in _READING:
            self.carried_out += 1
            failpoint("delivery.after_call")
        return result

    def probe(self) -> None:
        """Make one small call that changes nothing. Raises OdooError where Odoo does not answer it."""
        self.search_read("res.users", [["id", "=", 0]], ["id"])

    def search_read(
        self,
        model: str,
        domain: Sequence[Any],
        fields: Sequence[str],
        *,
        order: str = "id",
        archived: bool = False,
        company_id: int | None = None,
    ) -> list[Record]:
        """Return all records of the domain with these fields (and `id`)."""
        context = {"active_test": False} if archived else None
        found: list[Record] = self.call(
            model,
            "search_read",
            [list(domain)],
            context=context,
            company_id=company_id,
            fields=list(fields),
            order=order,
        )
        return found

    def read_by_id(
        self, model: str, ids: Sequence[int], fields: Sequence[str], *, company_id: int | None = None
    ) -> dict[int, Record]:
        """Return these records by id; those that no longer exist are left out (Odoo's read() drops them)."""
        rows: list[Record] = self.call(model, "read", [list(ids), list(fields)], company_id=company_id) if ids else []
        return {row["id"]: row for row in rows}

    def write(
        self, model: str, ids: Sequence[int], values: Mapping[str, Any], *, company_id: int | None = None
    ) -> None:
        """Write the same values to these records."""
        self.call(model, "write", [list(ids), dict(values)], company_id=company_id)

    def close(self) -> None:
        """Close the connection. The web session ends by itself."""
        self._connection.close()
        self._odoo, self._logged_in = None, False

    def _send_again_after_a_race(self, parameters: Mapping[str, Any]) -> Any:
        again = Retrying(
            retry=retry_if_exception(_may_be_sent_again),
            stop=stop_after_attempt(_RACE_ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.1, max=2),
            reraise=True,
        )
        return again(self._in_a_session, parameters)

    def _in_a_session(self, parameters: Mapping[str, Any]) -> Any:
        if not self._logged_in:
            self.login()
        try:
            return self._post("/web/dataset/call_kw", parameters)
        except OdooError as error:
            if not error.session_expired:
                raise
        self.login()
        return self._post("/web/dataset/call_kw", parameters)

    def _post(self, path: str, parameters: Mapping[str, Any]) -> Any:
        odoo = self._connected()
        try:
            return odoo.json(path, dict(parameters)).get("result")
        except Exception as error:
            reading = parameters.get("method") in _READING
            raise translate(error, self._settings.url, reading=reading) from error

    def _connected(self) -> Any:
        """Return OdooRPC's client; making it asks Odoo for its version."""
        if self._odoo is None:
            connection = self._connection
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


def _may_be_sent_again(error: BaseException) -> bool:
    return isinstance(error, OdooError) and error.kind is ErrorKind.TRANSIENT and error.at_once
