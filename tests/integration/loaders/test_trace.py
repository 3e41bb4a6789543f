"""One order's story, from its rows at the channel and the warehouse to what Odoo has of it."""

from __future__ import annotations

from causeway.commands.trace import _lines
from loaders.tracing.deadletters import Closed
from loaders.tracing.trace import Story, trace
from tests.fixtures.delivery import (
    OperationalEnd,
    address,
    customer,
    line,
    order,
    product,
    shipment,
    shipment_line,
    upsert,
)

OF_THE_ORDER = [
    "customer:shop:c1", "customer:shop:a1", "customer:market:m1", "sales_order:shop:o1", "sales_order_line:shop:o1-1",
    "shipment:wms:s1", "shipment_line:wms:s1-1", "payment:shop:pay1",
]  # fmt: skip


def names(stories: list[Story]) -> list[str]:
    return [story["record_id"] for story in stories]


def test_an_orders_story_is_found_by_any_of_its_names_and_holds_all_that_belongs_to_it(lane: OperationalEnd) -> None:
    lane.arrive(
        customer(vat="GB1"), customer(source="market", key="m1", vat="GB1"), address(), product(),
        order(delivery_address_key="a1"), line(), upsert("payment", "shop", "pay1"), shipment(), shipment_line(),
        order(key="o2"), line(key="o2-1", order_key="o2"),
    )  # fmt: skip
    lane.deliver()
    ((picking,),) = lane.odoo_rows("SELECT name FROM stock_picking WHERE state = 'done'")

    def told(entity: str, key: str) -> list[Story]:
        return trace(lane.state, lane.odoo_settings, entity, key)

    confirmed = "UPDATE deliveries SET confirmed_at = now(), confirmed_lsn = '0/2A' WHERE record_id = 'sales_order:shop:o1' RETURNING 1"
    lane.rows(confirmed)
    stories = told("sales_order", "SO-o1")
    assert names(stories) == OF_THE_ORDER
    for entity, key in (
        ("sales_order", "o1"), ("sales_order", "sales_order:shop:o1"), ("sales_order_line", "o1-1"), ("payment", "pay1"),
        ("shipment", "s1"), ("shipment", picking),
    ):  # fmt: skip
        assert names(told(entity, key)) == names(stories), key
    assert told("sales_order", "SO-none") == []
    assert sorted(names(told("customer", "GB1"))) == ["customer:market:m1", "customer:shop:c1"]

    by_id = {story["record_id"]: story for story in stories}
    head = by_id["sales_order:shop:o1"]
    assert head["source_row"] == {
        "source": "shop", "table": None, "key": {"source_key": "o1"}, "lsn": "0/1", "committed_at": "2026-03-02T12:00:00+00:00",
        "origin": "stream",
    }  # fmt: skip
    assert head["mapping"] == {"name": "test", "version": 1}
    assert head["record"]["order_number"] == "SO-o1"
    assert head["outbox"]["status"] == "delivered"
    assert [one["outcome"] for one in head["deliveries"]] == ["delivered"]
    ((odoo_id,),) = lane.odoo_rows("SELECT id FROM sale_order WHERE name = 'SO-o1'")
    assert [(one["model"], one["id"]) for one in head["odoo"]] == [("sale.order", odoo_id)]
    assert by_id["shipment:wms:s1"]["odoo"][0]["model"] == "stock.picking"
    assert by_id["customer:market:m1"]["identity"] == {"canonical_id": "customer:shop:c1", "matched_by": "vat"}
    text = "\n".join(text for story in stories for text in _lines(story))
    for part in (
        "sales_order:shop:o1: delivered\n  from     shop source_key o1, LSN 0/1",
        "order_number SO-o1",
        f"in Odoo  sale.order {odoo_id} (cw.sales_order",
        "  confirmed by Odoo's log at 0/2A\n",
        "is       customer:shop:c1, by vat",
    ):
        assert part in text


def test_a_story_says_what_odoo_has_refused_and_who_has_closed_it(lane: OperationalEnd) -> None:
    lane.arrive(customer(), address(country_code="XX"))
    lane.deliver()
    with lane.dead_letters() as letters:
        letters.close_records(["customer:shop:a1"], Closed.WAIVED, by="Ann", why="moved away")
    (story,) = trace(lane.state, lane.odoo_settings, "customer", "a1")
    first, *_, tried, _ = _lines(story)
    assert first.startswith("customer:shop:a1: waived; by Ann: moved away; ")
    assert "dead: " in tried
    assert "base.xx" in tried
