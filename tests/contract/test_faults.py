"""Bad days between a loader and an Odoo, the stand-in or a real one: nothing twice, nothing missing, in order.

Each ends with the books of an undisturbed run of the same days.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.contract.books import books
from tests.contract.workflows import STAGES, channel_of, run, undisturbed
from tests.fixtures.delivery import OdooEnd
from tests.fixtures.faulty_odoo import FaultyOdoo
from tests.fixtures.loader_process import LoaderProcess

pytestmark = pytest.mark.timeout(900)

_OVER_S = 0.05  # a call whose reply was lost is over
_LONGEST_S = 300


@pytest.fixture
def proxy(end: OdooEnd) -> Iterator[FaultyOdoo]:
    """A proxy before the end's Odoo."""
    with FaultyOdoo(end.odoo_settings.url) as proxy:
        end.through(proxy.url)
        yield proxy


def test_replies_that_are_lost_after_the_commit_repeat_nothing(end: OdooEnd, proxy: FaultyOdoo) -> None:
    def lose_and_deliver() -> None:
        proxy.lose_each_kind()
        _deliver(end)

    run(end, lose_and_deliver)
    proxy.heal()
    assert {
        ("sale.order", "load"),
        ("sale.order", "action_confirm"),
        ("stock.picking", "button_validate"),
        ("stock.return.picking", "action_create_returns"),
    } < set(proxy.lost)
    assert len(proxy.lost) > len(set(proxy.lost))
    assert set(end.statuses().values()) == {"delivered"}
    assert books(end) == undisturbed(end)


def test_an_odoo_that_throttles_for_a_while_is_waited_for(end: OdooEnd, proxy: FaultyOdoo) -> None:
    def throttle_and_deliver() -> None:
        proxy.throttle(4)
        assert _deliver(end) == 4

    run(end, throttle_and_deliver)
    assert proxy.throttled == 4 * len(STAGES)
    assert end.rows("SELECT count(*) FROM outbox WHERE attempts > 0 OR status <> 'delivered'") == [(0,)]
    assert books(end) == undisturbed(end)


def test_two_loaders_of_which_one_is_killed_again_and_again_do_nothing_twice(end: OdooEnd) -> None:
    deaths = 0
    with LoaderProcess(end, grace_s=_OVER_S):
        for stage, failpoint in zip(STAGES, ("after_call:4", "before_call:6", "after_call:5"), strict=True):
            end.arrive(*stage(channel_of(end)))
            with LoaderProcess(end, failpoint=f"delivery.{failpoint}", grace_s=_OVER_S) as other:
                _wait_until_delivered(end)
                deaths += other.exit_code() is not None
    assert deaths > 0
    assert set(end.statuses().values()) == {"delivered"}
    assert books(end) == undisturbed(end)


def _deliver(end: OdooEnd) -> int:
    """Deliver what is due; return how often Odoo failed."""
    with closing(end.new_deliverer(grace_s=_OVER_S)) as deliverer:
        return end.deliver_all(deliverer, timeout_s=_LONGEST_S)


def _wait_until_delivered(end: OdooEnd) -> None:
    deadline = time.monotonic() + _LONGEST_S
    while end.deliverer.backlog().pending:
        assert time.monotonic() < deadline, f"still pending: {end.deliverer.backlog()}"
        time.sleep(0.05)
