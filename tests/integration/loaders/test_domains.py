"""Domains that are held, scheduled or away: nothing is dropped, and what is open goes on."""

from __future__ import annotations

import time
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from config.policies import Domain, DomainPolicy, Mode, Policies
from loaders.delivering.circuit import FAILURES_TO_OPEN, CircuitState
from loaders.delivering.delivery import Deliverer
from loaders.delivering.service_levels import DomainSwitches
from tests.fixtures.delivery import OperationalEnd, customer, line, order, product


def _deliverer(lane: OperationalEnd, *, at_once: bool = False, **domains: DomainPolicy) -> Deliverer:
    policies = Policies(domains={Domain(name): policy for name, policy in domains.items()})
    return Deliverer(lane.state, lane.odoo_settings, lane.delivery, policies=policies, at_once=at_once)


def _switches(lane: OperationalEnd) -> DomainSwitches:
    return DomainSwitches(lane.state, Policies())


def test_a_held_domain_keeps_its_records_and_the_others_go_on(lane: OperationalEnd) -> None:
    lane.arrive(customer(), product(), order(), line())
    with closing(_deliverer(lane, orders=DomainPolicy(mode=Mode.HELD))) as holding:
        assert holding.run_once().error is None
        assert lane.status("customer:shop:c1") == lane.status("product:shop:p1") == "delivered"
        assert lane.status("sales_order:shop:o1") == lane.status("sales_order_line:shop:o1-1") == "pending"
        assert not holding.anything_left()
        assert holding.status()["held"] == ["orders"]
    lane.deliver()
    assert set(lane.statuses().values()) == {"delivered"}


def test_a_person_holds_a_domain_and_releases_it(lane: OperationalEnd) -> None:
    lane.arrive(customer(), product())
    with _switches(lane) as switches:
        switches.hold(Domain.PRODUCTS, by="Ada", reason="price list is being changed")
        lane.deliver()
        assert (lane.status("customer:shop:c1"), lane.status("product:shop:p1")) == ("delivered", "pending")
        said = next(one for one in switches.report() if one.domain == "products")
        assert (said.mode, said.held_by, said.reason, said.pending) == ("held", "Ada", "price list is being changed", 1)
        assert switches.release(Domain.PRODUCTS)
        assert not switches.release(Domain.PRODUCTS)
    with closing(lane.new_deliverer()) as later:
        later.run_once()
    assert lane.status("product:shop:p1") == "delivered"


def test_a_scheduled_domain_is_worked_off_at_its_time_and_closes_again(lane: OperationalEnd) -> None:
    nightly = DomainPolicy(deliver="0 2 * * *")
    lane.arrive(product())
    with closing(_deliverer(lane, products=nightly)) as before:
        before.run_once()
        assert lane.status("product:shop:p1") == "pending"
    yesterday = datetime.now(UTC) - timedelta(days=1, hours=1)
    lane.rows("INSERT INTO domain_switches (domain, worked_off_at) VALUES ('products', %s) RETURNING 1", yesterday)
    with closing(_deliverer(lane, products=nightly)) as missed:
        missed.run_once()
        assert lane.status("product:shop:p1") == "delivered"
        lane.arrive(product(name="Bolt, longer"))
        missed.run_once()
        assert lane.status("product:shop:p1") == "pending"


def test_a_run_that_is_to_end_waits_for_no_schedule(lane: OperationalEnd) -> None:
    lane.arrive(product())
    with closing(_deliverer(lane, at_once=True, products=DomainPolicy(deliver="0 2 * * *"))) as ending:
        ending.run_once()
    assert lane.status("product:shop:p1") == "delivered"


def test_the_age_at_delivery_is_kept_with_each_delivery(lane: OperationalEnd) -> None:
    lane.arrive(customer())
    lane.deliver()
    ((age_s,),) = lane.rows("SELECT age_s FROM deliveries")
    ((committed_at, finished_at),) = lane.rows(
        "SELECT outbox.committed_at, finished_at FROM outbox JOIN deliveries USING (record_id)"
    )
    assert age_s == pytest.approx((finished_at - committed_at).total_seconds(), abs=0.01)
    assert lane.deliverer.status()["domains"]["customers"]["delivered"] == 1
    with DomainSwitches(lane.state, Policies(domains={Domain.CUSTOMERS: DomainPolicy(service_level_s=1)})) as switches:
        said = next(one for one in switches.report() if one.domain == "customers")
    assert (said.delivered, said.kept_ratio) == (1, 0.0 if age_s > 1 else 1.0)


def test_an_odoo_that_is_away_is_tried_with_one_call_before_work_is_claimed(lane: OperationalEnd) -> None:
    lane.arrive(customer())
    lane.odoo.stop()
    for _ in range(FAILURES_TO_OPEN):
        time.sleep(lane.deliverer.run_once().wait_s)
    assert lane.deliverer.status()["circuit"] == CircuitState.OPEN
    assert lane.rows("SELECT count(*) FROM calls_under_way") == [(0,)]
    lane.odoo.start()
    lane.deliver_all()
    assert lane.deliverer.status()["circuit"] == CircuitState.CLOSED
    assert lane.status("customer:shop:c1") == "delivered"
