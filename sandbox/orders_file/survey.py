"""The first pass over the file: what invoices, products and customers there are.

Its memory grows with these (26,000, 4,000 and 4,400 in the public file), never with the lines. Everything is numbered by its
first appearance, so that the first thousand invoices are the orders 1 to 1000.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from sandbox.orders_file.codes import line_kind
from sandbox.orders_file.reader import Batch


@dataclass(kw_only=True)
class Invoice:
    """What an order's row needs; `lines` and `cents` grow while the file is read."""

    id: int
    number: str
    at: str
    customer_id: int | None
    country: str
    lines: int = 0
    cents: int = 0


@dataclass(kw_only=True)
class Product:
    """A stock code that is a product's, with how often which price (in ten-thousandths) and which name were seen."""

    id: int
    code: str
    first_seen_at: str
    prices: Counter[int] = field(default_factory=Counter)
    names: Counter[str] = field(default_factory=Counter)


@dataclass(kw_only=True)
class Survey:
    """The invoices, products and places that the file's lines refer to, in the order of their first appearance.

    `places` has the pairs (customer or None, country) and the time of each one's first invoice.
    """

    invoices: dict[str, Invoice] = field(default_factory=dict)
    products: dict[str, Product] = field(default_factory=dict)
    places: dict[tuple[int | None, str], str] = field(default_factory=dict)
    lines: int = 0

    def add(self, batch: Batch) -> None:
        """Take in one batch."""
        self._add_invoices(batch)
        self._add_products(batch)
        self.lines += len(batch.quantity)

    def _add_invoices(self, batch: Batch) -> None:
        encoded = batch.invoice.dictionary_encode()
        places = np.asarray(encoded.indices)
        numbers = encoded.dictionary.to_pylist()
        firsts = np.unique(places, return_index=True)[1].tolist()
        counts = np.bincount(places).tolist()
        # Exact in double precision as long as an invoice stays below 9e13 pounds.
        cents = np.bincount(places, weights=batch.cents.astype(np.float64)).tolist()
        for number, first, count, amount in zip(numbers, firsts, counts, cents, strict=True):
            invoice = self.invoices.get(number) or self._new_invoice(batch, number, first)
            invoice.lines += count
            invoice.cents += int(amount)

    def _new_invoice(self, batch: Batch, number: str, row: int) -> Invoice:
        invoice = Invoice(
            id=len(self.invoices) + 1,
            number=number,
            at=batch.at[row].as_py(),
            customer_id=batch.customer_id[row].as_py(),
            country=batch.country[row].as_py(),
        )
        self.invoices[number] = invoice
        self.places.setdefault((invoice.customer_id, invoice.country), invoice.at)
        return invoice

    def _add_products(self, batch: Batch) -> None:
        table = pa.table(
            {"code": batch.code, "name": batch.description, "price": pa.array(batch.price), "at": batch.at}
        )
        grouped = table.group_by(["code", "name", "price"], use_threads=False)
        for row in grouped.aggregate([("at", "first"), ("at", "count")]).to_pylist():
            code = row["code"]
            if line_kind(code) != "item":
                continue
            product = self.products.get(code)
            if product is None:
                product = Product(id=len(self.products) + 1, code=code, first_seen_at=row["at_first"])
                self.products[code] = product
            product.prices[row["price"]] += row["at_count"]
            if row["name"] is not None:
                product.names[row["name"]] += row["at_count"]


def survey(batches: Iterable[Batch]) -> Survey:
    """Read all batches and say what is in them. Raises OrdersFileError, as reading does."""
    found = Survey()
    for batch in batches:
        found.add(batch)
    return found
