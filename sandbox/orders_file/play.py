"""Plays a file of orders into the portal's database, every line of it exactly as it stands there.

    file = OrdersFile(path)          # reads the file once and checks it all; raises OrdersFileError
    file.masters(connection)         # customers, addresses, products
    file.trade(connection)           # orders with their lines, by COPY, 200 orders a transaction

An invoice whose number begins with C is a credit, with the negative quantities of the file. Everything has been approved.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import psycopg

from sandbox.orders_file.lines import LINE_COLUMNS, LineGatherer, WholeOrders
from sandbox.orders_file.masters import (
    ADDRESS_COLUMNS,
    CUSTOMER_COLUMNS,
    PRODUCT_COLUMNS,
    Values,
    address_rows,
    customer_rows,
    places,
    product_rows,
)
from sandbox.orders_file.reader import OrdersFileError, read
from sandbox.orders_file.survey import Invoice, survey

_ORDER_COLUMNS = ("id", "order_no", "kind", "customer_id", "delivery_address_id", "status", "placed_at", "total")


class OrdersFile:
    """A checked file. It is read again while it is played, so it must not change meanwhile."""

    def __init__(self, path: Path, *, orders_a_transaction: int = 200) -> None:
        if not path.is_file():
            raise OrdersFileError(f"orders file {path}: there is no such file")
        self.path = path
        self._orders_a_transaction = orders_a_transaction
        self._survey = survey(read(path))
        if not self._survey.lines:
            raise OrdersFileError(f"orders file {path}: has no rows")
        self._places = places(self._survey)
        self._invoices = list(self._survey.invoices.values())

    @property
    def lines(self) -> int:
        """Rows of the file, and of order_lines when it has been played."""
        return self._survey.lines

    @property
    def orders(self) -> int:
        """Invoices and credits in the file."""
        return len(self._invoices)

    def masters(self, connection: psycopg.Connection) -> None:
        """Commit customers, addresses and products, a transaction for each table."""
        _copy(connection, "customers", CUSTOMER_COLUMNS, customer_rows(self._survey, self._places))
        _copy(connection, "addresses", ADDRESS_COLUMNS, address_rows(self._survey, self._places))
        _copy(connection, "products", PRODUCT_COLUMNS, product_rows(self._survey))

    def trade(self, connection: psycopg.Connection) -> int:
        """Commit all orders with their lines in the file's order, and return how many transactions that took."""
        gatherer = LineGatherer(self._survey, orders_a_transaction=self._orders_a_transaction)
        transactions = 0
        for batch in read(self.path):
            for whole in gatherer.add(batch):
                self._commit(connection, whole)
                transactions += 1
        with connection.transaction():
            connection.execute("SELECT setval(pg_get_serial_sequence('orders', 'id'), max(id)) FROM orders")
        return transactions

    def _commit(self, connection: psycopg.Connection, whole: WholeOrders) -> None:
        with connection.transaction():
            # The keys are right by construction, and checking two of them a line takes most of the time of a COPY.
            connection.execute("SET LOCAL session_replication_role = replica")
            rows = (self._order_row(each) for each in self._invoices[whole.first_id - 1 : whole.last_id])
            _copy(connection, "orders", _ORDER_COLUMNS, rows)
            with connection.cursor().copy(f"COPY order_lines ({', '.join(LINE_COLUMNS)}) FROM STDIN".encode()) as copy:
                for text in whole.text:
                    copy.write(text)

    def _order_row(self, invoice: Invoice) -> Values:
        place = (invoice.customer_id, invoice.country)
        return (
            invoice.id,
            invoice.number,
            "credit" if invoice.number.startswith("C") else "order",
            self._places.customers[place],
            self._places.deliveries[place],
            "approved",
            invoice.at,
            f"{'-' if invoice.cents < 0 else ''}{abs(invoice.cents) // 100}.{abs(invoice.cents) % 100:02d}",
        )


def _copy(connection: psycopg.Connection, table: str, columns: Sequence[str], rows: Iterable[Values]) -> None:
    query = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
    with connection.transaction(), connection.cursor().copy(query.encode()) as copy:
        for row in rows:
            copy.write_row(row)
