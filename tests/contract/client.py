"""A thin client of one Odoo, stand-in or real, with names that no other run or test uses."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass, field
from http.cookiejar import CookieJar
from typing import Any
from urllib.parse import urlsplit

import odoorpc

MODULE = "__cwcontract__"
Values = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where an Odoo is and who we are there."""

    url: str
    database: str
    user: str
    password: str

    def connect(self) -> odoorpc.ODOO:
        """A connection that is not logged in."""
        parts = urlsplit(self.url)
        return odoorpc.ODOO(
            parts.hostname,
            port=parts.port or (443 if parts.scheme == "https" else 80),
            protocol="jsonrpc+ssl" if parts.scheme == "https" else "jsonrpc",
            timeout=120,
        )


@dataclass(kw_only=True)
class Odoo:
    """One Odoo with somebody logged in. `prefix` sets this test's external ids apart."""

    address: Address
    rpc: Any
    prefix: str = ""

    def call(self, model: str, method: str, *args: Any, **kwargs: Any) -> Any:
        """One method of one model over execute_kw."""
        return self.rpc.execute_kw(model, method, list(args), kwargs)

    def name(self, key: str) -> str:
        """The full external id of this test's record `key`."""
        return f"{MODULE}.{self.prefix}_{key}"

    def load(self, model: str, columns: str, *rows: list[str], **context: Any) -> Values:
        """load(), quietly; `columns` are separated by spaces."""
        quiet = {"tracking_disable": True, "mail_create_nolog": True, "mail_notrack": True, **context}
        answer: Values = self.call(model, "load", columns.split(), list(rows), context=quiet)
        return answer

    def loaded(self, model: str, columns: str, *rows: list[str], **context: Any) -> list[int]:
        """The ids of a load that must succeed."""
        answer = self.load(model, columns, *rows, **context)
        assert answer["ids"], answer["messages"]
        ids: list[int] = answer["ids"]
        return ids

    def read(self, model: str, one: int, *fields: str) -> Values:
        """One record's fields."""
        records: list[Values] = self.call(model, "read", [one], list(fields))
        return records[0]

    def find(self, model: str, *domain: Any, fields: tuple[str, ...] = ("id",), order: str = "id") -> list[Values]:
        """Records by a domain."""
        found: list[Values] = self.call(model, "search_read", list(domain), list(fields), order=order)
        return found

    def fault_of(self, model: str, method: str, *args: Any, **kwargs: Any) -> Values:
        """The `error.data` of a call that must fail."""
        try:
            answer = self.call(model, method, *args, **kwargs)
        except odoorpc.error.RPCError as error:
            data: Values = error.info["data"]
            return data
        raise AssertionError(f"{model}.{method} answered {answer!r}")


@dataclass(kw_only=True)
class Web:
    """A browser's session: cookies and JSON routes."""

    address: Address
    cookies: CookieJar = field(default_factory=CookieJar)

    def post(self, path: str, **params: Any) -> Values:
        """The whole JSON-RPC answer."""
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies))
        request = urllib.request.Request(
            self.address.url + path,
            data=json.dumps({"jsonrpc": "2.0", "method": "call", "id": 7, "params": params}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with opener.open(request, timeout=60) as reply:
            answer: Values = json.load(reply)
        return answer

    def log_in(self) -> Values:
        """A session for the address's user."""
        who = self.address
        return self.post("/web/session/authenticate", db=who.database, login=who.user, password=who.password)

    def call(self, model: str, method: str, *args: Any, **kwargs: Any) -> Values:
        """One method of one model in the session."""
        path = f"/web/dataset/call_kw/{model}/{method}"
        return self.post(path, model=model, method=method, args=list(args), kwargs=kwargs)
