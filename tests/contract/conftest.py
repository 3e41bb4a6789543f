"""`odoo`: an Odoo for one test, the stand-in and (marked `odoo`) a real one. `sales`: a customer and products in it."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from sandbox.odoo import StandInOdoo
from sandbox.postgres import EmbeddedPostgres
from tests.contract.client import Address, Odoo, Web
from tests.contract.sales import Sales

_RUN = f"{int(time.time()):x}"
_numbers = itertools.count(1)


@pytest.fixture(scope="session", params=["stand_in", pytest.param("real", marks=pytest.mark.odoo)])
def logged_in(request: pytest.FixtureRequest) -> Iterator[Odoo]:
    """Log in once a run."""
    if request.param == "real":
        yield _opened(_real_address())
        return
    postgres: EmbeddedPostgres = request.getfixturevalue("postgres")
    with StandInOdoo(postgres.create_database("odoo_contract"), api_key="a-key") as server:
        yield _opened(Address(url=server.url, database=server.database, user=server.user, password=server.password))


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
