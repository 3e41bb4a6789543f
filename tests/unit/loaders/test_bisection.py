"""Actions on lists: one bad member is found, the others are acted on."""

from __future__ import annotations

import pytest

from config.errors import ErrorKind
from loaders.delivering.bisection import each_or_refused
from loaders.odoo.odoo_errors import OdooError


@pytest.mark.parametrize("bad", [{3}, {0, 99}, set(range(100)), set()])
def test_only_the_bad_ones_are_refused(bad: set[int]) -> None:
    done: set[int] = set()

    def act(ids: list[int]) -> bool:
        if bad & set(ids):
            raise OdooError(ErrorKind.REFUSED, "no")
        done.update(ids)
        return True

    refused = each_or_refused(act, range(100), at_once=50)
    assert set(refused) == bad
    assert done == set(range(100)) - bad


def test_a_dialog_is_a_refusal_for_nothing_has_happened() -> None:
    refused = each_or_refused(lambda _: {"name": "Create Backorder?", "res_model": "stock.backorder.confirmation"}, [1])
    assert refused == {1: "Odoo asks a person first: Create Backorder?"}


def test_what_is_no_records_fault_is_raised() -> None:
    def act(_: list[int]) -> None:
        raise OdooError(ErrorKind.UNKNOWN_OUTCOME, "lost")

    with pytest.raises(OdooError):
        each_or_refused(act, [1, 2])


def _sizes(seconds_a_record: float, records: int, at_once: int) -> list[int]:
    now, sizes = 0.0, list[int]()

    def act(ids: list[int]) -> bool:
        nonlocal now
        now += seconds_a_record * len(ids)
        sizes.append(len(ids))
        return True

    each_or_refused(act, range(records), at_once, clock=lambda: now)
    return sizes


def test_a_quick_odoo_gets_as_many_at_once_as_it_may() -> None:
    assert _sizes(0.01, 160, at_once=50) == [10, 50, 50, 50]


def test_a_slow_one_gets_as_many_as_take_about_ten_seconds() -> None:
    assert _sizes(0.5, 60, at_once=50) == [10, 20, 20, 10]
    assert _sizes(20.0, 13, at_once=50) == [10, 1, 1, 1]
