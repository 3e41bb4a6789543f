"""Every status and every kind of exception, one case at a time, beside a plain order that must stay plain."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from config.errors import CausewayError, ErrorKind
from config.settings import ReconcileSettings, WarehouseSettings
from tests.integration.warehouse.order_book import LONG_AGO, OrderBook, order_id
from warehouse.reconciliation import latest_run_id, reconcile
from warehouse.store import Warehouse
from warehouse.views import build_views


@pytest.fixture(scope="module")
def empty_book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrderBook]:
    folder = tmp_path_factory.mktemp("book")
    with Warehouse.open(WarehouseSettings(path=folder / "w.duckdb", extracts=folder)) as warehouse:
        made = OrderBook(warehouse)
        yield made
        made.close()


@pytest.fixture
def book(empty_book: OrderBook) -> Iterator[OrderBook]:
    """A book with one plain order, 'plain', matched."""
    made = empty_book
    made.clear()
    made.order("plain")
    made.delivered("plain", odoo_id=900)
    made.shipment("SH-plain", "plain", "2")
    yield made
    assert made.found()["plain"] == ("matched", None)
    assert all(key != "plain" for _, key, _ in made.exceptions())


def status_of(book: OrderBook, key: str = "1", **settings: Any) -> tuple[str, str | None]:
    book.reconcile(**settings)
    return book.found()[key]


class TestStatuses:
    @pytest.mark.parametrize(
        ("channel", "odoo", "expected"),
        [
            ("draft", "draft", "matched"), ("draft", "sent", "matched"), ("draft", "sale", "status_break"),
            ("confirmed", "sale", "matched"), ("confirmed", "done", "matched"), ("confirmed", "draft", "status_break"),
            ("fulfilled", "sale", "matched"), ("fulfilled", "cancel", "status_break"),
            ("cancelled", "cancel", "matched"), ("cancelled", "sale", "status_break"),
            ("unknown: HELD", "sale", "status_break"),
        ],
    )  # fmt: skip
    def test_the_channels_status_against_odoos_state(
        self, book: OrderBook, channel: str, odoo: str, expected: str
    ) -> None:
        book.order("1", status=channel)
        book.delivered("1", state=odoo)
        status, reason = status_of(book)
        assert status == expected
        assert reason == (None if expected == "matched" else f"the channel says {channel}, Odoo says {odoo}")

    @pytest.mark.parametrize(
        ("amount", "tolerance", "expected"),
        [
            ("10.00", "0.01", "matched"), ("10.01", "0.01", "within_tolerance"), ("9.99", "0.01", "within_tolerance"),
            ("10.02", "0.01", "amount_break"), ("10.02", "0.05", "within_tolerance"), ("10.01", "0", "amount_break"),
        ],
    )  # fmt: skip
    def test_amounts_are_compared_to_the_cent(
        self, book: OrderBook, amount: str, tolerance: str, expected: str
    ) -> None:
        book.order("1")
        book.delivered("1", amount=amount)
        assert status_of(book, tolerance=tolerance)[0] == expected
        assert book.exceptions() == ([("sales_order", "1", "amount_break")] if expected == "amount_break" else [])

    def test_the_channels_own_total_goes_before_its_lines(self, book: OrderBook) -> None:
        book.order("1", amount_total="9.50")
        book.delivered("1", amount="9.5")
        assert status_of(book) == ("matched", None)

    def test_lines_are_rounded_one_by_one_as_odoo_does(self, book: OrderBook) -> None:
        book.order("1", quantity="3", price="0.335")  # 1.005
        book.line("1", 2, quantity="3", unit_price="0.335", discount_percent="50")  # 0.5025
        book.delivered("1", amount="1.51", quantity="6")
        assert status_of(book) == ("matched", None)

    def test_a_quantity_break_goes_before_an_amount_break(self, book: OrderBook) -> None:
        book.order("1")
        book.delivered("1", quantity="3", amount="15")
        assert status_of(book) == ("quantity_break", "Odoo has 3.000, the channel 2.000")
        assert book.exceptions() == [("sales_order", "1", "quantity_break")]

    def test_amounts_of_an_order_cancelled_on_both_sides_bind_nobody(self, book: OrderBook) -> None:
        book.order("1", status="cancelled")
        book.delivered("1", state="cancel", amount="0", quantity="0")
        assert status_of(book) == ("matched", None)

    def test_sections_and_notes_of_odoo_do_not_count(self, book: OrderBook) -> None:
        book.order("1")
        book.delivered("1")
        book.add("odoo.sale_order_line", id=77, order_id=1, display_type="line_note", product_uom_qty="5")
        assert status_of(book) == ("matched", None)


class TestMissing:
    def test_an_order_that_the_bridge_never_took(self, book: OrderBook) -> None:
        book.order("1")
        assert status_of(book) == ("missing_in_odoo", "the operational lane has not taken it")
        assert book.exceptions() == [("sales_order", "1", "missing_in_odoo")]

    def test_an_order_that_was_removed_from_odoo(self, book: OrderBook) -> None:
        book.order("1")
        book.outbox(order_id("1"))
        book.add("causeway.crosswalk", canonical_id=order_id("1"), entity="sales_order", model="sale.order", odoo_id=44)
        assert status_of(book) == ("missing_in_odoo", "Odoo had it as sale.order 44 and has it no more")

    @pytest.mark.parametrize(
        ("dead", "aggregate", "reason"),
        [
            ("sales_order:shop:1", None, "the order itself (sales_order:shop:1) is a dead letter"),
            (
                "sales_order_line:shop:1-1",
                "sales_order:shop:1",
                "its line (sales_order_line:shop:1-1) is a dead letter",
            ),
            ("customer:shop:c", None, "its customer (customer:shop:c) is a dead letter"),
            ("customer:shop:address-7", None, "its delivery address (customer:shop:address-7) is a dead letter"),
            ("product:shop:p", None, "what it waits for (product:shop:p) is a dead letter"),
        ],
    )
    def test_a_dead_letter_that_keeps_an_order_out_is_named_with_odoos_words(
        self, book: OrderBook, dead: str, aggregate: str | None, reason: str
    ) -> None:
        book.order("1", delivery_address_key="address-7")
        book.outbox(dead, status="dead", aggregate=aggregate, error="Odoo's words")
        if dead != order_id("1"):
            book.outbox(order_id("1"), status="parked", waits_for=dead, error="waits")
        assert status_of(book) == ("missing_in_odoo", reason)
        assert book.rows("SELECT dead_letter_error FROM recon.latest_orders WHERE order_key = '1'") == [
            ("Odoo's words",)
        ]
        assert book.exceptions() == [("sales_order", "1", "refused_by_odoo")]

    def test_a_parked_order_says_what_it_waits_for(self, book: OrderBook) -> None:
        book.order("1")
        book.outbox(
            order_id("1"), status="parked", waits_for="customer:shop:c", error="its customer is not in Odoo yet"
        )
        assert status_of(book) == ("missing_in_odoo", "its customer is not in Odoo yet")

    def test_an_order_deleted_at_the_channel(self, book: OrderBook) -> None:
        book.outbox(order_id("4-2"), operation="delete")
        book.in_odoo("4-2", state="cancel")
        assert status_of(book, "4-2") == ("missing_in_source", "deleted at the channel; Odoo's order is cancel")
        assert book.exceptions() == [("sales_order", "4-2", "deleted_order")]
        assert book.rows("SELECT source FROM recon.latest_orders WHERE order_key = '4-2'") == [("shop",)]

    def test_an_order_made_in_odoo(self, book: OrderBook) -> None:
        book.in_odoo("-", odoo_id=55, bound=False)
        assert status_of(book, "55") == ("missing_in_source", "made in Odoo, not by the bridge")
        assert book.rows("SELECT source FROM recon.latest_orders WHERE order_key = '55'") == [("odoo",)]
        assert book.exceptions() == [("sales_order", "55", "missing_in_source")]

    def test_an_order_that_the_channel_sent_twice(self, book: OrderBook) -> None:
        book.order("1", duplicate_key="once")
        book.order("2", duplicate_key="once", ordered_at=LONG_AGO + timedelta(minutes=1))
        book.delivered("1")
        book.outbox(order_id("2"), status="duplicate")
        assert status_of(book, "2") == ("duplicate", "the channel sent it before, as SO1")
        assert book.found()["1"] == ("matched", None)
        assert book.exceptions() == [("sales_order", "2", "duplicate_order")]


class TestTiming:
    def test_a_young_record_on_its_way_is_timing(self, book: OrderBook) -> None:
        book.order("1")
        book.outbox(order_id("1"), status="pending", committed_at=datetime.now(UTC) - timedelta(minutes=5))
        assert status_of(book) == ("timing", "on its way to Odoo")
        assert book.exceptions() == []
        assert status_of(book, timing_minutes=3)[0] == "missing_in_odoo"

    def test_a_young_order_that_the_bridge_has_not_taken_yet_is_timing(self, book: OrderBook) -> None:
        book.order("1", ordered_at=datetime.now(UTC) - timedelta(minutes=1))
        assert status_of(book) == ("timing", "newer than what the operational lane has taken")

    def test_a_young_line_on_its_way_excuses_the_amount(self, book: OrderBook) -> None:
        book.order("1")
        book.delivered("1", amount="5")
        book.outbox(
            "sales_order_line:shop:1-1", status="pending", aggregate=order_id("1"), committed_at=datetime.now(UTC)
        )
        assert status_of(book)[0] == "timing"

    def test_a_delivery_that_the_mirror_of_odoo_has_not_seen_is_timing(self, book: OrderBook) -> None:
        book.order("1")
        book.outbox(order_id("1"), delivered_at=datetime.now(UTC))
        status, reason = status_of(book)
        assert (status, reason) == ("timing", "delivered, but the mirror of Odoo does not reach that far yet")

    def test_a_young_dead_letter_is_no_timing(self, book: OrderBook) -> None:
        book.order("1")
        book.outbox(order_id("1"), status="dead", error="no", committed_at=datetime.now(UTC))
        assert status_of(book)[0] == "missing_in_odoo"


class TestKinds:
    """Each kind on order '1', which stays matched."""

    def kinds(self, book: OrderBook, amount: str = "10", quantity: str = "2", **odoo: Any) -> list[str]:
        book.delivered("1", amount=amount, quantity=quantity, **odoo)
        assert status_of(book) == ("matched", None)
        assert all((entity, key) == ("sales_order", "1") for entity, key, _ in book.exceptions())
        return [kind for _, _, kind in book.exceptions()]

    @pytest.mark.parametrize(
        ("line", "kinds"),
        [
            ({"unit_price": "4", "list_price": "5"}, ["price_override"]),
            ({"unit_price": "4", "list_price": "4.0000"}, []),
            ({"unit_price": "4", "list_price": None}, []),
            ({"unit_price": "8", "list_price": "5", "discount_percent": "50"}, []),
            ({"unit_price": "4", "list_price": "5", "bundle_line_key": "1-1"}, []),
            ({"unit_price": "4", "kind": "freight", "product_key": None}, ["freight"]),
            ({"unit_price": "4", "kind": "manual", "list_price": "5"}, []),
        ],
    )
    def test_prices_and_extra_lines(self, book: OrderBook, line: dict[str, Any], kinds: list[str]) -> None:
        book.order("1")
        book.line("1", 2, **line)
        assert self.kinds(book, amount="14", quantity="3") == kinds

    def test_an_order_discount(self, book: OrderBook) -> None:
        book.order("1")
        book.line("1", 2, kind="discount", unit_price="-1", product_key=None)
        book.line("1", 3, kind="discount", unit_price="-1", product_key=None)
        assert self.kinds(book, amount="8", quantity="4") == ["order_discount"]

    def test_a_bundle(self, book: OrderBook) -> None:
        book.record("product", "b", sku="SET", kind="bundle", name="Set")
        book.order("1")
        book.line("1", 2, product_key="b", unit_price="4", list_price="4")
        book.line("1", 3, product_key="p", unit_price="0", list_price="0", bundle_line_key="1-2", quantity="3")
        assert self.kinds(book, amount="14", quantity="6") == ["bundle"]

    def test_parts_that_were_completed(self, book: OrderBook) -> None:
        book.order("1")
        book.shipment("A", "1", "1", final=False)
        book.shipment("B", "1", "1")
        assert self.kinds(book) == ["partial_then_completed"]

    def test_a_rest_that_was_cancelled(self, book: OrderBook) -> None:
        book.order("1")
        book.shipment("A", "1", "1")
        assert self.kinds(book) == ["partial_rest_cancelled"]

    def test_a_rest_that_is_still_open_is_no_exception(self, book: OrderBook) -> None:
        book.order("1")
        book.shipment("A", "1", "1", final=False)
        assert self.kinds(book) == []
        assert book.rows("SELECT ordered, shipped, open, days_to_ship FROM mart.fulfilment WHERE order_key = '1'") == [
            (2, 1, 1, None)
        ]

    def test_a_substitute(self, book: OrderBook) -> None:
        book.order("1")
        book.shipment("A", "1", "2", substitutes="OLD")
        assert self.kinds(book) == ["substitution"]

    def test_a_cancellation_before_shipping(self, book: OrderBook) -> None:
        book.order("1", status="cancelled")
        assert self.kinds(book, state="cancel") == ["cancelled_before_shipping"]

    def test_a_cancellation_after_shipping_is_another_thing(self, book: OrderBook) -> None:
        book.order("1", status="cancelled")
        book.shipment("A", "1", "2")
        assert self.kinds(book, state="cancel") == []

    @pytest.mark.parametrize(
        ("payments", "captured"),
        [(["captured"], True), (["captured", "refunded"], False), (["failed"], False), ([], False)],
    )
    def test_money_kept_for_a_cancelled_order(self, book: OrderBook, payments: list[str], captured: bool) -> None:
        book.order("1", status="cancelled")
        for number, status in enumerate(payments):
            book.record("payment", str(number), order_key="1", status=status, amount="10", currency="GBP")
        book.record("payment", "of-plain", order_key="plain", status="captured", amount="10", currency="GBP")
        expected = ["cancelled_before_shipping", "captured_not_refunded"] if captured else ["cancelled_before_shipping"]
        assert self.kinds(book, state="cancel") == expected

    def test_a_return(self, book: OrderBook) -> None:
        book.order("1")
        for number in ("r1", "r2"):
            book.record("return", number, return_number=number, order_key="1", status="refunded", reason="damaged")
        assert self.kinds(book) == ["returned"]

    @pytest.mark.parametrize(("listed_after", "kinds"), [(timedelta(hours=1), ["late_sku"]), (-timedelta(hours=1), [])])
    def test_a_listing_that_came_after_the_order(
        self, book: OrderBook, listed_after: timedelta, kinds: list[str]
    ) -> None:
        book.order("1")
        book.line("1", 2, product_key=None, product_channel_sku="EXT-1")
        book.record("product", "l", channel_sku="EXT-1", kind="goods", name="x", created_at=LONG_AGO + listed_after)
        assert self.kinds(book, quantity="3") == kinds

    def test_a_sku_that_nobody_knows_holds_the_order_back(self, book: OrderBook) -> None:
        book.order("1")
        book.line("1", 2, product_key=None, product_channel_sku="EXT-?")
        book.outbox(order_id("1"), status="parked", waits_for="product#channel_sku=shop:EXT-?", error="its line waits")
        assert status_of(book) == ("missing_in_odoo", "its line waits")
        assert book.exceptions() == [("sales_order", "1", "unknown_sku")]


class TestLinkedRecords:
    def identity(self, book: OrderBook, entity: str, canonical_id: str, matched_by: str) -> None:
        book.add(
            "causeway.identity",
            entity=entity,
            source="market",
            source_key="m",
            canonical_id=canonical_id,
            matched_by=matched_by,
        )
        book.reconcile()

    def test_a_customer_of_two_channels(self, book: OrderBook) -> None:
        self.identity(book, "customer", "customer:shop:c", "vat")
        assert book.exceptions() == [("customer", "m", "same_customer")]

    def test_a_customer_of_its_own_is_none(self, book: OrderBook) -> None:
        self.identity(book, "customer", "customer:market:m", "self")
        assert book.exceptions() == []

    @pytest.mark.parametrize(("channel_sku", "kinds"), [("THEIRS", ["product_two_skus"]), ("OURS", [])])
    def test_a_product_under_two_codes(self, book: OrderBook, channel_sku: str, kinds: list[str]) -> None:
        book.record("product", "p", sku="OURS", kind="goods", name="x")
        book.record("product", "m", "market", channel_sku=channel_sku, sku="OURS", kind="goods", name="x")
        self.identity(book, "product", "product:shop:p", "sku")
        assert [kind for _, _, kind in book.exceptions()] == kinds


def test_a_run_without_odoos_mirrors_names_what_is_missing(warehouse: Warehouse) -> None:
    build_views(warehouse, [])
    with pytest.raises(
        CausewayError, match=r"missing: odoo\.sale_order, odoo\.sale_order_line, causeway\.outbox"
    ) as raised:
        reconcile(warehouse, ReconcileSettings())
    assert raised.value.kind is ErrorKind.WAREHOUSE


def test_the_latest_run_of_a_warehouse_without_runs_is_refused(warehouse: Warehouse) -> None:
    with pytest.raises(CausewayError, match="holds no reconciliation"):
        latest_run_id(warehouse)
