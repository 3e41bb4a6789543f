"""One kept-alive HTTP connection, in the shape that OdooRPC wants of an opener (`open(request, timeout)`), with its cookies.

Contract: knows HTTP, not Odoo. What goes wrong leaves as one of three exceptions, by what is known of the request's fate:
`NotSentError` (the server never had it), `ReplyLostError` (it may have been carried out), `UnexpectedAnswerError` (answered, but not as an
application answers). A new connection a call, as urllib makes them, costs 2-3 ms and with TLS 30 ms and more.
"""

from __future__ import annotations

import http.client
import io
import select
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit
from urllib.request import Request


class NotSentError(Exception):
    """No connection, or it broke before the request was sent whole."""


class ReplyLostError(Exception):
    """The request was sent; what became of it is unknown."""


class UnexpectedAnswerError(Exception):
    """A status other than 200, or a body that is not JSON. `retry_after_s`: what the server asked for; `body`: what came."""

    def __init__(self, status: int, content_type: str, retry_after_s: float | None, body: bytes = b"") -> None:
        super().__init__(f"HTTP {status}, {content_type or 'no content type'}")
        self.status = status
        self.content_type = content_type
        self.retry_after_s = retry_after_s
        self.body = body


class HttpConnection:
    """A client of one base URL, e.g. ``https://odoo.example/prefix``. `timeout_s`: how long each thing may take that is next sent."""

    def __init__(self, url: str, timeout_s: float = 120.0) -> None:
        self.timeout_s = timeout_s
        parts = urlsplit(url)
        self.secure = parts.scheme == "https"
        self.host = parts.hostname or ""
        self.port = parts.port or (443 if self.secure else 80)
        self._base_path = parts.path.rstrip("/")
        self._connection: http.client.HTTPConnection | None = None
        self._cookies: SimpleCookie = SimpleCookie()

    def fetch(self, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> io.BytesIO:
        """Get what is at a path below the base URL, or post a body to it. Raises as `open` does."""
        url = f"{'https' if self.secure else 'http'}://{self.host}:{self.port}{path}"
        return self.open(Request(url, data=body, headers=dict(headers or {})))  # noqa: S310  the settings allow http(s) only

    def open(self, request: Request, timeout: float | None = None) -> io.BytesIO:
        """Send the request and return the body of its answer. Raises NotSentError, ReplyLostError, UnexpectedAnswerError.

        `timeout`: OdooRPC's, which is one for all calls; the shorter of it and `timeout_s` holds.
        """
        headers = dict(request.header_items())
        if self._cookies:
            headers["Cookie"] = "; ".join(f"{name}={morsel.value}" for name, morsel in self._cookies.items())
        connection = self._sent(request, headers, min(timeout or self.timeout_s, self.timeout_s))
        try:
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise ReplyLostError(str(error) or type(error).__name__) from error
        self._keep(response, body)
        return io.BytesIO(body)

    def close(self) -> None:
        """Close the connection; the next request opens another. Cookies stay."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def forget_session(self) -> None:
        """Drop all cookies."""
        self._cookies.clear()

    def _sent(self, request: Request, headers: dict[str, str], timeout_s: float) -> http.client.HTTPConnection:
        """Send the request. A broken pipe here may still mean that the server read it: only connecting is surely safe."""
        connection = self._connected(timeout_s)
        data = request.data if isinstance(request.data, bytes) else b""
        try:
            path = f"{self._base_path}{urlsplit(request.full_url).path}"
            connection.request(request.get_method(), path, body=data or None, headers=headers)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise ReplyLostError(str(error) or type(error).__name__) from error
        return connection

    def _connected(self, timeout_s: float) -> http.client.HTTPConnection:
        if self._connection is not None and _closed_by_peer(self._connection):
            self.close()
        if self._connection is None:
            family = http.client.HTTPSConnection if self.secure else http.client.HTTPConnection
            connection = family(self.host, self.port, timeout=timeout_s)
            try:
                connection.connect()
            except OSError as error:
                raise NotSentError(str(error)) from error
            self._connection = connection
        self._connection.sock.settimeout(timeout_s)
        return self._connection

    def _keep(self, response: http.client.HTTPResponse, body: bytes) -> None:
        """Take over cookies; refuse what is not an application's answer."""
        for text in response.headers.get_all("Set-Cookie") or ():
            try:
                self._cookies.load(text)
            except CookieError:
                continue
        content_type = response.headers.get_content_type()
        if response.status != http.client.OK or content_type != "application/json":
            retry_after_s = _seconds(response.headers.get("Retry-After"))
            raise UnexpectedAnswerError(response.status, content_type, retry_after_s, body)


def _closed_by_peer(connection: http.client.HTTPConnection) -> bool:
    """Tell whether an idle connection is at its end: nothing may be readable on it between two requests."""
    if connection.sock is None:
        return True
    readable, _, _ = select.select([connection.sock], [], [], 0)
    return bool(readable)


def _seconds(text: str | None) -> float | None:
    """Return Retry-After in seconds; its date form is not used by Odoo's hosts."""
    try:
        return max(0.0, float(text)) if text else None
    except ValueError:
        return None
