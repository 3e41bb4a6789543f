"""The delivery's steps in the order in which things depend on each other, and how many records each takes at a time.

A step takes fewer records after a failure that may be one record's fault (a call that never ends), until it takes one: then
that record is the one that fails, and runs out of attempts alone. Success lets the step grow again.

Orders go in waves: a few batches of headers, then their lines, states and shipments, so that of a long backlog the oldest
orders are finished first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from loaders.claims import Claims, Due
from loaders.lines import deliver_lines
from loaders.order_state import drive_orders
from loaders.orders import deliver_orders
from loaders.partners import deliver_partners
from loaders.products import deliver_products, ensure_services
from loaders.shipments import deliver_shipments
from loaders.work import Work

_HEADER_BATCHES_A_ROUND = 2

Claim = Callable[[Claims, int], list[Due]]
Act = Callable[[Work, Sequence[Due]], None]


@dataclass(kw_only=True, slots=True)
class Step:
    """One step: what it claims and does, and how many records at most (`largest`), at present `limit`.

    `batches_a_round`: after so many batches it is the other steps' turn; None: it goes on until nothing is due.
    """

    name: str
    claim: Claim
    act: Act
    largest: int
    limit: int
    batches_a_round: int | None = None

    def shrink(self) -> None:
        """Take half as many records at a time."""
        self.limit = max(1, self.limit // 2)

    def grow(self) -> None:
        """Take twice as many again."""
        self.limit = min(self.largest, self.limit * 2)


def delivery_steps(batch_records: int) -> list[Step]:
    """Return the steps in dependency order, for one deliverer."""
    lines_of_services = _ServicesFirst()
    plans: list[tuple[str, Claim, Act]] = [
        ("contacts", lambda c, n: c.records("customer", "load", n, addresses=False), deliver_partners),
        ("addresses", lambda c, n: c.records("customer", "load", n, addresses=True), deliver_partners),
        ("products", lambda c, n: c.records("product", "load", n), deliver_products),
        ("orders", lambda c, n: c.records("sales_order", "load", n), deliver_orders),
        ("lines", lambda c, n: c.records("sales_order_line", "load", n), lines_of_services),
        ("order states", lambda c, n: c.records("sales_order", "state", n), drive_orders),
        ("shipments", lambda c, n: c.shipments(n), deliver_shipments),
    ]
    steps = [
        Step(name=name, claim=claim, act=act, largest=batch_records, limit=batch_records) for name, claim, act in plans
    ]
    next(step for step in steps if step.act is deliver_orders).batches_a_round = _HEADER_BATCHES_A_ROUND
    return steps


class _ServicesFirst:
    """Lines, after the bridge's own products have been loaded once in this process."""

    def __init__(self) -> None:
        self._loaded = False

    def __call__(self, work: Work, batch: Sequence[Due]) -> None:
        if not self._loaded:
            ensure_services(work)
            self._loaded = True
        deliver_lines(work, batch)
