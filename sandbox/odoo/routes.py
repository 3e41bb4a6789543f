"""The HTTP side: routes, JSON-RPC envelopes, the session cookie, keep-alive, and failures on demand."""

from __future__ import annotations

import json
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar

from sandbox.odoo import json2
from sandbox.odoo.errors import NotFound, SessionExpired, error_member
from sandbox.odoo.faults import Fault
from sandbox.odoo.services import VERSION, Reply, Services, not_serialized

_PAGE = "<!DOCTYPE html>\n<html><head><title>{title}</title></head><body>{text}</body></html>\n"
_CALL = "/web/dataset/call_kw"
_NOT_JSON = "Request inferred type is compatible with ['http'] but '{path}' is type='json'."
_JSON_ROUTES = frozenset(
    {
        _CALL,
        "/jsonrpc",
        "/web/database/list",
        "/web/session/authenticate",
        "/web/session/destroy",
        "/web/session/get_session_info",
        "/web/webclient/version_info",
    }
)


class Handler(BaseHTTPRequestHandler):
    """Serves one connection. `services` is set on the subclass that a server makes for itself."""

    protocol_version = "HTTP/1.1"
    # Small answers must not wait for the peer's acknowledgement of the headers.
    disable_nagle_algorithm = True
    wbufsize = -1
    services: ClassVar[Services]

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Nothing is logged: the tests' own output is what matters."""

    def do_GET(self) -> None:
        """Pages: `/` leads to the login page."""
        path = self.path.split("?")[0]
        if path == "/":
            self._send_page(303, "Redirecting...", "Redirecting...", Location="/odoo")
        elif path in ("/odoo", "/web", "/web/login"):
            self._send_page(200, "Odoo", "Log in")
        elif path == json2.VERSION_PATH and self.services.json2:
            self._send_json(json2.version())
        elif path == "/web/health":
            self._send_json({"status": "pass"})
        elif path in _JSON_ROUTES or path.startswith(_CALL + "/"):
            self._send_page(400, "400 Bad Request", _NOT_JSON.format(path=path))
        else:
            self._send_page(404, "404: Not Found", "Not Found")

    def do_POST(self) -> None:
        """A JSON-RPC request."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.split("?")[0]
        if "json" not in (self.headers.get("Content-Type") or ""):
            self._send_page(400, "400 Bad Request", _NOT_JSON.format(path=path))
            return
        if path.startswith(json2.PREFIX) and self.services.json2:
            self._serve_json2(path, body)
            return
        if path not in _JSON_ROUTES and not path.startswith(_CALL + "/"):
            self._send_page(404, "404: Not Found", "Not Found")
            return
        try:
            request = json.loads(body)
            params = dict(request.get("params") or {})
        except (ValueError, AttributeError) as error:
            self._send_error(None, error)
            return
        self._serve(request.get("id"), path, params)

    def _serve(self, request_id: Any, path: str, params: dict[str, Any]) -> None:
        fault = self.services.faults.take(*_subject(path, params))
        if fault is not None and self._failed(fault):
            return
        try:
            if fault is not None and fault.kind == "serialization":
                reply = Reply(result=not_serialized())
            else:
                reply = self._route(path, params)
        except Exception as error:  # noqa: BLE001 - every failure of a call is an answer, as in Odoo
            self._send_error(request_id, error)
            return
        if fault is not None and fault.kind == "drop_reply":
            self._hang_up()
            return
        answer = {"jsonrpc": "2.0", "id": request_id}
        if reply.result is not None:
            answer["result"] = reply.result
        self._send_json(answer, session=reply.session)

    def _serve_json2(self, path: str, body: bytes) -> None:
        fault = self.services.faults.take(*json2.subject(path))
        if fault is not None and self._failed(fault):
            return
        try:
            serialized = fault is None or fault.kind != "serialization"
            result = json2.call(self.services, path, self.headers, body) if serialized else not_serialized()
        except Exception as error:  # noqa: BLE001 - every failure of a call is an answer, as in Odoo
            status, answer = json2.failure(error)
            self._send_json(answer, status=status)
            return
        if fault is not None and fault.kind == "drop_reply":
            self._hang_up()
            return
        self._send_json(result)

    def _route(self, path: str, params: dict[str, Any]) -> Reply:
        services = self.services
        if path == "/jsonrpc":
            return Reply(result=services.rpc(params["service"], params["method"], params["args"]))
        if path == "/web/webclient/version_info":
            return Reply(result=VERSION)
        if path == "/web/session/authenticate":
            return services.authenticate(params["db"], params["login"], params["password"])
        session = self._session()
        if path == _CALL or path.startswith(_CALL + "/"):
            uid = services.user_of(session)
            if params["model"] not in services.calls.registry:
                raise NotFound
            called = (params["model"], params["method"], params["args"], params.get("kwargs"))
            return Reply(result=services.call(uid, *called))
        if path == "/web/session/get_session_info":
            return Reply(result=services.session_info(session))
        if path == "/web/session/destroy":
            services.user_of(session)
            services.sessions.close(session)
            return Reply(result=None)
        return Reply(result=[services.database])

    def _failed(self, fault: Fault) -> bool:
        """Let `fault` happen; True when there is nothing more to do for this request."""
        if fault.kind == "delay":
            fault.until.wait(fault.delay_s)
        elif fault.kind == "status":
            retry = {} if fault.retry_after_s is None else {"Retry-After": str(fault.retry_after_s)}
            self._send_page(fault.status, f"{fault.status}", "Please try again later", **retry)
        elif fault.kind == "html":
            self._send_page(200, "Maintenance", "We'll be back soon")
        elif fault.kind == "refuse_connection":
            self._hang_up()
        return fault.kind in ("status", "html", "refuse_connection")

    def _send_error(self, request_id: Any, error: Exception) -> None:
        # Odoo forgets the request's id when it fails before the call is dispatched.
        early = isinstance(error, SessionExpired | NotFound)
        self._send_json({"jsonrpc": "2.0", "id": None if early else request_id, "error": error_member(error)})

    def _hang_up(self) -> None:
        self.close_connection = True

    def _session(self) -> str | None:
        try:
            cookie = SimpleCookie(self.headers.get("Cookie") or "").get("session_id")
        except CookieError:
            return None
        return cookie.value if cookie else None

    def _send_json(self, answer: Any, *, session: str | None = None, status: int = 200) -> None:
        cookie = {} if session is None else {"Set-Cookie": f"session_id={session}; HttpOnly; Path=/"}
        body = json.dumps(answer, ensure_ascii=False, default=str).encode()
        self._send(status, "application/json; charset=utf-8", body, cookie)

    def _send_page(self, status: int, title: str, text: str, **headers: str) -> None:
        self._send(status, "text/html; charset=utf-8", _PAGE.format(title=title, text=text).encode(), headers)

    def _send(self, status: int, content_type: str, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": content_type, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


def _subject(path: str, params: dict[str, Any]) -> tuple[str, str]:
    """The model and method that a request is about; for anything else the path and RPC method."""
    if path == "/jsonrpc" and params.get("service") == "object":
        args = [*(params.get("args") or ()), "", "", "", "", ""]
        return str(args[3]), str(args[4])
    if path.startswith(_CALL):
        return str(params.get("model")), str(params.get("method"))
    return path, str(params.get("method", ""))
