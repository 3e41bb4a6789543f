"""Who may call: passwords and API keys, and the web sessions of those who logged in.

Passwords are stored hashed in res_users, as Odoo does; a session is a random id in a cookie, kept in memory.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading

from sandbox.odoo.pool import Connection

# Few rounds: Odoo's 600,000 cost a third of a second a check, and nothing here is worth guarding.
_ROUNDS = 1000


def hashed(password: str) -> str:
    """`password` in the form in which Odoo's column holds it."""
    salt = secrets.token_bytes(16)
    return f"$pbkdf2-sha512${_ROUNDS}${_text(salt)}${_text(_digest(password, salt))}"


def _digest(password: str, salt: bytes) -> bytes:
    return hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ROUNDS)


def _text(raw: bytes) -> str:
    return base64.b64encode(raw, altchars=b"./").decode().rstrip("=")


def _fits(password: str, stored: str) -> bool:
    _, _, _, salt, digest = stored.split("$")
    raw = base64.b64decode(salt + "=" * (-len(salt) % 4), altchars=b"./")
    return hmac.compare_digest(_text(_digest(password, raw)), digest)


class Accounts:
    """Checks credentials against the database. `api_key` is taken in place of any user's password."""

    def __init__(self, api_key: str | None) -> None:
        self._api_key = api_key

    def set_administrator(self, connection: Connection, login: str, password: str) -> None:
        """User 2 logs in with these from now on."""
        connection.execute("UPDATE res_users SET login = %s, password = %s WHERE id = 2", [login, hashed(password)])
        connection.commit()

    def by_login(self, connection: Connection, login: str, password: str, *, interactive: bool = False) -> int | None:
        """The user's id, or None when login or password are wrong. `interactive`: a web session, which no API key opens."""
        row = connection.execute("SELECT id, password FROM res_users WHERE login = %s AND active", [login]).fetchone()
        if row is None or (interactive and self.is_key(password)):
            return None
        return row[0] if self._accepts(password, row[1]) else None

    def by_id(self, connection: Connection, uid: int, password: str) -> bool:
        """The password (or API key) is this user's."""
        row = connection.execute("SELECT password FROM res_users WHERE id = %s AND active", [uid]).fetchone()
        return bool(row) and self._accepts(password, row[0] if row else None)

    def is_key(self, key: str) -> bool:
        """This is the API key."""
        return self._api_key is not None and hmac.compare_digest(key.encode(), self._api_key.encode())

    def _accepts(self, password: str, stored: str | None) -> bool:
        if self.is_key(password):
            return True
        return bool(stored) and _fits(password, stored or "")


class Sessions:
    """Web sessions: id -> user."""

    def __init__(self) -> None:
        self._users: dict[str, int] = {}
        self._lock = threading.Lock()

    def open(self, uid: int) -> str:
        """A new session's id."""
        name = secrets.token_hex(20)
        with self._lock:
            self._users[name] = uid
        return name

    def user(self, name: str | None) -> int | None:
        """The user of a session, or None when there is no such session (any more)."""
        with self._lock:
            return self._users.get(name or "")

    def close(self, name: str | None) -> None:
        """End one session."""
        with self._lock:
            self._users.pop(name or "", None)

    def expire_all(self) -> None:
        """End every session, as a restarted server or an emptied session store does."""
        with self._lock:
            self._users.clear()
