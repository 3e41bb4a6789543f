"""Each version of Odoo is spoken to in its own names."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.errors import CausewayError, ErrorKind
from loaders.odoo.odoo_versions import dialect_of


@pytest.mark.parametrize(
    ("version", "major"),
    [
        ("16.0", 16),
        ("17.0+e-20240101", 17),
        ("18.0", 18),
        ("saas~18.3", 18),
        ("19.0-20251001", 19),
        ("saas~19.4+e", 19),
        ("20.0", 19),
    ],
)
def test_a_version_is_taken_for_the_nearest_that_is_known(version: str, major: int) -> None:
    assert dialect_of(version).major == major


@pytest.mark.parametrize("version", ["15.0", "", "master"])
def test_what_is_older_or_unknown_is_refused_with_the_versions_that_are_not(version: str) -> None:
    with pytest.raises(CausewayError, match="16 to 19") as caught:
        dialect_of(version)
    assert caught.value.kind is ErrorKind.SETTINGS


def test_lines_name_their_taxes_and_unit_anew_in_19() -> None:
    assert [dialect_of(f"{major}.0").line_tax for major in (16, 17, 18, 19)] == [
        "tax_id",
        "tax_id",
        "tax_id",
        "tax_ids",
    ]
    assert (dialect_of("18.0").line_unit, dialect_of("19.0").line_unit) == ("product_uom", "product_uom_id")


def test_what_is_done_of_a_move_has_another_name_and_no_mark_in_16() -> None:
    old, new = dialect_of("16.0"), dialect_of("17.0")
    assert (old.move_done, old.move_picked) == ("quantity_done", None)
    assert (new.move_done, new.move_picked) == ("quantity", "picked")
    assert "skip_immediate" in old.validate
    assert "skip_immediate" not in new.validate


def test_a_locked_order_is_told_by_its_state_in_16() -> None:
    old, new = dialect_of("16.0"), dialect_of("18.0")
    assert old.is_locked({"state": "done"})
    assert not old.is_locked({"state": "sale"})
    assert new.is_locked({"state": "sale", "locked": True})
    assert not new.is_locked({"state": "sale", "locked": False})
    assert old.is_confirmed({"state": "done"})
    assert not new.is_confirmed({"state": "done"})


def test_a_credit_note_is_made_by_another_method_in_16() -> None:
    assert (dialect_of("16.0").refund, dialect_of("17.0").refund) == ("reverse_moves", "refund_moves")


def test_what_19_no_longer_has_is_none() -> None:
    new = dialect_of("19.0")
    assert (new.move_name, new.valuation_layer, new.cancel) == (None, None, {})
    assert dialect_of("18.0").cancel == {"disable_cancel_warning": True}


def test_a_product_of_which_stock_is_kept_is_said_otherwise_before_18() -> None:
    assert dialect_of("17.0").storable == {"detailed_type": "product"}
    assert dialect_of("18.0").storable == {"type": "consu", "is_storable": "1"}


def test_the_page_on_odoo_has_each_versions_names_in_its_column() -> None:
    page = (Path(__file__).parents[3] / "docs/reference/odoo.md").read_text()
    rows = [line.strip("|").split("|")[1:] for line in page.splitlines() if line.startswith("| ")]
    for column, major in enumerate((16, 17, 18, 19)):
        its = dialect_of(f"{major}.0")
        told = " ".join(row[column] for row in rows if len(row) == 4)
        names = [
            its.line_tax,
            its.line_unit,
            its.move_done,
            its.move_picked,
            its.move_name,
            its.order_locked,
            its.refund,
            its.give_back,
        ]
        missing = [name for name in (*names, its.valuation_layer, *its.cancel) if name and f"`{name}`" not in told]
        assert not missing, (major, missing)


def test_moves_are_read_and_written_in_each_versions_words_and_told_in_18s() -> None:
    old, new = dialect_of("16.0"), dialect_of("18.0")
    fields = ["picking_id", "quantity", "picked", "state"]
    assert new.move_fields(fields) == fields
    assert old.move_fields(fields) == ["picking_id", "quantity_done", "state"]
    assert new.moves([{"id": 1, "quantity": 2.0, "picked": False}]) == [{"id": 1, "quantity": 2.0, "picked": False}]
    assert [
        (row["quantity"], row["picked"]) for row in old.moves([{"quantity_done": 2.0}, {"quantity_done": 0.0}])
    ] == [
        (2.0, True),
        (0.0, False),
    ]
    assert new.move_values(picked=True, quantity=3.0) == {"picked": True, "quantity": 3.0}
    assert new.move_values(picked=True, quantity=None) == {"picked": True}
    assert old.move_values(picked=True, quantity=3.0) == {"quantity_done": 3.0}
    assert old.move_values(picked=False, quantity=0.0) == {"quantity_done": 0.0}


def test_whether_stock_is_kept_of_a_product_is_told_by_each_versions_field() -> None:
    old, new = dialect_of("17.0"), dialect_of("18.0")
    assert old.keeps_stock({"detailed_type": "product"})
    assert not old.keeps_stock({"detailed_type": "consu"})
    assert new.keeps_stock({"is_storable": True})
    assert not new.keeps_stock({"is_storable": False})


def test_a_return_is_made_by_another_method_before_18() -> None:
    assert (dialect_of("17.0").give_back, dialect_of("18.0").give_back) == ("create_returns", "action_create_returns")


def test_payments_are_found_by_their_reference_until_17_and_16_invoices_a_buyers_orders_together() -> None:
    assert [dialect_of(f"{major}.0").payment_memo for major in (16, 17, 18, 19)] == ["ref", "ref", "memo", "memo"]
    assert [dialect_of(f"{major}.0").invoice_each is None for major in (16, 17, 18, 19)] == [True, False, False, False]
