"""Dead letters as people work with them: by cause, with the source row, replayed by what they have in common, or closed by a name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from loaders.delivering.backlog import BacklogCounter
from loaders.tracing.deadletters import Closed, Replayed, Selection
from tests.fixtures.delivery import OperationalEnd, address, customer, invalid, line, order, product


def test_failures_are_grouped_by_cause_and_replayed_by_it_by_time_and_by_lsn(lane: OperationalEnd) -> None:
    began = datetime.now(UTC)
    lane.arrive(
        customer(), address(key="a1", country_code="XX"), address(key="a2", country_code="YY"), order(), line(),
        product(key="p2", barcode="4006381333931"), product(key="p3", barcode="4006381333931"),
    )  # fmt: skip
    lane.deliver()
    with lane.dead_letters() as letters:
        countries, *others = letters.causes()
        assert (countries.entity, countries.kind, countries.records) == ("customer", "refused", 2)
        assert countries.example in ("customer:shop:a1", "customer:shop:a2")
        assert "nothing of that name" in countries.suggestion
        assert sorted(one.entity for one in others) == ["product", "sales_order", "sales_order_line"]
        assert all(began <= one.first_seen_at <= one.last_seen_at for one in (countries, *others))
        assert letters.replay(Selection(cause="00000000"), by="Ann") == Replayed()
        assert letters.replay(Selection(until=began), by="Ann") == Replayed()
        assert letters.replay(Selection(source="shop", from_lsn="0/2"), by="Ann") == Replayed()
        assert letters.replay(Selection(source="shop", to_lsn="0/0"), by="Ann") == Replayed()
        assert letters.replay(Selection(cause=countries.cause_id), by="Ann") == Replayed(sent=2)
        lane.deliver()
        assert letters.replay(
            Selection(since=began, until=datetime.now(UTC) + timedelta(minutes=1)), by="Ann"
        ) == Replayed(sent=3)
        lane.deliver()
        assert letters.replay(Selection(source="shop", from_lsn="0/1", to_lsn="0/1"), by="Ann") == Replayed(sent=3)


def test_a_resolved_record_is_sent_again_only_when_its_source_changes(lane: OperationalEnd) -> None:
    lane.arrive(customer(), address(country_code="XX"))
    lane.deliver()
    with lane.dead_letters() as letters:
        assert letters.close_records(["customer:shop:c1"], Closed.RESOLVED, by="Ann", why="x") == ()  # it is in Odoo
        closed = letters.close_records(["customer:shop:a1"], Closed.RESOLVED, by="Ann", why="typed it in")
        assert closed == ("customer:shop:a1",)
        shown = letters.show("customer:shop:a1")
        assert shown is not None
        assert (shown["closed_by"], shown["closed_why"]) == ("Ann", "typed it in")
        assert "base.xx" in shown["error"]
        assert letters.replay(Selection(), by="Ann") == Replayed()
    lane.arrive(address(country_code="XX"))
    assert lane.status("customer:shop:a1") == "resolved"
    lane.arrive(address(country_code="GB"))
    lane.deliver()
    assert lane.status("customer:shop:a1") == "delivered"
    assert lane.rows("SELECT closed_by FROM outbox WHERE record_id = 'customer:shop:a1'") == [(None,)]


def test_a_waived_line_lets_its_order_go_and_a_waived_order_takes_its_lines_along_until_it_is_replayed(
    lane: OperationalEnd,
) -> None:
    lane.arrive(
        customer(), product(), order(), line(),
        invalid("sales_order_line", "shop", "o1-2", "quantity: bad", order_key="o1", line_number="2"),
        order(key="o2", customer_key="gone"), line(key="o2-1", order_key="o2"),
    )  # fmt: skip
    lane.deliver()
    assert lane.odoo_rows("SELECT name FROM sale_order") == []
    with lane.dead_letters() as letters:
        letters.close_records(["sales_order_line:shop:o1-2"], Closed.WAIVED, by="Ann", why="a test line")
        closed = letters.close_records(["sales_order:shop:o2"], Closed.WAIVED, by="Bob", why="fraud")
        assert sorted(closed) == ["sales_order:shop:o2", "sales_order_line:shop:o2-1"]
        lane.deliver()
        assert lane.odoo_rows("SELECT name, state FROM sale_order") == [("SO-o1", "sale")]
        lane.arrive(customer(key="gone"), order(key="o2", customer_key="gone", note="changed"))
        lane.deliver()
        assert lane.status("sales_order:shop:o2") == "waived"
        assert [one.reason for one in letters.list(statuses=("waived",))][1:] == ["waived by Bob: fraud"] * 2
        counter = BacklogCounter(lane.state)
        assert (counter.count().waived, counter.count().dead) == (3, 0)
        counter.close()
        assert letters.replay(Selection(record_ids=["sales_order:shop:o2"]), by="Ann") == Replayed(sent=2)
    lane.deliver()
    assert lane.odoo_rows("SELECT name, state FROM sale_order ORDER BY name") == [("SO-o1", "sale"), ("SO-o2", "sale")]
