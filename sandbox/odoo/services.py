"""What the routes do: RPC services (common, db, object), web sessions, calls. Knows nothing of HTTP but the session id.

Every method returns the `result` of a JSON-RPC answer or raises; `NO_RESULT` leaves the member out, as Odoo does for
a method that returns None.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.odoo.accounts import Accounts, Sessions
from sandbox.odoo.calls import Calls
from sandbox.odoo.errors import AccessDenied, AccessError, DatabaseUnknown, SessionExpired
from sandbox.odoo.faults import SERIALIZATION_TEXT, Faults

VERSION = {
    "server_version": "18.0",
    "server_version_info": [18, 0, 0, "final", 0, ""],
    "server_serie": "18.0",
    "protocol_version": 1,
}


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A result, the session to set in the cookie (None: leave it), and whether the answer is to be lost."""

    result: Any
    session: str | None = None


class Services:
    """The stand-in behind its routes."""

    def __init__(self, *, database: str, calls: Calls, accounts: Accounts, faults: Faults, json2: bool = False) -> None:
        self.json2 = json2
        self.database = database
        self.calls = calls
        self.accounts = accounts
        self.faults = faults
        self.sessions = Sessions()

    def rpc(self, service: str, method: str, args: Sequence[Any]) -> Any:
        """/jsonrpc."""
        if service == "common":
            return self._common(method, args)
        if service == "db":
            return self._db(method)
        if service == "object" and method in ("execute", "execute_kw"):
            return self._object(method, args)
        raise NameError(f"Method not available {method}")

    def _common(self, method: str, args: Sequence[Any]) -> Any:
        if method == "version":
            return VERSION
        if method in ("login", "authenticate"):
            self._check_database(args[0])
            with self.calls.pool.connection() as connection:
                return self.accounts.by_login(connection, str(args[1]), str(args[2])) or False
        raise Exception(f"Method not found: {method}")

    def _db(self, method: str) -> Any:
        if method == "list":
            return [self.database]
        if method == "server_version":
            return VERSION["server_version"]
        raise AccessDenied

    def _check_database(self, name: str) -> None:
        if name != self.database:
            raise DatabaseUnknown(
                f'connection to server at "127.0.0.1", port 5432 failed: FATAL:  database "{name}" does not exist\n'
            )

    def _object(self, method: str, args: Sequence[Any]) -> Any:
        database, uid, password, model, name, *rest = args
        self._check_database(database)
        with self.calls.pool.connection() as connection:
            if not self.accounts.by_id(connection, int(uid), str(password)):
                raise AccessDenied
        if method == "execute":
            return self.call(int(uid), model, name, rest, {})
        return self.call(int(uid), model, name, rest[0] if rest else [], rest[1] if len(rest) > 1 else {})

    def call(self, uid: int, model: str, method: str, args: Sequence[Any], kwargs: dict[str, Any] | None) -> Any:
        """One method of one model."""
        return self.calls.call(uid, model, method, args, kwargs or {})

    def authenticate(self, database: str, login: str, password: str) -> Reply:
        """/web/session/authenticate: a new session and what get_session_info tells of it."""
        if database != self.database:
            raise AccessError("Database not found.")
        with self.calls.pool.connection() as connection:
            uid = self.accounts.by_login(connection, login, password, interactive=True)
        if uid is None:
            raise AccessDenied
        return Reply(result=self._info(uid), session=self.sessions.open(uid))

    def user_of(self, session: str | None) -> int:
        """The session's user; SessionExpired when it is none."""
        uid = self.sessions.user(session)
        if uid is None:
            raise SessionExpired
        return uid

    def session_info(self, session: str | None) -> Any:
        """/web/session/get_session_info."""
        return self._info(self.user_of(session))

    def _info(self, uid: int) -> dict[str, Any]:
        user = self.calls.call(uid, "res.users", "read", [[uid], ["name", "login", "partner_id", "company_id"]], {})[0]
        return {
            "uid": uid,
            "is_system": True,
            "is_admin": True,
            "is_public": False,
            "is_internal_user": True,
            "user_context": {"lang": "en_US", "tz": False, "uid": uid},
            "db": self.database,
            "server_version": VERSION["server_version"],
            "server_version_info": VERSION["server_version_info"],
            "name": user["name"],
            "username": user["login"],
            "partner_display_name": user["name"],
            "partner_id": user["partner_id"][0],
            "user_id": [uid],
            "user_companies": {"current_company": user["company_id"][0]},
        }


def not_serialized() -> dict[str, Any]:
    """What load() answers when Postgres could not serialize it: success, and nothing loaded."""
    message = {"rows": {"from": 0, "to": 0}, "record": 0, "type": "error", "message": SERIALIZATION_TEXT}
    return {"ids": False, "messages": [message], "nextrow": 0}
