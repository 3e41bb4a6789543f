"""Odoo does not notice that its caller is gone: what such a call commits late is made good, whatever came in between.

Each test holds a call in Odoo, ends its caller (killed, or out of patience), delivers something newer, and only then lets the call
go on to its commit.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from sandbox.odoo import Fault
from tests.fixtures.delivery import OperationalEnd, customer, deleted, line, order, product

PATIENCE_S = 2.0

pytestmark = pytest.mark.slow

_CHILD = """
    import sys
    from pydantic import SecretStr
    from config.settings import Connection, DeliverySettings, OdooSettings, StateSettings
    from loaders.delivering.delivery import Deliverer
    state = StateSettings(connection=Connection(dsn=sys.argv[1]), db_schema="causeway")
    odoo = OdooSettings(url=sys.argv[2], database="odoo", user="admin", password=SecretStr("admin"), prefix="cw")
    Deliverer(state, odoo, DeliverySettings()).run_once()
"""
_LINES = "SELECT sequence, product_uom_qty::int FROM sale_order_line ORDER BY sequence"
_ORDERS = "SELECT name, state, client_order_ref FROM sale_order ORDER BY name"


def killed(lane: OperationalEnd) -> None:
    """A deliverer is killed while its call is in Odoo."""
    command = [sys.executable, "-c", textwrap.dedent(_CHILD), lane.state.connection.dsn, lane.odoo.url]
    child = subprocess.Popen(command, env=os.environ | {"LOGURU_LEVEL": "WARNING"})
    wait_until(lambda: "delay" in lane.odoo.faults.happened)
    child.kill()
    child.wait()


def out_of_patience(lane: OperationalEnd) -> None:
    """A deliverer waits for its reply for as long as it may."""
    assert lane.deliverer.run_once().error is not None


@pytest.fixture(params=[killed, out_of_patience])
def end_the_caller(request: pytest.FixtureRequest, lane: OperationalEnd) -> Callable[[OperationalEnd], None]:
    lane.change_patience(PATIENCE_S)
    ends: Callable[[OperationalEnd], None] = request.param
    return ends


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.01)


@contextmanager
def a_late_call(
    lane: OperationalEnd, end_the_caller: Callable[[OperationalEnd], None], model: str, method: str, late: str
) -> Iterator[None]:
    """Hold the next such call beyond its caller's end; what is done inside is delivered before it goes on.

    `late`: a condition on Odoo's database that is true after the call's commit only.
    """
    go_on = threading.Event()
    lane.odoo.faults.add(Fault(kind="delay", delay_s=60, until=go_on, model=model, method=method))
    try:
        end_the_caller(lane)
        yield
        wait_until(lambda: lane.deliverer.run_once().worked or no_longer_pending(lane))
        wait_until(lambda: not lane.deliverer.run_once().worked and no_longer_pending(lane))
        assert not is_true(lane, late)
    finally:
        go_on.set()
    wait_until(lambda: is_true(lane, late))
    assert lane.deliverer.backlog().rechecks > 0
    assert lane.deliverer.backlog().pending > 0
    lane.deliver_all()
    assert set(lane.statuses().values()) == {"delivered"}


def no_longer_pending(lane: OperationalEnd) -> bool:
    return "pending" not in lane.statuses().values()


def is_true(lane: OperationalEnd, condition: str) -> bool:
    return lane.odoo_rows(f"SELECT {condition}") == [(True,)]


def an_order(lane: OperationalEnd, **fields: Any) -> None:
    lane.arrive(customer(), product(), order(**fields), line(), line(key="o1-2", line_number=2))


@pytest.mark.parametrize(("status", "model"), [("draft", "sale.order.line"), ("confirmed", "sale.order")])
def test_a_line_that_was_deleted_before_a_late_load_does_not_stay(
    lane: OperationalEnd, end_the_caller: Callable[[OperationalEnd], None], status: str, model: str
) -> None:
    if model == "sale.order.line":
        lane.arrive(customer(), product(), order(status=status))
        lane.deliver()
        lane.arrive(line(), line(key="o1-2", line_number=2))
    else:
        an_order(lane, status=status)
    with a_late_call(lane, end_the_caller, model, "load", "count(*) = 2 FROM sale_order_line"):
        lane.arrive(deleted("sales_order_line", "shop", "o1-2"))
    assert [row for row in lane.odoo_rows(_LINES) if row[1]] == [(1, 2)]


def test_a_lines_newer_quantity_outlives_a_late_load(
    lane: OperationalEnd, end_the_caller: Callable[[OperationalEnd], None]
) -> None:
    an_order(lane)
    late = "product_uom_qty = 2 FROM sale_order_line WHERE sequence = 1"
    with a_late_call(lane, end_the_caller, "sale.order", "load", late):
        lane.arrive(line(quantity="7"))
    assert lane.odoo_rows(_LINES) == [(1, 7), (2, 2)]


def test_an_order_that_was_deleted_before_a_late_load_is_cancelled(
    lane: OperationalEnd, end_the_caller: Callable[[OperationalEnd], None]
) -> None:
    an_order(lane)
    with a_late_call(lane, end_the_caller, "sale.order", "load", "count(*) = 1 FROM sale_order"):
        lane.arrive(*(deleted("sales_order_line", "shop", key) for key in ("o1-1", "o1-2")))
        lane.arrive(deleted("sales_order", "shop", "o1"))
    assert lane.odoo_rows(_ORDERS) == [("SO-o1", "cancel", "SO-o1")]


def test_an_orders_newer_reference_outlives_a_late_load(
    lane: OperationalEnd, end_the_caller: Callable[[OperationalEnd], None]
) -> None:
    an_order(lane, client_reference="old")
    late = "client_order_ref = 'old' FROM sale_order"
    with a_late_call(lane, end_the_caller, "sale.order", "load", late):
        lane.arrive(order(client_reference="new"))
    assert lane.odoo_rows(_ORDERS) == [("SO-o1", "sale", "new")]


def test_an_order_that_was_opened_again_before_a_late_cancellation_is_confirmed(
    lane: OperationalEnd, end_the_caller: Callable[[OperationalEnd], None]
) -> None:
    an_order(lane)
    lane.deliver()
    lane.arrive(order(status="cancelled"))
    with a_late_call(lane, end_the_caller, "sale.order", "action_cancel", "state = 'cancel' FROM sale_order"):
        lane.arrive(order(status="confirmed"))
    assert lane.odoo_rows(_ORDERS) == [("SO-o1", "sale", "SO-o1")]


def test_a_product_that_was_deleted_before_a_late_load_is_archived(
    lane: OperationalEnd, end_the_caller: Callable[[OperationalEnd], None]
) -> None:
    lane.arrive(product())
    with a_late_call(lane, end_the_caller, "product.product", "load", "count(*) = 1 FROM product_product"):
        lane.arrive(deleted("product", "shop", "p1"))
    assert lane.odoo_rows("SELECT active FROM product_product") == [(False,)]


def test_an_order_whose_reply_was_lost_is_cancelled_when_it_is_deleted_before_the_next_attempt(
    lane: OperationalEnd,
) -> None:
    lane.change_patience(0.5)
    an_order(lane)
    lane.odoo.faults.add(Fault(kind="drop_reply", model="sale.order", method="load"))
    assert lane.deliverer.run_once().error is not None
    lane.arrive(deleted("sales_order", "shop", "o1"))
    lane.deliver_all()
    assert lane.odoo_rows(_ORDERS) == [("SO-o1", "cancel", "SO-o1")]


def be_over(lane: OperationalEnd) -> None:
    """Let the time pass that Odoo may go on with calls left behind."""

    def found() -> bool:
        lane.deliver()
        return lane.rows("SELECT 1 FROM calls_under_way WHERE left_at IS NULL") == []

    wait_until(found)
    lane.rows("UPDATE calls_under_way SET left_at = left_at - interval '1 hour' RETURNING batch_id")


def test_what_a_living_deliverer_is_about_is_not_looked_at_again(lane: OperationalEnd) -> None:
    other = lane.new_deliverer()
    an_order(lane)
    other._connected().rechecks.begin(other._connected().claims.records("customer", "load", 10))
    lane.deliver()
    assert lane.rows("SELECT left_at FROM calls_under_way") == [(None,)]
    other.close()
    be_over(lane)
    lane.deliver_all()
    assert lane.rows("SELECT * FROM calls_under_way") == []


def test_what_another_deliverer_works_on_is_looked_at_after_it(lane: OperationalEnd) -> None:
    lane.arrive(product(), product(key="p2"))
    gone = lane.new_deliverer()
    gone._connected().rechecks.begin(gone._connected().claims.records("product", "load", 10))
    gone.close()
    lane.deliver()
    lane.arrive(product(name="Nut"))
    other = lane.new_deliverer()
    assert len(other._connected().claims.records("product", "load", 10)) == 1
    be_over(lane)
    lane.deliver()
    assert lane.rows("SELECT record_ids FROM calls_under_way") == [(["product:shop:p1"],)]
    other.close()
    lane.deliver_all()
    assert lane.rows("SELECT * FROM calls_under_way") == []


def test_an_odoo_that_is_away_leaves_nothing_to_look_at_again(lane: OperationalEnd) -> None:
    lane.odoo.stop()
    an_order(lane)
    for _ in range(3):
        assert lane.deliverer.run_once().error is not None
        time.sleep(0.1)
    assert lane.rows("SELECT * FROM calls_under_way") == []
    assert lane.deliverer.backlog().rechecks == 0
