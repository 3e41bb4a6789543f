"""Changes of one table: what the mirror holds is what the source held, whatever came in one batch and however it was cut."""

from __future__ import annotations

from typing import Any

import pytest

from cdc.relation import ReplicaIdentity
from tests.integration.warehouse.source_table import (
    TRUNCATE,
    Change,
    delete,
    insert,
    move,
    relation,
    snapshot,
    stream,
    table_changes,
    update,
)
from tests.integration.warehouse.traffic import TrafficSource
from warehouse.mirror import Mirror
from warehouse.store import Warehouse

ORDERS = relation()


def rows(warehouse: Warehouse, table: str = "shop.orders") -> list[tuple[Any, ...]]:
    with warehouse.cursor() as cursor:
        return cursor.execute(f"SELECT * FROM {table} ORDER BY ALL").fetchall()


@pytest.fixture
def started(mirror: Mirror) -> Mirror:
    """A mirror of shop.orders with rows 1 and 2, durable at LSN 10."""
    mirror.begin_snapshot("shop", [ORDERS])
    first = [insert(id="1", name="a", big="A" * 20), insert(id="2", name="b", big="B" * 20)]
    mirror.apply(snapshot(10, table_changes(ORDERS, first)))
    return mirror


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([insert(id="3", name="c", big=None)], [(1, "a", "A" * 20), (2, "b", "B" * 20), (3, "c", None)]),
        ([update(id="1", name="z", big="y")], [(1, "z", "y"), (2, "b", "B" * 20)]),
        ([delete(id="1")], [(2, "b", "B" * 20)]),
        ([delete(id="1"), insert(id="1", name="n", big="m")], [(1, "n", "m"), (2, "b", "B" * 20)]),
        ([insert(id="3", name="c", big="C"), delete(id="3")], [(1, "a", "A" * 20), (2, "b", "B" * 20)]),
        ([update("big", id="1", name="z", big=None)], [(1, "z", "A" * 20), (2, "b", "B" * 20)]),
        (
            [insert(id="3", name="c", big="C"), update("big", id="3", name="d", big=None)],
            [(1, "a", "A" * 20), (2, "b", "B" * 20), (3, "d", "C")],
        ),
        (
            [update(id="1", name="a", big="new"), update("big", id="1", name="z", big=None)],
            [(1, "z", "new"), (2, "b", "B" * 20)],
        ),
        (
            [update(id="1", name="a", big=None), update("big", id="1", name="z", big=None)],
            [(1, "z", None), (2, "b", "B" * 20)],
        ),
        (
            [
                update("big", id="1", name="z"),
                delete(id="1"),
                insert(id="1", name="n", big=None),
                update("big", id="1", name="o"),
            ],
            [(1, "o", None), (2, "b", "B" * 20)],
        ),
        ([move({"id": "1"}, "big", id="9", name="a")], [(2, "b", "B" * 20), (9, "a", "A" * 20)]),
        (
            [move({"id": "1"}, "big", id="9", name="a"), update("big", id="9", name="z")],
            [(2, "b", "B" * 20), (9, "z", "A" * 20)],
        ),
        (
            [update(id="1", name="a", big="new"), move({"id": "1"}, "big", id="9", name="a")],
            [(2, "b", "B" * 20), (9, "a", "new")],
        ),
        (
            [move({"id": "1"}, "big", id="9", name="a"), move({"id": "9"}, "big", id="10", name="x")],
            [(2, "b", "B" * 20), (10, "x", "A" * 20)],
        ),
        (  # two rows swap their keys
            [
                move({"id": "1"}, "big", id="9", name="a"),
                move({"id": "2"}, "big", id="1", name="b"),
                move({"id": "9"}, "big", id="2", name="a"),
            ],
            [(1, "b", "B" * 20), (2, "a", "A" * 20)],
        ),
        (
            [delete(id="2"), move({"id": "1"}, "big", id="2", name="a"), insert(id="1", name="n", big="m")],
            [(1, "n", "m"), (2, "a", "A" * 20)],
        ),
        ([TRUNCATE], []),
        ([update(id="1", name="z", big="y"), TRUNCATE, insert(id="1", name="n", big="m")], [(1, "n", "m")]),
        ([TRUNCATE, insert(id="1", name="n", big="m"), update("big", id="1", name="o")], [(1, "o", "m")]),
        ([insert(id="3", name="c", big="C"), TRUNCATE, TRUNCATE], []),
    ],
)
def test_a_batch_leaves_what_the_source_has(
    started: Mirror, warehouse: Warehouse, changes: list[Change | list[Change]], expected: list[tuple[Any, ...]]
) -> None:
    started.apply(stream(20, ORDERS, changes))
    assert rows(warehouse) == expected


@pytest.mark.parametrize("identity", [ReplicaIdentity.DEFAULT, ReplicaIdentity.FULL])
@pytest.mark.parametrize("seed", range(3))
def test_random_traffic_cut_anywhere_leaves_what_the_source_has(
    mirror: Mirror, warehouse: Warehouse, seed: int, identity: ReplicaIdentity
) -> None:
    columns = [("id", "int8"), ("part", "text"), ("name", "text"), ("big", "text")]
    of = relation(columns=columns, key=["id", "part"], identity=identity)
    source = TrafficSource(seed)
    mirror.begin_snapshot("shop", [of])
    mirror.apply(snapshot(1))
    for lsn in range(2, 22):
        steps = [source.step() for _ in range(source.random.randrange(1, 60))]
        mirror.apply(stream(lsn, of, steps))
        assert rows(warehouse) == source.expected(), f"after the batch at {lsn}"
