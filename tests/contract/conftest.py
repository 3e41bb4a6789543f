"""`odoo`: an Odoo for one test: the stand-in over JSON-RPC and over JSON-2, and (marked `odoo`) a real one over JSON-RPC.

`sales`: a customer and products in it. `bridge`: the operational lane's end, which delivers to it under this test's own prefix.

`either`: that over a stand-in of the test's own, and over the real one where CAUSEWAY_TEST_ODOO_DSN says how its rows are read; what it
makes in Odoo carries its prefix. `end`: the same, whose Odoo has the channel's tax (workflows).
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Literal

import pytest
from pydantic import SecretStr

from config.settings import Connection, OdooSettings, StateSettings
from loaders.odoo.client import OdooClient
from sandbox.odoo import StandInOdoo
from sandbox.postgres import EmbeddedPostgres
from tests.contract.client import Address, Odoo, Web
from tests.contract.json2 import Json2Rpc
from tests.contract.sales import Sales
from tests.contract.workflows import taxed
from tests.fixtures.delivery import OdooEnd
from tests.fixtures.postgres import FreshDatabase

_RUN = f"{int(time.time()):x}"
_numbers = itertools.count(1)


_KEY = "a-key"
# What JSON-RPC's own routes and errors are like, and what is not about a protocol.
_JSON_RPC_ONLY = ("test_errors", "test_web_session", "test_capture", "test_confirmations")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what is about JSON-RPC where the protocol is JSON-2."""
    items[:] = [one for one in items if not ("[json2" in one.name and one.path.stem in _JSON_RPC_ONLY)]


@pytest.fixture(scope="session")
def stand_in(postgres: EmbeddedPostgres) -> Iterator[StandInOdoo]:
    """Start it once a run; it speaks both protocols."""
    with StandInOdoo(postgres.create_database("odoo_contract"), api_key=_KEY, json2=True) as server:
        yield server


@pytest.fixture(scope="session")
def real() -> Odoo:
    """A real Odoo, logged in to as the address's user."""
    return _opened(_real_address())


@pytest.fixture(scope="session", params=["stand_in", "json2", pytest.param("real", marks=pytest.mark.odoo)])
def logged_in(request: pytest.FixtureRequest) -> Odoo:
    """Log in once a run."""
    if request.param == "real":
        found: Odoo = request.getfixturevalue("real")
        return found
    server: StandInOdoo = request.getfixturevalue("stand_in")
    address = Address(url=server.url, database=server.database, user=server.user, password=server.password)
    if request.param == "json2":
        return Odoo(address=address, rpc=Json2Rpc(server.url, server.database, _KEY))
    return _opened(address)


def _real_address() -> Address:
    given = {key: os.environ.get(f"CAUSEWAY_TEST_ODOO_{key}", "") for key in ("URL", "DB", "USER", "PASSWORD")}
    return Address(
        url=given["URL"].rstrip("/"),
        database=given["DB"] or "odoo",
        user=given["USER"] or "admin",
        password=given["PASSWORD"] or "admin",
    )


def _opened(address: Address) -> Odoo:
    rpc = address.connect()
    rpc.login(address.database, address.user, address.password)
    return Odoo(address=address, rpc=rpc)


@pytest.fixture
def odoo(logged_in: Odoo) -> Odoo:
    """The Odoo, with a prefix for this test's external ids."""
    return replace(logged_in, prefix=f"r{_RUN}t{next(_numbers)}")


@pytest.fixture
def web(odoo: Odoo) -> Web:
    """A fresh browser session, not logged in."""
    return Web(address=odoo.address)


@pytest.fixture
def sales(odoo: Odoo) -> Sales:
    """A customer and products to sell."""
    return Sales.prepared(odoo)


@pytest.fixture
def bridge(odoo: Odoo, database: FreshDatabase) -> Iterator[OdooEnd]:
    """See the module. Ask `odoo` for what Odoo has."""
    protocol: Literal["jsonrpc", "json2"] = "json2" if isinstance(odoo.rpc, Json2Rpc) else "jsonrpc"
    with closing(_end_over(odoo.address, odoo.prefix, database, protocol=protocol)) as end:
        yield end


@pytest.fixture(params=["stand_in", pytest.param("real", marks=pytest.mark.odoo)])
def either(request: pytest.FixtureRequest, database: FreshDatabase) -> Iterator[OdooEnd]:
    """See the module."""
    if request.param == "stand_in":
        yield request.getfixturevalue("lane")
        return
    prefix = f"w{_RUN}t{next(_numbers)}"
    with closing(_end_over(_real_address(), prefix, database, odoo_dsn=_real_dsn())) as end:
        yield end


def _end_over(
    address: Address,
    prefix: str,
    database: FreshDatabase,
    *,
    odoo_dsn: str = "",
    protocol: Literal["jsonrpc", "json2"] = "jsonrpc",
) -> OdooEnd:
    settings = OdooSettings(
        url=address.url,
        database=address.database,
        user=address.user,
        password=SecretStr(address.password),
        api_key=SecretStr(_KEY),
        protocol=protocol,
        prefix=prefix,
    )
    state = StateSettings(connection=Connection(dsn=database.dsn), db_schema="causeway")
    return OdooEnd(state=state, odoo_settings=settings, odoo_dsn=odoo_dsn)


@pytest.fixture
def end(either: OdooEnd) -> Iterator[OdooEnd]:
    """Put the tax away when the test is over: others use that Odoo."""
    tax, settings = taxed(either), either.odoo_settings
    yield either
    with closing(OdooClient(settings)) as client:
        client.write("account.tax", [tax], {"active": False})


@pytest.fixture
def odoo_dsn(odoo: Odoo, postgres: EmbeddedPostgres) -> str:
    """How the Odoo's database is reached."""
    return _real_dsn() if odoo.address == _real_address() else postgres.dsn("odoo_contract")


def _real_dsn() -> str:
    given = os.environ.get("CAUSEWAY_TEST_ODOO_DSN")
    if not given:
        pytest.skip("CAUSEWAY_TEST_ODOO_DSN is not set: the real Odoo's database can't be read")
    return given
