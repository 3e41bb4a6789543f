"""Money never loses a cent: what the compiled arithmetic gives is what exact arithmetic gives."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal, localcontext

import duckdb
import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st

from cdc.relation import Column
from tests.unit.transforms.relations import column, numeric
from transforms.compiler import RULES
from transforms.sqltypes import Kind
from transforms.translator import Translator

COLUMNS = (
    column("cents int"),
    column("big bigint"),
    column("price numeric(12,4)"),
    column("qty numeric(12,3)"),
    column("total numeric(18,2)"),
    Column(name="free", type_oid=1700),
)
TYPES = {
    "cents": "INTEGER",
    "big": "BIGINT",
    "price": "DECIMAL(12,4)",
    "qty": "DECIMAL(12,3)",
    "total": "DECIMAL(18,2)",
}
EXACT = Context(prec=100)
CONNECTION = duckdb.connect(":memory:")


def compute(sql: str, **values: Decimal | int) -> Decimal:
    """What DuckDB gives for a mapping's expression over one row."""
    node = sqlglot.parse_one(f"SELECT {sql}", dialect="postgres").expressions[0]
    fragment = Translator(COLUMNS, RULES, {}).value(node)
    assert fragment.type.is_number
    row = ", ".join(
        f"CAST('{value}' AS {TYPES.get(name, 'DECIMAL(38,10)')}) AS {name}" for name, value in values.items()
    )
    found = CONNECTION.execute(f"SELECT {fragment.sql} AS v FROM (SELECT {row})").to_arrow_table().to_pylist()
    value = found[0]["v"]
    assert isinstance(value, int | Decimal)
    assert isinstance(value, Decimal) is (fragment.type.kind is Kind.DECIMAL)
    return Decimal(value)


def decimals(digits: int, places: int) -> st.SearchStrategy[Decimal]:
    """Every value that numeric(digits, places) holds."""
    most = 10**digits - 1
    return st.integers(-most, most).map(lambda number: Decimal(number).scaleb(-places, EXACT))


def rounded(value: Decimal, places: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP, EXACT)


@given(cents=st.integers(-(2**31), 2**31 - 1), big=st.integers(-(2**63), 2**63 - 1))
def test_cents_become_the_same_amount(cents: int, big: int) -> None:
    assert compute("cents / 100.0", cents=cents) == Decimal(cents).scaleb(-2)
    assert compute("big / 100.0", big=big) == Decimal(big).scaleb(-2, EXACT)
    if cents > -(2**31):
        assert compute("- cents / 100.0", cents=cents) == -Decimal(cents).scaleb(-2)


@given(price=decimals(12, 4), qty=decimals(12, 3))
def test_a_line_is_price_times_quantity_to_the_cent(price: Decimal, qty: Decimal) -> None:
    with localcontext(EXACT):
        exact = price * qty
    assert compute("price * qty", price=price, qty=qty) == exact
    assert compute("round(price * qty, 2)", price=price, qty=qty) == rounded(exact, 2)
    assert compute("(price * qty)::numeric(20, 2)", price=price, qty=qty) == rounded(exact, 2)


@given(total=decimals(18, 2), price=decimals(12, 4))
def test_sums_and_differences_are_exact(total: Decimal, price: Decimal) -> None:
    with localcontext(EXACT):
        expected = total + price, total - price, total + total
    found = tuple(compute(sql, total=total, price=price) for sql in ("total + price", "total - price", "total + total"))
    assert found == expected


@given(free=decimals(36, 10))
@settings(max_examples=200)
def test_odoos_unconstrained_numerics_are_exact_or_fail(free: Decimal) -> None:
    with localcontext(EXACT):
        expected = {
            "free + free": free + free,
            "round(free, 2)": rounded(free, 2),
            "free * 2": free * 2,
            "-free": -free,
        }
    for sql, value in expected.items():
        assert compute(sql, free=free) == value
    try:
        assert compute("free * free", free=free) == EXACT.multiply(free, free)
    except duckdb.OutOfRangeException:
        assert abs(free) > 10**8  # 38 digits less the 20 behind the point, halved


@pytest.mark.parametrize("precision", [12, 18, 38])
def test_a_typmod_says_what_it_said(precision: int) -> None:
    assert column(f"x numeric({precision},2)").typmod == numeric(precision, 2)
