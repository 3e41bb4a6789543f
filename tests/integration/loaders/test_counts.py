"""A warehouse's counts become Odoo's stock where a policy says so: once a count, by the difference only."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from config.policies import ChannelPolicy, Domain, DomainPolicy, Mode, Policies, StockPolicy
from tests.fixtures.crashes import Point, crash_at_every_call
from tests.fixtures.delivery import (
    NOON,
    OperationalEnd,
    customer,
    line,
    order,
    product,
    shipment,
    shipment_line,
    upsert,
)
from transforms.changes import Upsert

COUNTED = Policies(channels={"wms": ChannelPolicy(stock=StockPolicy(counts=True), warehouses={"N1": "WH"})})


def level(on_hand: str, key: str = "WH/p1", hours: float = 0, **fields: Any) -> Upsert:
    at = NOON + timedelta(hours=hours)
    return upsert("stock_level", "wms", key, **{"on_hand": on_hand, "counted_at": at} | fields)


def on_hand(lane: OperationalEnd) -> list[tuple[str, int]]:
    return lane.odoo_rows(
        "SELECT v.default_code, q.quantity::int FROM stock_quant q JOIN product_product v ON v.id = q.product_id"
        " WHERE q.location_id = 8 ORDER BY 1"
    )


def adjustments(lane: OperationalEnd) -> list[int]:
    """What counts have moved, in order."""
    return [row[0] for row in lane.odoo_rows("SELECT quantity::int FROM stock_move WHERE is_inventory ORDER BY id")]


def test_a_count_is_applied_by_its_difference_and_only_once(lane: OperationalEnd) -> None:
    lane.use(COUNTED)
    lane.arrive(product(), product(key="p2"), level("12"), level("7", "N1/p2", product_sku="SKU-p2", location_key="N1"))
    lane.deliver()
    assert on_hand(lane) == [("SKU-p1", 12), ("SKU-p2", 7)]
    lane.arrive(level("9", hours=1), level("7", "N1/p2", 1, product_sku="SKU-p2", location_key="N1"))
    lane.deliver()
    assert on_hand(lane) == [("SKU-p1", 9), ("SKU-p2", 7)]
    assert adjustments(lane) == [12, 7, 3]
    assert lane.rows("SELECT DISTINCT status FROM outbox WHERE entity = 'stock_level'") == [("delivered",)]


def test_without_the_policy_stock_levels_are_recorded_and_nothing_is_written(lane: OperationalEnd) -> None:
    lane.arrive(product(), level("12"))
    lane.deliver()
    assert lane.status("stock_level:wms:WH/p1") == "recorded"
    assert on_hand(lane) == []


def test_what_was_not_counted_anew_is_no_count(lane: OperationalEnd) -> None:
    lane.use(COUNTED)
    lane.arrive(product(), level("12", hours=2))
    lane.deliver()
    lane.arrive(level("10", hours=2))  # a movement since the count
    lane.deliver()
    lane.arrive(level("99", hours=1))  # an older count, which comes late
    lane.deliver()
    lane.arrive(level("3", "WH/p1 again", counted_at=None))
    lane.deliver()
    assert on_hand(lane) == [("SKU-p1", 12)]


def test_a_count_waits_for_its_product_and_its_warehouse(lane: OperationalEnd) -> None:
    lane.use(COUNTED)
    lane.arrive(level("12"), level("3", "X/p1", location_key="X"))
    lane.deliver()
    assert lane.waits_for("stock_level:wms:WH/p1") == "product#sku=SKU-p1"
    lane.arrive(product())
    lane.deliver()
    assert on_hand(lane) == [("SKU-p1", 12)]
    assert lane.waits_for("stock_level:wms:X/p1") == "odoo#stock.warehouse=X"


def test_a_count_of_what_odoo_keeps_no_stock_of_is_a_dead_letter(lane: OperationalEnd) -> None:
    lane.use(COUNTED)
    lane.arrive(product(kind="service"), level("12"))
    lane.deliver()
    assert lane.error("stock_level:wms:WH/p1") == "Odoo keeps no stock of SKU-p1."


def test_a_count_comes_after_what_its_warehouse_has_shipped_and_reserves_for_who_waits(lane: OperationalEnd) -> None:
    lane.use(COUNTED)
    lane.arrive(level("4"), shipment(), shipment_line(quantity="2"))
    lane.arrive(customer(), product(), order(), line(quantity="5"))
    lane.deliver()
    assert on_hand(lane) == [("SKU-p1", 4)]
    # From -2, which the shipment has left, to what is there: for the backorder of 3.
    assert adjustments(lane) == [6]
    assert lane.odoo_rows("SELECT state FROM stock_picking ORDER BY id") == [("done",), ("assigned",)]


def test_a_count_waits_until_its_warehouses_shipments_are_in_odoo(lane: OperationalEnd) -> None:
    held = {Domain.SHIPMENTS: DomainPolicy(mode=Mode.HELD)}
    lane.use(COUNTED.model_copy(update={"domains": held}))
    lane.arrive(customer(), product(), order(), line(quantity="5"))
    lane.arrive(level("4"), shipment(), shipment_line(quantity="2"))
    lane.deliver()
    assert lane.status("stock_level:wms:WH/p1") == "pending"
    assert on_hand(lane) == []
    lane.use(COUNTED)
    lane.deliver()
    assert on_hand(lane) == [("SKU-p1", 4)]


@pytest.mark.parametrize("point", ["before", "after"])
def test_a_count_is_applied_once_wherever_the_deliverer_dies(lane: OperationalEnd, point: Point) -> None:
    lane.use(COUNTED)
    lane.arrive(product(), product(key="p2"))
    lane.deliver()
    lane.arrive(level("12"), level("7", "WH/p2", product_sku="SKU-p2"))
    assert crash_at_every_call(lane, point) >= 3
    assert on_hand(lane) == [("SKU-p1", 12), ("SKU-p2", 7)]
    assert adjustments(lane) == [12, 7]
