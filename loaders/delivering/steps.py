"""The delivery's steps in the order in which things depend on each other, and how many records each takes at a time.

A step takes fewer records after a failure that may be one record's fault (a call that never ends), until it takes one: then
that record is the one that fails, and runs out of attempts alone. Success lets the step grow again.

Orders go in waves: a few batches of headers, then their lines, states and shipments, so that of a long backlog the oldest
orders are finished first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from config.policies import Domain, Policies
from loaders.delivering.claims import Claims, Due
from loaders.delivering.work import Work
from loaders.money.billing import bill_orders
from loaders.money.payments import deliver_payments
from loaders.money.settlements import deliver_settlements
from loaders.sales.lines import deliver_lines
from loaders.sales.order_state import drive_orders
from loaders.sales.orders import deliver_orders
from loaders.sales.partners import deliver_partners
from loaders.sales.products import deliver_products, ensure_services
from loaders.stock.counts import deliver_counts
from loaders.stock.returns import deliver_returns
from loaders.stock.shipments import deliver_shipments

_BATCHES_A_ROUND = 2

Claim = Callable[[Claims, int], list[Due]]
Act = Callable[[Work, Sequence[Due]], None]


@dataclass(kw_only=True, slots=True)
class Step:
    """One step: what it claims and does, and how many records at most (`largest`), at present `limit`.

    `batches_a_round`: after so many batches it is the other steps' turn; None: it goes on until nothing is due.
    """

    name: str
    domain: Domain
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


def delivery_steps(batch_records: int, policies: Policies | None = None) -> list[Step]:
    """Return the steps of one deliverer: by the priorities of their domains, and in dependency order where those are the same.

    What is not of the first priority gives way after a few batches, however long its backlog.
    """
    services = _Services()
    plans: list[tuple[str, Domain, Claim, Act]] = [
        (
            "contacts",
            Domain.CUSTOMERS,
            lambda c, n: c.records("customer", "load", n, addresses=False),
            deliver_partners,
        ),
        (
            "addresses",
            Domain.CUSTOMERS,
            lambda c, n: c.records("customer", "load", n, addresses=True),
            deliver_partners,
        ),
        ("products", Domain.PRODUCTS, lambda c, n: c.records("product", "load", n), deliver_products),
        ("orders", Domain.ORDERS, lambda c, n: c.orders(n), services.before(deliver_orders)),
        ("lines", Domain.ORDERS, lambda c, n: c.records("sales_order_line", "load", n), services.before(deliver_lines)),
        ("order states", Domain.ORDERS, lambda c, n: c.records("sales_order", "state", n), drive_orders),
        ("shipments", Domain.SHIPMENTS, lambda c, n: c.shipments(n), deliver_shipments),
        ("returns", Domain.RETURNS, lambda c, n: c.returns(n), deliver_returns),
        ("invoices", Domain.INVOICES, lambda c, n: c.records("invoicing", "load", n), bill_orders),
        ("payments", Domain.PAYMENTS, lambda c, n: c.records("payment", "load", n), deliver_payments),
        (
            "settlements",
            Domain.SETTLEMENTS,
            lambda c, n: c.records("settlement_line", "load", n),
            deliver_settlements,
        ),
        ("counts", Domain.STOCK, lambda c, n: c.records("stock_level", "load", n), deliver_counts),
    ]
    steps = [
        Step(name=name, domain=domain, claim=claim, act=act, largest=batch_records, limit=batch_records)
        for name, domain, claim, act in plans
    ]
    next(step for step in steps if step.name == "orders").batches_a_round = _BATCHES_A_ROUND
    return _by_priority(steps, policies or Policies())


def _by_priority(steps: list[Step], policies: Policies) -> list[Step]:
    priorities = {step.domain: policies.domain(step.domain).priority for step in steps}
    for step in steps:
        if priorities[step.domain] > min(priorities.values()):
            step.batches_a_round = _BATCHES_A_ROUND
    return sorted(steps, key=lambda step: priorities[step.domain])


class _Services:
    """The bridge's own products, which lines refer to: loaded once in this process, before the first lines are."""

    def __init__(self) -> None:
        self._loaded = False

    def before(self, act: Act) -> Act:
        """Return `act`, made sure of them."""

        def acting(work: Work, batch: Sequence[Due]) -> None:
            if not self._loaded:
                ensure_services(work)
                self._loaded = True
            act(work, batch)

        return acting
