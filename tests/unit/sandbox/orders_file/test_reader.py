"""A file that can't be played is answered with one error that names the row and the column."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sandbox.orders_file.reader import OrdersFileError, read

HEADING = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
GOOD = "536365,85123A,HOLDER,6,2010-12-01 08:26:00,2.55,17850,United Kingdom"


def _csv(folder: Path, *rows: str, heading: str = HEADING) -> Path:
    path = folder / "orders.csv"
    path.write_text("\n".join([heading, *rows]) + "\n")
    return path


def test_values_are_taken_exactly(tmp_path: Path) -> None:
    path = _csv(
        tmp_path, GOOD, "C1,D,nan,-3,12/9/2011 12:50,0.001,,EIRE".replace("12/9/2011 12:50", "2011-12-09 12:50:00")
    )
    (batch,) = read(path)
    assert batch.price.tolist() == [25_500, 10]
    assert batch.quantity.tolist() == [6, -3]
    assert batch.cents.tolist() == [1530, 0]
    assert batch.description.to_pylist() == ["HOLDER", None]
    assert batch.customer_id.to_pylist() == [17850, None]
    assert batch.at.to_pylist() == ["2010-12-01 08:26:00", "2011-12-09 12:50:00"]


def test_a_half_cent_is_rounded_away_from_zero(tmp_path: Path) -> None:
    rows = [GOOD.replace(",6,", f",{quantity},").replace("2.55", "0.125") for quantity in (1, -1, 3)]
    (batch,) = read(_csv(tmp_path, *rows))
    assert batch.cents.tolist() == [13, -13, 38]


def test_american_dates_are_understood(tmp_path: Path) -> None:
    (batch,) = read(_csv(tmp_path, GOOD.replace("2010-12-01 08:26:00", "12/1/2010 8:26")))
    assert batch.at.to_pylist() == ["2010-12-01 08:26:00"]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (GOOD.replace(",6,", ",six,"), "row 2, column Quantity: 'six' is not a whole number"),
        (GOOD.replace(",6,", ",6.5,"), "row 2, column Quantity: '6.5' is not a whole number"),
        (GOOD.replace(",6,", ",,"), "row 2, column Quantity: '' is missing"),
        (GOOD.replace("2.55", "2,55").replace("2,55", '"2,55"'), "row 2, column UnitPrice: '2,55' is not a number"),
        (GOOD.replace("2.55", "2.55555"), "row 2, column UnitPrice: '2.55555' has more than four decimals"),
        (GOOD.replace("2.55", "1e9"), "row 2, column UnitPrice: '1e9' does not fit"),
        (GOOD.replace("2.55", "nan"), "row 2, column UnitPrice: 'nan' is not a finite number"),
        (GOOD.replace("2010-12-01", "2010-13-01"), "row 2, column InvoiceDate: '2010-13-01 08:26:00' is not a date"),
        (GOOD.replace("17850", "somebody"), "row 2, column CustomerID: 'somebody' is not a customer's number"),
        (GOOD.replace("United Kingdom", "Atlantis"), "row 2, column Country: 'Atlantis' is not in the table"),
        (GOOD.replace("536365", ""), "row 2, column InvoiceNo: '' is missing"),
    ],
)
def test_a_bad_value_is_named_with_its_row_and_column(tmp_path: Path, bad: str, message: str) -> None:
    with pytest.raises(OrdersFileError) as caught:
        list(read(_csv(tmp_path, GOOD, bad, GOOD)))
    assert message in str(caught.value)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    path = _csv(tmp_path, heading=HEADING.replace("UnitPrice", "Price"))
    with pytest.raises(OrdersFileError, match=r"no column UnitPrice; its columns are InvoiceNo, .* Price,"):
        list(read(path))


def test_a_row_with_too_few_values_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OrdersFileError, match="Expected 8 columns, got 2"):
        list(read(_csv(tmp_path, GOOD, "536366,1")))


def test_a_file_that_is_no_parquet_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "orders.parquet"
    path.write_text("no parquet")
    with pytest.raises(OrdersFileError, match="can't be read"):
        list(read(path))


def test_parquet_columns_may_have_other_types(tmp_path: Path) -> None:
    path = tmp_path / "orders.parquet"
    columns = {
        "InvoiceNo": pa.array([536365]),
        "StockCode": pa.array(["85123A"]),
        "Description": pa.array([None], pa.string()),
        "Quantity": pa.array([6.0]),
        "InvoiceDate": pa.array(["2010-12-01 08:26:00"]),
        "UnitPrice": pa.array([2.55]),
        "CustomerID": pa.array([float("nan")]),
        "Country": pa.array(["France"]),
    }
    pq.write_table(pa.table(columns), path)
    (batch,) = read(path)
    assert batch.invoice.to_pylist() == ["536365"]
    assert batch.quantity.tolist() == [6]
    assert batch.customer_id.to_pylist() == [None]
