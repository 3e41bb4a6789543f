"""Old deliveries and records that are gone are forgotten after some days; what something still speaks of, the crosswalk and the audit stay."""

from __future__ import annotations

from tests.fixtures.delivery import OperationalEnd, customer, deleted, line, order, product

AGED = "UPDATE {} SET {} = {} - interval '8 days' RETURNING 1"


def test_what_is_old_and_gone_is_forgotten_and_comes_back_to_its_place_in_odoo(lane: OperationalEnd) -> None:
    lane.arrive(
        customer(vat="GB1"), customer(source="market", key="m1", vat="GB1"), customer(key="c2"), product(), order(), line(),
        line(key="o1-2", line_number=2),
    )  # fmt: skip
    lane.deliver()
    ((place,),) = lane.rows("SELECT odoo_id FROM crosswalk WHERE canonical_id = 'product:shop:p1'")
    audited = lane.rows("SELECT count(*) FROM audit")
    lane.arrive(
        *(deleted("customer", "shop", key) for key in ("c1", "c2")),
        deleted("product", "shop", "p1"), deleted("sales_order_line", "shop", "o1-2"), deleted("sales_order", "shop", "o1"),
    )  # fmt: skip
    lane.deliver()
    for table, column in (("deliveries", "finished_at"), ("outbox", "updated_at")):
        lane.rows(AGED.format(table, column, column))
    lane.delivery = lane.delivery.model_copy(update={"keep_days": 9})
    lane.change_patience(60)
    lane.deliver()
    assert len(lane.statuses()) == 7
    lane.delivery = lane.delivery.model_copy(update={"keep_days": 7})
    lane.change_patience(60)
    lane.deliver()
    # The customer has another source's record, the order a line that is there.
    assert sorted(lane.statuses()) == [
        "customer:market:m1", "customer:shop:c1", "sales_order:shop:o1", "sales_order_line:shop:o1-1",
    ]  # fmt: skip
    assert lane.rows("SELECT count(*) FROM deliveries") == [(0,)]
    assert lane.rows("SELECT count(*) FROM identity WHERE source_key IN ('c2', 'p1')") == [(0,)]
    assert lane.rows("SELECT count(*) FROM audit") >= audited
    lane.arrive(product())
    lane.deliver()
    assert lane.rows("SELECT odoo_id FROM crosswalk WHERE canonical_id = 'product:shop:p1'") == [(place,)]
    assert lane.odoo_rows("SELECT count(*) FROM product_product WHERE default_code = 'SKU-p1'") == [(1,)]
