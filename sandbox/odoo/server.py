"""`StandInOdoo`: the stand-in as an object that starts, serves in threads of this process, and stops."""

from __future__ import annotations

import socket
import threading
from http.server import ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from sandbox.odoo.accounts import Accounts, Sessions
from sandbox.odoo.calls import Calls
from sandbox.odoo.faults import Faults
from sandbox.odoo.models import build_registry
from sandbox.odoo.pool import Pool
from sandbox.odoo.routes import Handler
from sandbox.odoo.schema import create_schema
from sandbox.odoo.services import Services


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], handler: type[Handler]) -> None:
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error of ours."""

    def hang_up(self) -> None:
        """Close the connections that clients keep alive."""
        with self._lock:
            still = list(self._open)
        for one in still:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


class StandInOdoo:
    """A stand-in Odoo over the database at `dsn` (created and filled where it is empty).

    `port` 0 takes any free one. `api_key` is accepted in place of the password. `faults` lets calls fail. `json2`: it has 19's
    JSON-2, too, with 18's models.
    """

    def __init__(
        self, dsn: str, *, host: str = "127.0.0.1", port: int = 0, database: str = "odoo", user: str = "admin",
        password: str = "admin", api_key: str | None = None,  # noqa: S107 - the demo's, as a fresh Odoo has it
        json2: bool = False,
    ) -> None:  # fmt: skip
        self.database = database
        self.user = user
        self.password = password
        self.faults = Faults()
        self._dsn = dsn
        self._address = (host, port)
        self._api_key = api_key
        self._json2 = json2
        self._server: _Server | None = None
        self._services: Services | None = None

    def start(self) -> Self:
        """Create what the database lacks and listen; returns itself. A stopped one may be started again."""
        if self._server is not None:
            return self
        create_schema(self._dsn)
        self._services = services = self._build()
        self._server = _Server(self._address, type("BoundHandler", (Handler,), {"services": services}))
        # The same port after a restart: clients know it.
        self._address = (self._address[0], self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, name="stand-in-odoo", daemon=True, args=(0.05,)).start()
        return self

    def _build(self) -> Services:
        pool = Pool(self._dsn)
        accounts = Accounts(self._api_key)
        with pool.connection() as connection:
            accounts.set_administrator(connection, self.user, self.password)
        calls = Calls(build_registry(), pool)
        return Services(database=self.database, calls=calls, accounts=accounts, faults=self.faults, json2=self._json2)

    def stop(self) -> None:
        """Stop listening, hang up, close the database connections. What was committed stays."""
        if self._server is None or self._services is None:
            return
        self._server.shutdown()
        self._server.hang_up()
        self._server.server_close()
        self._services.calls.pool.close()
        self._server = self._services = None

    @property
    def host(self) -> str:
        """Where it listens."""
        return self._address[0]

    @property
    def port(self) -> int:
        """Where it listens; 0 before the first start unless one was given."""
        return self._address[1]

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://{self.host}:{self.port}"

    @property
    def sessions(self) -> Sessions:
        """The open web sessions; to expire them in a test."""
        assert self._services is not None, "the stand-in is not running"
        return self._services.sessions

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
