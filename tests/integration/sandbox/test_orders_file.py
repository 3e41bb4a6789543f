"""A file of orders arrives in the portal's database row for row."""

from __future__ import annotations

import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from sandbox.databases import Sources
from sandbox.orders_file import OrdersFile, OrdersFileError
from sandbox.orders_file.codes import COUNTRIES, line_kind

HEADING = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
ROWS = r"""1,10A,"tab	and \ slash",2,2010-12-01 08:26:00,1.125,17850,United Kingdom
1,POST,POSTAGE,1,2010-12-01 08:26:00,3.5,17850,United Kingdom
2,10A,LAMP,1,2010-12-01 08:27:00,1.25,,France
C3,10A,LAMP,-2,2010-12-01 08:28:00,1.25,17850,France
1,10A,"tab	and \ slash",2,2010-12-01 08:29:00,1.125,17850,United Kingdom
A4,B,Adjust bad debt,1,2010-12-01 08:30:00,-0.005,,United Kingdom
"""


def _file() -> Path:
    beside = Path(__file__).parents[4] / "shared" / "data" / "online_retail.parquet"
    return Path(os.environ.get("CAUSEWAY_ORDERS_FILE", beside))


def test_a_small_file_arrives_as_it_is(sources: Sources, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(HEADING + ROWS)
    file = OrdersFile(path, orders_a_transaction=1)
    file.masters(sources.shop)
    assert file.trade(sources.shop) == 4
    orders = sources.shop.execute(
        "SELECT id, order_no, kind, total, placed_at::text FROM orders ORDER BY id"
    ).fetchall()
    assert orders == [
        (1, "1", "order", Decimal("8.00"), "2010-12-01 08:26:00"),
        (2, "2", "order", Decimal("1.25"), "2010-12-01 08:27:00"),
        (3, "C3", "credit", Decimal("-2.50"), "2010-12-01 08:28:00"),
        (4, "A4", "order", Decimal("-0.01"), "2010-12-01 08:30:00"),
    ]
    lines = sources.shop.execute(
        "SELECT order_id, line_no, kind, product_id, description, qty, unit_price FROM order_lines ORDER BY 1, 2"
    ).fetchall()
    described = "tab\tand \\ slash"
    assert lines == [
        (1, 1, "item", 1, described, Decimal(2), Decimal("1.125")),
        (1, 2, "freight", None, "POSTAGE", Decimal(1), Decimal("3.5")),
        (1, 3, "item", 1, described, Decimal(2), Decimal("1.125")),
        (2, 1, "item", 1, "LAMP", Decimal(1), Decimal("1.25")),
        (3, 1, "item", 1, "LAMP", Decimal(-2), Decimal("1.25")),
        (4, 1, "manual", None, "Adjust bad debt", Decimal(1), Decimal("-0.005")),
    ]
    places = sources.shop.execute("""
        SELECT customer_id, company_name, a.kind, country_code FROM addresses a JOIN customers c ON c.id = customer_id
        ORDER BY a.id""").fetchall()
    assert places == [
        (17850, "Customer 17850", "invoice", "GB"),
        (17850, "Customer 17850", "delivery", "GB"),
        (100001, "Guest, France", "invoice", "FR"),
        (100001, "Guest, France", "delivery", "FR"),
        (17850, "Customer 17850", "delivery", "FR"),
        (100002, "Guest, United Kingdom", "invoice", "GB"),
        (100002, "Guest, United Kingdom", "delivery", "GB"),
    ]


def test_nothing_is_written_of_a_file_with_a_bad_value(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(HEADING + ROWS + "5,10A,LAMP,1,2010-12-01 08:27:00,free,,France\n")
    with pytest.raises(OrdersFileError, match="row 7, column UnitPrice: 'free' is not a number"):
        OrdersFile(path)


def test_a_missing_or_empty_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OrdersFileError, match="no such file"):
        OrdersFile(tmp_path / "none.parquet")
    path = tmp_path / "empty.csv"
    path.write_text(HEADING)
    with pytest.raises(OrdersFileError, match="has no rows"):
        OrdersFile(path)


def _expected_lines(path: Path) -> Iterator[tuple[object, ...]]:
    """The file's lines, invoice by invoice in the order of their first lines, as the portal has them."""
    invoices: dict[str, list[dict[str, Any]]] = {}
    for row in pq.read_table(path).to_pylist():
        invoices.setdefault(row["InvoiceNo"], []).append(row)
    for number, lines in invoices.items():
        for row in lines:
            guest, country = row["CustomerID"] is None, row["Country"]
            yield (
                number,
                row["StockCode"] if line_kind(row["StockCode"]) == "item" else None,
                None if row["Description"] == "nan" else row["Description"],
                row["Quantity"],
                row["UnitPrice"],
                f"Guest, {country}" if guest else f"Customer {row['CustomerID']:.0f}",
                COUNTRIES[country],
                lines[0]["InvoiceDate"],
            )


@pytest.mark.skipif(not _file().is_file(), reason="no orders file: set CAUSEWAY_ORDERS_FILE to online_retail.parquet")
def test_every_line_of_the_public_file_arrives_exactly(sources: Sources) -> None:
    file = OrdersFile(_file())
    file.masters(sources.shop)
    file.trade(sources.shop)
    cursor = sources.shop.execute("""
        SELECT order_no, sku, l.description, qty::float8, unit_price::float8, company_name, country_code, placed_at
        FROM order_lines l JOIN orders o ON o.id = order_id LEFT JOIN products p ON p.id = product_id
        JOIN customers c ON c.id = o.customer_id JOIN addresses a ON a.id = delivery_address_id
        ORDER BY order_id, line_no""")
    assert cursor.rowcount == file.lines
    for row, expected in zip(cursor, _expected_lines(_file()), strict=True):
        assert row == expected
    wrong_totals = sources.shop.execute("""
        SELECT count(*) FROM orders o JOIN (
            SELECT order_id, sum(round(qty * unit_price, 2)) AS amount FROM order_lines GROUP BY 1
        ) l ON l.order_id = o.id WHERE amount <> total""").fetchone()
    assert wrong_totals == (0,)
