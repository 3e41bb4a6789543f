"""Delivery on a bad day: throttling, an Odoo that is away, kills at every step. Nothing lost, nothing twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from config.errors import CausewayError, ErrorKind
from sandbox.odoo import Fault
from tests.fixtures.delivery import (
    OperationalEnd,
    address,
    customer,
    line,
    order,
    product,
    shipment,
    shipment_line,
)

PATIENCE_S = 2.0


@pytest.fixture(autouse=True)
def _impatient(lane: OperationalEnd) -> None:
    """A call whose end nobody saw is over after so long; it is made good only then."""
    lane.change_patience(PATIENCE_S)


def a_small_day(lane: OperationalEnd) -> None:
    lane.arrive(customer(), address(), product(), product(key="p2"))
    for number in range(6):
        key = f"o{number}"
        lane.arrive(
            order(key=key, delivery_address_key="a1", status="cancelled" if number == 5 else "confirmed"),
            line(key=f"{key}-1", order_key=key, quantity="3"),
            line(key=f"{key}-2", order_key=key, line_number=2, product_key="p2", quantity="1"),
        )
    for number in range(4):
        key = f"s{number}"
        lane.arrive(
            shipment(key=key, order_number=f"SO-o{number}", is_final=number == 1),
            shipment_line(key=f"{key}-1", shipment_key=key, quantity="3" if number else "2"),
        )
    lane.arrive(
        shipment_line(key="s2-2", shipment_key="s2", line_number=2, product_sku="SKU-p1", substitutes_sku="SKU-p2",
                      order_line_number=2, quantity="1"),
    )  # fmt: skip


def the_day_is_in_odoo_once(lane: OperationalEnd) -> None:
    assert set(lane.statuses().values()) == {"delivered"}
    assert lane.odoo_rows("SELECT name, state FROM sale_order ORDER BY name") == [
        (f"SO-o{number}", "cancel" if number == 5 else "sale") for number in range(6)
    ]
    lines = lane.odoo_rows(
        "SELECT o.name, array_agg(l.product_uom_qty::int ORDER BY l.sequence, l.id),"
        " array_agg(l.qty_delivered::int ORDER BY l.sequence, l.id)"
        " FROM sale_order_line l JOIN sale_order o ON o.id = l.order_id GROUP BY 1 ORDER BY 1"
    )
    assert lines == [
        ("SO-o0", [3, 1], [2, 0]),
        ("SO-o1", [3, 1], [3, 0]),
        ("SO-o2", [3, 0, 1], [3, 0, 1]),
        ("SO-o3", [3, 1], [3, 0]),
        ("SO-o4", [3, 1], [0, 0]),
        ("SO-o5", [3, 1], [0, 0]),
    ]
    assert lane.odoo_rows("SELECT sum(quantity)::int FROM stock_move WHERE state = 'done'") == [(2 + 3 + 4 + 3,)]
    partners = "SELECT count(*) FROM ir_model_data WHERE module = 'cw' AND model = 'res.partner'"
    assert lane.odoo_rows(partners) == [(2,)]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind="status", status=429, times=3),
        Fault(kind="status", status=503, times=3),
        Fault(kind="status", status=504, times=2),
        Fault(kind="refuse_connection", times=3),
        Fault(kind="html", times=2),
        Fault(kind="serialization", times=3, method="load"),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}",
)
def test_a_failure_that_passes_costs_nothing_but_time(lane: OperationalEnd, fault: Fault) -> None:
    a_small_day(lane)
    lane.odoo.faults.add(fault)
    lane.deliver_all()
    the_day_is_in_odoo_once(lane)


def test_throttling_waits_as_long_as_the_server_asks(lane: OperationalEnd) -> None:
    lane.arrive(customer())
    lane.odoo.faults.add(Fault(kind="status", status=429, retry_after_s=7))
    report = lane.deliverer.run_once()
    assert report.error is not None
    assert report.wait_s >= 7
    assert 0 < lane.deliverer.run_once().wait_s <= 7
    assert lane.rows("SELECT attempts FROM outbox") == [(0,)]


def test_an_expired_session_is_renewed(lane: OperationalEnd) -> None:
    lane.arrive(customer())
    lane.deliver()
    lane.odoo.sessions.expire_all()
    lane.arrive(product())
    lane.deliver()
    assert set(lane.statuses().values()) == {"delivered"}


def test_odoo_away_and_back_delivers_everything(lane: OperationalEnd) -> None:
    lane.odoo.stop()
    a_small_day(lane)
    for _ in range(5):
        assert not lane.deliverer.run_once().worked
    assert lane.rows("SELECT count(*) FROM outbox WHERE status = 'dead' OR attempts > 0") == [(0,)]
    lane.odoo.start()
    lane.deliver_all()
    the_day_is_in_odoo_once(lane)


def test_a_call_that_never_ends_costs_only_the_record_that_causes_it(lane: OperationalEnd) -> None:
    lane.arrive(*(product(key=f"p{number}") for number in range(4)))
    client = lane.deliverer._client
    call = client.call

    def poisoned(model: str, method: str, args: list[object], **named: object) -> object:
        if method == "load" and "SKU-p2" in str(args):
            raise CausewayError(ErrorKind.UNKNOWN_OUTCOME, "no reply in time")
        return call(model, method, args, **named)  # type: ignore[arg-type]

    client.call = poisoned  # type: ignore[assignment,method-assign]
    lane.deliver_all()
    assert sorted(lane.statuses().items()) == [
        ("product:shop:p0", "delivered"),
        ("product:shop:p1", "delivered"),
        ("product:shop:p2", "dead"),
        ("product:shop:p3", "delivered"),
    ]


def test_two_deliverers_share_the_work_and_do_nothing_twice(lane: OperationalEnd) -> None:
    a_small_day(lane)
    other = lane.new_deliverer()
    held = other._connected().claims.records("customer", "load", 100)
    assert len(held) == 2
    lane.deliverer.run_once()
    assert lane.status("customer:shop:c1") == "pending"
    assert lane.status("product:shop:p1") == "delivered"
    other._connected().claims.release()
    lane.deliver_all(other)
    lane.deliver_all()
    the_day_is_in_odoo_once(lane)
    other.close()


def test_while_others_deliver_too_a_batch_takes_its_share_of_what_is_due(lane: OperationalEnd) -> None:
    lane.arrive(*(product(key=f"p{number}") for number in range(120)))
    claims = lane.deliverer._connected().claims
    assert len(claims.records("product", "load", 500)) == 120
    claims.release()
    other = lane.new_deliverer()
    others = other._connected().claims
    held = [claims.records("product", "load", 500), others.records("product", "load", 500)]
    assert [len(its) for its in held] == [60, 60]
    assert len({due.record_id for its in held for due in its}) == 120
    claims.release()
    assert len(claims.records("product", "load", 10)) == 10
    claims.release()
    other.close()
    deadline = time.monotonic() + 30
    while len(claims.records("product", "load", 500)) != 120:  # its server process ends a moment later
        assert time.monotonic() < deadline, "the deliverer that is gone still has its share"
        claims.release()
        time.sleep(0.01)


_CHILD = """
    import sys, time
    from pydantic import SecretStr
    from config.settings import Connection, DeliverySettings, OdooSettings, StateSettings
    from loaders.delivering.delivery import Deliverer
    state = StateSettings(connection=Connection(dsn=sys.argv[1]), db_schema="causeway")
    odoo = OdooSettings(url=sys.argv[2], database="odoo", user="admin", password=SecretStr("admin"), prefix="cw",
                        timeout_s=float(sys.argv[3]))
    deliverer = Deliverer(state, odoo, DeliverySettings(retry_first_s=0.05, retry_longest_s=0.2))
    while (report := deliverer.run_once()).error or deliverer.backlog().pending:
        time.sleep(max(report.wait_s, 0.02))
"""


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("point", ["delivery.before_call", "delivery.after_call", "delivery.after_recorded"])
def test_a_kill_at_any_step_loses_nothing_and_repeats_nothing(lane: OperationalEnd, point: str) -> None:
    a_small_day(lane)
    for passes in range(1, 60):
        child = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(_CHILD), lane.state.connection.dsn, lane.odoo.url, str(PATIENCE_S)],
            env=os.environ | {"CAUSEWAY_FAILPOINT": f"{point}:{1 + passes % 6}", "LOGURU_LEVEL": "WARNING"},
            capture_output=True,
            text=True,
            check=False,
        )
        if child.returncode == 0:
            break
        assert child.returncode == -signal.SIGKILL, child.stderr
    lane.deliver_all()
    the_day_is_in_odoo_once(lane)
