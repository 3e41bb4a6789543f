"""The second pass: order lines as COPY text, gathered until whole transactions of orders are there.

A batch's text is made column by column, with no Python loop over rows. Lines of an invoice that lie apart in the file wait
for each other, with the other orders of their transaction; memory is bounded where invoices are together, as they are but for
one in the public file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sandbox.orders_file.codes import line_kind
from sandbox.orders_file.reader import PRICE_SCALE, Batch, Column
from sandbox.orders_file.survey import Survey

LINE_COLUMNS = ("order_id", "line_no", "kind", "product_id", "description", "qty", "unit_price")

_NULL = "\\N"


@dataclass(frozen=True, kw_only=True)
class WholeOrders:
    """All lines of the orders from `first_id` to `last_id`, as COPY text."""

    first_id: int
    last_id: int
    text: list[bytes]


class LineGatherer:
    """Takes batches in the file's order and yields transactions' worth of whole orders."""

    def __init__(self, survey: Survey, *, orders_a_transaction: int) -> None:
        self._invoices = pa.array(list(survey.invoices))
        self._products = pa.array(list(survey.products), pa.string())
        self._per_transaction = orders_a_transaction
        lines = np.array([invoice.lines for invoice in survey.invoices.values()], dtype=np.int64)
        starts = np.arange(0, len(lines), orders_a_transaction)
        self._missing = np.add.reduceat(lines, starts)
        self._numbered = np.zeros(len(lines), dtype=np.int64)
        self._waiting: dict[int, list[bytes]] = {}
        self._orders = len(lines)

    def add(self, batch: Batch) -> Iterator[WholeOrders]:
        """Take in a batch, and yield what has become whole by it."""
        places = np.asarray(pc.index_in(batch.invoice, value_set=self._invoices), dtype=np.int64)
        text = self._text(batch, places)
        groups = places // self._per_transaction
        for group in np.unique(groups).tolist():
            chosen = text.filter(pa.array(groups == group))
            self._waiting.setdefault(group, []).append(_bytes(chosen))
            self._missing[group] -= len(chosen)
            if self._missing[group] == 0:
                yield self._whole(group)

    def _whole(self, group: int) -> WholeOrders:
        first = group * self._per_transaction
        last = min(first + self._per_transaction, self._orders)
        return WholeOrders(first_id=first + 1, last_id=last, text=self._waiting.pop(group))

    def _text(self, batch: Batch, places: npt.NDArray[np.int64]) -> Column:
        product_places: Column = pc.index_in(batch.code, value_set=self._products)
        columns: list[Column] = [
            pa.array(places + 1).cast(pa.string()),
            pa.array(self._line_numbers(places)).cast(pa.string()),
            _kinds(batch.code),
            pc.fill_null(pc.add(product_places, 1).cast(pa.string()), _NULL),
            _escaped(batch.description),
            pa.array(batch.quantity).cast(pa.string()),
            _decimal(batch.price),
        ]
        return pc.binary_join_element_wise(*columns[:-1], pc.binary_join_element_wise(columns[-1], "", "\n"), "\t")

    def _line_numbers(self, places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The number of each line within its invoice, going on from the batches before."""
        order = np.argsort(places, kind="stable")
        ordered = places[order]
        starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        lengths = np.diff(np.r_[starts, len(ordered)])
        within = np.empty(len(places), dtype=np.int64)
        within[order] = np.arange(len(ordered)) - np.repeat(starts, lengths)
        numbers = self._numbered[places] + within + 1
        self._numbered[ordered[starts]] += lengths
        return numbers


def _kinds(codes: Column) -> Column:
    encoded = codes.dictionary_encode()
    kinds: Column = pa.array([line_kind(code) for code in encoded.dictionary.to_pylist()])
    return kinds.take(encoded.indices)


def _escaped(texts: Column) -> Column:
    """COPY's text form: a backslash before what would end a value or a row."""
    result = texts
    for character, escape in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        result = pc.replace_substring(result, pattern=character, replacement=escape)
    return pc.fill_null(result, _NULL)


def _decimal(price: npt.NDArray[np.int64]) -> Column:
    """Ten-thousandths as text with a point."""
    sign: Column = pa.array(np.where(price < 0, "-", ""))
    whole, rest = np.divmod(np.abs(price), PRICE_SCALE)
    digits: Column = pc.utf8_slice_codeunits(pa.array(rest + PRICE_SCALE).cast(pa.string()), 1)
    joined = pc.binary_join_element_wise(sign, pa.array(whole).cast(pa.string()), "")
    return pc.binary_join_element_wise(joined, digits, ".")


def _bytes(texts: Column) -> bytes:
    """The texts one behind the other."""
    return b"".join(texts.cast(pa.binary()).to_pylist())
