"""Reads the file in batches with checked values.

A file that can't be played is answered with one OrdersFileError that names the row (from 1, without a heading) and the column.
A batch's columns have no nulls except `description` and `customer_id`, and its prices are ten-thousandths of a pound as integers:
the file's floating-point numbers are taken only where these say exactly the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from sandbox.orders_file.codes import COUNTRIES

COLUMNS = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
PRICE_SCALE = 10_000

BATCH_ROWS = 32_768

# What pyarrow.compute takes and gives is typed more narrowly by its stubs than it is.
Column = Any

# numeric(12, 4) and numeric(12, 3) hold eight and nine digits before the point.
_LARGEST_PRICE = 10**8
_LARGEST_QUANTITY = 10**9

_NO_VALUE = pa.array(["", "nan", "NaN"])
_DATE_FORMATS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%m/%d/%Y %H:%M")


class OrdersFileError(ValueError):
    """The file can't be played: no such file, a column is missing, or a value is no value of its column."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Consecutive lines of the file, a column each."""

    first_row: int
    invoice: Column
    code: Column
    description: Column
    quantity: npt.NDArray[np.int64]
    at: Column
    price: npt.NDArray[np.int64]
    customer_id: Column
    country: Column

    @property
    def cents(self) -> npt.NDArray[np.int64]:
        """The amount of each line in cents, rounded half up (away from zero)."""
        product = self.quantity * self.price
        half, cent = PRICE_SCALE // 200, PRICE_SCALE // 100
        cents: npt.NDArray[np.int64] = np.sign(product) * ((np.abs(product) + half) // cent)
        return cents


def read(path: Path) -> Iterator[Batch]:
    """The file's lines in their order. Raises OrdersFileError."""
    row = 1
    try:
        for table in _tables(path):
            yield _Checker(row).batch(table)
            row += table.num_rows
    except (OSError, pa.ArrowException) as error:
        raise OrdersFileError(f"orders file {path}: can't be read at or after row {row}: {error}") from error


def _tables(path: Path) -> Iterator[pa.RecordBatch]:
    if path.suffix.lower() in (".parquet", ".pq"):
        with pq.ParquetFile(path) as file:
            _require_columns(path, file.schema_arrow.names)
            yield from file.iter_batches(batch_size=BATCH_ROWS, columns=list(COLUMNS))
    else:
        options = pacsv.ConvertOptions(column_types=dict.fromkeys(COLUMNS, pa.string()))
        with pacsv.open_csv(path, convert_options=options) as stream:
            _require_columns(path, stream.schema.names)
            for batch in stream:
                yield batch.select(list(COLUMNS))


def _require_columns(path: Path, names: list[str]) -> None:
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise OrdersFileError(f"orders file {path}: no column {', '.join(missing)}; its columns are {', '.join(names)}")


class _Checker:
    """Turns one batch of the file into a checked one; knows where in the file it is."""

    def __init__(self, first_row: int) -> None:
        self._first_row = first_row

    def batch(self, table: pa.RecordBatch) -> Batch:
        column = {name: table.column(name) for name in COLUMNS}
        return Batch(
            first_row=self._first_row,
            invoice=self._text("InvoiceNo", column["InvoiceNo"]),
            code=self._text("StockCode", column["StockCode"]),
            description=_without_nan(column["Description"].cast(pa.string())),
            quantity=self._quantity(column["Quantity"]),
            at=self._time(column["InvoiceDate"]),
            price=self._price(column["UnitPrice"]),
            customer_id=self._converted("CustomerID", column["CustomerID"], _customer, "a customer's number"),
            country=self._country(column["Country"]),
        )

    def _text(self, name: str, values: Column) -> Column:
        texts = _without_nan(values.cast(pa.string()))
        self._refuse(name, values, np.asarray(pc.is_null(texts)), "is missing")
        return texts

    def _country(self, values: Column) -> Column:
        texts = self._text("Country", values)
        known = pc.is_in(texts, value_set=pa.array(list(COUNTRIES)))
        self._refuse("Country", values, ~np.asarray(known), "is not in the table of countries")
        return texts

    def _time(self, values: Column) -> Column:
        times = self._converted("InvoiceDate", values, _timestamp, "a date and time")
        self._refuse("InvoiceDate", values, np.asarray(pc.is_null(times)), "is missing")
        return times.cast(pa.string())

    def _quantity(self, values: Column) -> npt.NDArray[np.int64]:
        numbers = self._converted("Quantity", values, _whole, "a whole number")
        self._refuse("Quantity", values, np.asarray(pc.is_null(numbers)), "is missing")
        quantity = np.asarray(numbers, dtype=np.int64)
        self._refuse("Quantity", values, np.abs(quantity) >= _LARGEST_QUANTITY, "does not fit numeric(12,3)")
        return quantity

    def _price(self, values: Column) -> npt.NDArray[np.int64]:
        numbers = self._converted("UnitPrice", values, _number, "a number")
        price = np.asarray(pc.fill_null(numbers, float("nan")), dtype=np.float64)
        self._refuse("UnitPrice", values, ~np.isfinite(price), "is not a finite number")
        self._refuse("UnitPrice", values, np.abs(price) >= _LARGEST_PRICE, "does not fit numeric(12,4)")
        scaled = np.rint(price * PRICE_SCALE).astype(np.int64)
        self._refuse("UnitPrice", values, scaled / PRICE_SCALE != price, "has more than four decimals")
        return scaled

    def _converted(self, name: str, values: Column, convert: Callable[[Column], Any], wanted: str) -> Any:
        try:
            return convert(values)
        except pa.ArrowException:
            for place in range(len(values)):
                self._convert_one(name, values.slice(place, 1), place, convert, wanted)
            raise

    def _convert_one(self, name: str, value: Column, place: int, convert: Callable[[Column], Any], wanted: str) -> None:
        try:
            convert(value)
        except pa.ArrowException:
            raise self._error(name, place, f"{value[0].as_py()!r} is not {wanted}") from None

    def _refuse(self, name: str, values: Column, bad: npt.NDArray[np.bool_], why: str) -> None:
        if bad.any():
            place = int(bad.argmax())
            raise self._error(name, place, f"{values[place].as_py()!r} {why}")

    def _error(self, name: str, place: int, what: str) -> OrdersFileError:
        return OrdersFileError(f"orders file: row {self._first_row + place}, column {name}: {what}")


def _without_nan(texts: Any) -> Any:
    # pandas writes a missing text as the word nan.
    return pc.if_else(pc.is_in(texts, value_set=_NO_VALUE), pa.scalar(None, pa.string()), texts)


def _number(values: Any) -> Any:
    return (_without_nan(values) if pa.types.is_string(values.type) else values).cast(pa.float64())


def _whole(values: Any) -> Any:
    return _number(values).cast(pa.int64())


def _customer(values: Any) -> Any:
    numbers = _number(values)
    return pc.if_else(pc.is_nan(numbers), pa.scalar(None, pa.float64()), numbers).cast(pa.int64())


def _timestamp(values: Any) -> Any:
    if not pa.types.is_string(values.type):
        return values.cast(pa.timestamp("us")).cast(pa.timestamp("s"))
    texts = _without_nan(values)
    for text_format in _DATE_FORMATS[:-1]:
        try:
            return pc.strptime(texts, format=text_format, unit="s")
        except pa.ArrowException:
            continue
    return pc.strptime(texts, format=_DATE_FORMATS[-1], unit="s")
