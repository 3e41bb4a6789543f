"""How much of an order is credited, and for which lines."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from loaders.money.credits import by_taxes, credited_lines, spread, uncredited, wanted_credit
from loaders.money.known import Refund


def sold(line_id: int = 1, ordered: float = 5, delivered: float = 0, method: str = "stock_move") -> dict[str, Any]:
    return {"id": line_id, "product_uom_qty": ordered, "qty_delivered": delivered, "qty_delivered_method": method}


def invoiced(line_id: int = 1, quantity: float = 5, total: float = 50, taxes: tuple[int, ...] = ()) -> dict[str, Any]:
    return {
        "sale_line_ids": [line_id],
        "quantity": quantity,
        "price_total": total,
        "price_unit": 10.0,
        "discount": 0.0,
        "tax_ids": list(taxes),
    }


def credit(**given: Any) -> Decimal:
    nothing = Decimal(0)
    values = {"cancelled": False, "lines": [sold()], "invoice_lines": [invoiced()], "invoiced": Decimal(50),
              "refunded": nothing, "captured": nothing, "paid_back": nothing}  # fmt: skip
    return wanted_credit(**{**values, **given}).amount


@pytest.mark.parametrize(
    ("given", "amount"),
    [
        ({}, "0"),
        ({"refunded": Decimal("8.37")}, "8.37"),
        ({"refunded": Decimal(80)}, "50"),
        ({"paid_back": Decimal(12), "captured": Decimal(50)}, "12"),
        ({"paid_back": Decimal(12), "captured": Decimal(50), "refunded": Decimal(12)}, "12"),
        ({"paid_back": Decimal(12), "captured": Decimal(60)}, "2"),
        ({"paid_back": Decimal(50), "captured": Decimal(100)}, "0"),
        ({"lines": [sold(ordered=3)]}, "20.00"),
        ({"lines": [sold(ordered=3)], "refunded": Decimal(7)}, "27.00"),
        ({"cancelled": True}, "50"),
        ({"cancelled": True, "lines": [sold(delivered=2)]}, "30.00"),
        ({"cancelled": True, "lines": [sold(delivered=2)], "refunded": Decimal(35)}, "35"),
    ],
    ids=[
        "nothing",
        "a return",
        "never more than was invoiced",
        "a payment paid back",
        "told of twice, credited once",
        "first what was paid too much",
        "paid twice, paid back once",
        "a quantity lowered",
        "a quantity lowered and a return",
        "cancelled",
        "cancelled after a part was delivered",
        "cancelled with more refunded than is missing",
    ],
)
def test_what_should_be_credited(given: dict[str, Any], amount: str) -> None:
    assert credit(**given) == Decimal(amount)


def test_a_credit_goes_to_the_oldest_invoices_first() -> None:
    open_amounts = [(1, Decimal(10)), (2, Decimal(0)), (3, Decimal(10))]
    assert spread(Decimal(13), open_amounts) == {1: Decimal(10), 3: Decimal(3)}
    assert spread(Decimal(0), open_amounts) == {}


def test_lines_come_off_an_invoice_that_has_them_all() -> None:
    lines = [invoiced(1, 5), invoiced(2, 1)]
    assert credited_lines({1: Decimal(2)}, lines) == [(lines[0], Decimal(2))]
    assert credited_lines({1: Decimal(6)}, lines) is None
    assert credited_lines({3: Decimal(1)}, lines) is None


def test_an_amount_is_spread_over_an_invoices_taxes_in_proportion() -> None:
    """50 at 19 % and 50 at none are 109.50: of a refund of 21.90 ten are net of the taxed, ten of the other."""
    lines = [invoiced(1, 5, 59.5, (7,)), invoiced(2, 5, 50)]
    assert by_taxes(Decimal("21.90"), lines) == [((7,), Decimal("10.00")), ((), Decimal("10.00"))]
    assert by_taxes(Decimal(5), []) == [((), Decimal(5))]


def test_a_return_that_a_credit_note_of_ours_names_is_credited() -> None:
    refunds = [Refund(number=number, amount=Decimal(1), day=date(2026, 3, 2)) for number in ("R-1", "R-2", "R-3")]
    refs = ["R-1, R-2 (cw)", "Reversal of: INV/1, R-3"]
    assert [refund.number for refund in uncredited(refunds, refs, "(cw)")] == ["R-3"]
