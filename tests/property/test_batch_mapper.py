"""Whatever the changes are and however they are cut into batches, what the mapper says adds up to what the table holds."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from cdc.relation import Relation
from tests.unit.transforms.batches import TRUNCATE, Row, batch, changes, key, line
from tests.unit.transforms.relations import LINES_SQL, compiled
from transforms.changes import Delete, Mapped, TruncateAll, Upsert
from transforms.lastchanges import Found
from transforms.mapper import BatchMapper

MAPPER = BatchMapper([compiled(LINES_SQL + " WHERE qty > 0")])

# What is tried on one of four rows: set it to a quantity (0 is filtered out), delete it, move it to another key, or truncate.
ATTEMPTS = st.lists(
    st.tuples(
        st.sampled_from(["set", "set", "set", "delete", "move", "truncate"]), st.integers(1, 4), st.integers(0, 3)
    ),
    max_size=20,
)


def no_fetch(relation: Relation, keys: pa.Table, xids: frozenset[int]) -> Found:
    raise AssertionError("nothing was to be fetched")


def play(attempts: list[tuple[str, int, int]]) -> tuple[list[tuple[str, Row]], dict[int, int]]:
    """The changes that a source would log for these attempts, and what the table then holds."""
    table: dict[int, int] = {}
    log: list[tuple[str, Row]] = []
    for what, number, quantity in attempts:
        if what == "truncate" and quantity == 0:
            table.clear()
            log.append(("t", TRUNCATE))
        elif what == "set":
            log.append(("u" if number in table else "i", line(1, number, quantity=f"{quantity}.000")))
            table[number] = quantity
        elif what == "delete" and table.pop(number, None) is not None:
            log.append(("d", key(1, number)))
        elif what == "move" and number in table and quantity + 1 not in table:
            moved = table.pop(number)
            log += [("d", key(1, number)), ("i", line(1, quantity + 1, quantity=f"{moved}.000"))]
            table[quantity + 1] = moved
    return log, table


def apply(records: dict[str, Decimal], said: list[Mapped]) -> None:
    """What an outbox does."""
    for each in said:
        if isinstance(each, Upsert):
            records[each.source_key] = each.record.business_values()["quantity"]
        elif isinstance(each, TruncateAll):
            records.clear()
        else:
            assert isinstance(each, Delete)
            records.pop(each.source_key, None)


@given(attempts=ATTEMPTS, cuts=st.lists(st.integers(0, 25), max_size=3))
@settings(max_examples=150, deadline=None)
def test_the_records_are_the_rows_that_are_kept(attempts: list[tuple[str, int, int]], cuts: list[int]) -> None:
    log, table = play(attempts)
    records: dict[str, Decimal] = {}
    edges = [0, *sorted(min(cut, len(log)) for cut in cuts), len(log)]
    for start, end in pairwise(edges):
        apply(records, MAPPER.map(batch(changes(*log[start:end])), no_fetch))
    assert records == {f"1-{number}": Decimal(quantity) for number, quantity in table.items() if quantity > 0}
