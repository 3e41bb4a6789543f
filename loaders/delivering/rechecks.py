"""Calls whose end nobody saw, and what they may have undone.

Odoo does not notice that its caller is gone (killed, timed out): it goes on, and commits at some later time. Meanwhile a newer
state of the same record may have been delivered, which that call then overwrites; or a delete has found nothing to take back.

Contract: every batch leaves a row (`begin`, committed) before it says anything to Odoo; the transaction that writes its outcomes
deletes it. A row of a deliverer that is gone was left behind. Its records go on being delivered at once; when Odoo can no longer
be at work on such a call, they are made due again, as if nothing were known of what Odoo has: found anew by their external ids,
and with no memory of what was sent. That a deliverer lives is shown by an advisory lock of its session.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import psycopg
from loguru import logger

from loaders.delivering.claims import Due
from loaders.delivering.outcomes import Binding, bind
from loaders.delivering.work import Work
from loaders.named_sql import statements
from loaders.odoo.external_ids import Found, look_up
from loaders.state import lock_writers, scalar, translated
from loaders.tracing.audit import about, append

Connection = psycopg.Connection[tuple[Any, ...]]

# Shipments and invoices have no external id: what they have moved is read from their order each time.
_NAMED = frozenset({"customer", "product", "sales_order", "sales_order_line", "payment"})


_LEFT_BEHIND = "its deliverer was killed or gave up: what it wrote last is not noted here; delivered once more"


class _Thing(NamedTuple):
    """A record that a batch has touched. `claimed_as`: the aggregate that is locked by whoever delivers it."""

    record_id: str
    entity: str
    canonical_id: str
    external_id: str | None
    claimed_as: str


class Rechecks:
    """One deliverer's batches under way, and those that others left behind. `held` must be the connection of its claims.

    `grace_s`: how long Odoo may go on with a call whose caller is gone.
    """

    def __init__(self, state: Connection, held: Connection, *, grace_s: float) -> None:
        self._state = state
        self._held = held
        self._grace_s = grace_s
        with translated("announcing a deliverer"):
            self._deliverer = int(scalar(held, "SELECT nextval('deliverers')"))
            held.execute(_sql("announce"), [self._deliverer])
            held.commit()

    def begin(self, batch: Sequence[Due]) -> int:
        """Note that Odoo is about to be told of these records; return the batch's id."""
        with translated("noting a batch under way"):
            parameters = [self._deliverer, [due.record_id for due in batch]]
            batch_id = int(scalar(self._state, _sql("begin"), parameters))
            self._state.commit()
        return batch_id

    def withdraw(self, batch_id: int) -> None:
        """Odoo was told nothing of this batch."""
        with translated("withdrawing a batch"):
            self._state.rollback()
            self._state.execute(_sql("withdraw"), [batch_id])
            self._state.commit()

    def make_due(self, work: Work) -> int:
        """Make the records due that dead calls may have changed, and that Odoo can no longer change; return how many."""
        with translated("looking for calls left behind"):
            left = self._held.execute(_sql("left_behind"), {"deliverer": self._deliverer}).rowcount
            self._held.commit()
            over = self._held.execute(_sql("over"), {"grace_s": self._grace_s}).fetchall()
            self._held.commit()
        if left:
            logger.info("{} batches were left behind; their records are delivered again in {:g} s", left, self._grace_s)
        try:
            return sum(self._make_batch_due(work, batch_id) for (batch_id,) in over)
        finally:
            if not self._held.closed:
                self._held.rollback()

    def _make_batch_due(self, work: Work, batch_id: int) -> int:
        """Make one batch's records due, but for those that another deliverer works on just now: they stay for later."""
        with translated("claiming records to deliver again"):
            record_ids = scalar(self._held, _sql("take"), [batch_id])
            if record_ids is None:
                return 0  # another deliverer is at it
            free, busy = self._claimed(record_ids)
        found = _bindings(work, [thing for thing in free if thing.entity in _NAMED])
        with translated("making records due again"):
            lock_writers(self._held)
            bind(self._held, found)
            made = self._held.execute(_sql("make_due"), [[thing.record_id for thing in free]]).rowcount
            names = [thing.record_id for thing in free]
            append(self._held, about(names, actor="causeway", action="left_behind", note=_LEFT_BEHIND))
            self._held.execute(_sql("keep"), [[thing.record_id for thing in busy], batch_id])
            self._held.execute(_sql("forget"), [batch_id])
            self._held.commit()
        return made

    def _claimed(self, record_ids: Sequence[str]) -> tuple[list[_Thing], list[_Thing]]:
        """Claim these records' things, as delivering them would; return their records: the claimed, and those that are not free."""
        things = [_Thing(*row) for row in self._held.execute(_sql("touched"), [record_ids])]
        wanted = {"aggregates": sorted({thing.claimed_as for thing in things})}
        known = {row[0] for row in self._held.execute(_sql("claimable"), wanted)}
        known -= {row[0] for row in self._held.execute(_sql("claim"), wanted)}
        busy = {thing.canonical_id for thing in things if thing.claimed_as in known}
        return (
            [thing for thing in things if thing.canonical_id not in busy],
            [thing for thing in things if thing.canonical_id in busy],
        )


def _bindings(work: Work, things: Sequence[_Thing]) -> list[Binding]:
    """Ask Odoo what it has under these things' external ids."""
    names: dict[str, _Thing] = {}
    for thing in things:
        external_id = thing.external_id or work.external_id(thing.canonical_id)
        names[external_id.removeprefix(f"{work.prefix}.")] = thing
    wanted = list(names)
    found = []
    for start in range(0, len(wanted), work.batch_records):
        there = look_up(work.client, work.prefix, wanted[start : start + work.batch_records])
        found += [_binding(work, names[name], name, thing) for name, thing in there.items()]
    return found


def _binding(work: Work, thing: _Thing, name: str, found: Found) -> Binding:
    return Binding(
        canonical_id=thing.canonical_id,
        entity=thing.entity,
        model=found.model,
        external_id=f"{work.prefix}.{name}",
        odoo_id=found.odoo_id,
    )


def _sql(name: str) -> Any:
    return statements("delivering/rechecks.sql")[name]
