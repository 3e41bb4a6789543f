"""The table of seeded exceptions is worked out from the seed alone."""

from __future__ import annotations

from collections import Counter
from typing import get_args

import pytest

from sandbox.day.exceptions import Kind, order_slots, seeded_exceptions


def test_a_seed_gives_the_same_table_every_time() -> None:
    first = seeded_exceptions(3, 500)
    seeded_exceptions.cache_clear()
    order_slots.cache_clear()
    assert seeded_exceptions(3, 500) == first
    assert seeded_exceptions(4, 500) != first


def test_a_day_has_three_to_thirteen_of_every_kind() -> None:
    counts = Counter(exception.kind for exception in seeded_exceptions(7, 2000))
    assert set(counts) == set(get_args(Kind))
    assert all(3 <= count <= 13 for count in counts.values())


def test_the_smallest_day_still_has_every_kind() -> None:
    assert {exception.kind for exception in seeded_exceptions(7, 100)} == set(get_args(Kind))
    with pytest.raises(ValueError, match="at least 100 orders"):
        seeded_exceptions(7, 99)


@pytest.mark.parametrize("seed", range(8))
def test_an_order_carries_one_kind_but_for_the_captured_payment_of_a_cancelled_one(seed: int) -> None:
    kinds: dict[tuple[str, str], set[str]] = {}
    for exception in seeded_exceptions(seed, 2000):
        kinds.setdefault((exception.source, exception.source_key), set()).add(exception.kind)
    several = {frozenset(found) for found in kinds.values() if len(found) > 1}
    assert several == {frozenset({"captured_not_refunded", "cancelled_before_shipping"})}


@pytest.mark.parametrize("seed", range(8))
def test_the_marketplaces_first_order_is_plain_so_that_a_duplicate_has_an_original(seed: int) -> None:
    assert next(slot for slot in order_slots(seed, 200) if slot.channel == "market").kind is None
