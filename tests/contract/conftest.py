"""`odoo`: an Odoo for one test: the stand-in over JSON-RPC and over JSON-2, and (marked `odoo`) a real one over JSON-RPC.

`sales`: a customer and products in it. `bridge`: the operational lane's end, which delivers to it under this test's own prefix.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import cast

import pytest
from pydantic import SecretStr

from config.settings import Connection, DeliverySettings, OdooSettings, StateSettings
from loaders.delivery import Deliverer
from loaders.outbox import Outbox
from sandbox.odoo import StandInOdoo
from sandbox.postgres import EmbeddedPostgres
from tests.contract.client import Address, Odoo, Web
from tests.contract.json2 import Json2Rpc
from tests.contract.sales import Sales
from tests.fixtures.delivery import PRIORITIES, GivenChanges, OperationalEnd, no_fetch
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
def bridge(odoo: Odoo, database: FreshDatabase) -> Iterator[OperationalEnd]:
    """See the module. It has no server of its own: ask `odoo` for what Odoo has."""
    state = StateSettings(connection=Connection(dsn=database.dsn), db_schema="causeway")
    who, delivery, mapper = odoo.address, DeliverySettings(), GivenChanges()
    settings = OdooSettings(
        url=who.url,
        database=who.database,
        user=who.user,
        password=SecretStr(who.password),
        api_key=SecretStr(_KEY),
        protocol="json2" if isinstance(odoo.rpc, Json2Rpc) else "jsonrpc",
        prefix=odoo.prefix,
    )
    end = OperationalEnd(
        state=state,
        odoo_settings=settings,
        delivery=delivery,
        odoo=cast("StandInOdoo", None),
        odoo_dsn="",
        outbox=Outbox(state, mapper, no_fetch, PRIORITIES),
        mapper=mapper,
        deliverer=Deliverer(state, settings, delivery),
    )
    yield end
    end.close()


@pytest.fixture
def odoo_dsn(odoo: Odoo, postgres: EmbeddedPostgres) -> str:
    """How the Odoo's database is reached."""
    if odoo.address != _real_address():
        return postgres.dsn("odoo_contract")
    given = os.environ.get("CAUSEWAY_TEST_ODOO_DSN")
    if not given:
        pytest.skip("CAUSEWAY_TEST_ODOO_DSN is not set: the real Odoo's database can't be captured")
    return given
