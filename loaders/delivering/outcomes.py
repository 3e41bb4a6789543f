"""What became of a batch of deliveries: collected while Odoo answers, then written in one transaction.

Contract: nothing is known until `write` has committed. A kill before it loses nothing: the records are still due, external ids
make loading them again harmless, and every action looks at Odoo's state first. Records that wait for one of the delivered are
released in the same transaction.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg

from config.errors import ErrorKind
from config.failpoints import failpoint
from loaders.confirming.confirming import Delivered, Judge
from loaders.confirming.odoo_log import expected
from loaders.delivering import lookups
from loaders.delivering.claims import Due
from loaders.named_sql import statements
from loaders.state import lock_writers, translated
from loaders.tracing.audit import Entry, append

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Binding:
    """A thing's place in Odoo."""

    canonical_id: str
    entity: str
    model: str
    external_id: str | None
    odoo_id: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _Settled:
    due: Due
    status: str
    stage: str
    waits_for: str | None = None
    error_kind: str | None = None
    error: str | None = None
    attempts: int = 0
    wait_s: float = 0.0


class Outcomes:
    """Collects the outcomes of one batch. `ages`: after `write`, the delivered records' entities and ages in seconds."""

    def __init__(self, max_attempts: int, invoicing: Sequence[str] = ()) -> None:
        """`invoicing`: the sources whose orders are invoiced."""
        self._max_attempts = max_attempts
        self._invoicing = list(invoicing)
        self._started = datetime.now(UTC)
        self._settled: list[_Settled] = []
        self._bindings: list[Binding] = []
        self._sent: list[tuple[str, str]] = []
        self._cells: dict[str, Mapping[str, str]] = {}
        self._log: list[tuple[Any, ...]] = []
        self._delivered = Delivered()
        self._released: set[str] = set()
        self._changed_orders: set[str] = set()
        self._places: dict[tuple[str, int], str] = {}
        self._billed: set[str] = set()
        self.counts: Counter[str] = Counter()
        self.ages: list[tuple[str, float]] = []

    def bind(self, binding: Binding) -> None:
        """Odoo has this thing under this id."""
        self._bindings.append(binding)

    def concerns(self, record_id: str, model: str, ids: Iterable[int]) -> None:
        """What is written to these records of Odoo is written for this one of ours; said where no binding or outcome says it."""
        self._places |= {(model, odoo_id): record_id for odoo_id in ids}

    def sent(self, due: Due, digest: str, cells: Mapping[str, str] | None = None) -> None:
        """Odoo has these cells of the record; an empty digest forgets what it had."""
        self._sent.append((due.record_id, digest))
        self._cells[due.record_id] = cells or {}

    def loaded(self, due: Due) -> None:
        """An order's header is in Odoo; its state is next. Its lines may follow."""
        self._settled.append(_Settled(due=due, status="pending", stage="state"))
        self._released |= {due.record_id, due.canonical_id}

    def load_again(self, due: Due) -> None:
        """Due from the beginning: an order whose header was believed to be in Odoo, a line that could not go with its order."""
        self._settled.append(_Settled(due=due, status="pending", stage="load"))

    def delivered(
        self,
        due: Due,
        *,
        model: str | None = None,
        odoo_id: int | None = None,
        cancelled: bool = False,
        shows: Mapping[str, str] | None = None,
        words: str | None = None,
    ) -> None:
        """Odoo has all of it. `shows`: columns by which its row can be told, besides the cells that were sent and the state that a document of
        the model ends in; `words`: what somebody should know all the same: they stay with the delivery.
        """
        cells = {**self._cells.get(due.record_id, {}), **(shows or {})}
        expects = None if odoo_id is None else expected(model, cells, cancelled=cancelled)
        self._settle(
            _Settled(due=due, status="delivered", stage="load"),
            "cancelled" if cancelled else "delivered",
            model,
            odoo_id,
            words,
            expects,
        )
        self._delivered.add(due, model, odoo_id, waits=expects is not None)
        self._released |= {due.record_id, due.canonical_id, lookups.order_driven(due.record_id)}

    def changed_after_shipping(self, order_id: str) -> None:
        """A line of this order (by record id) was changed in Odoo: what its final shipment had closed may be open again."""
        self._changed_orders.add(order_id)

    def happened(self, waits_for: str) -> None:
        """What records may wait for, besides the delivery of a record, has happened."""
        self._released.add(waits_for)

    def parked(self, due: Due, waits_for: str, why: str) -> None:
        """It refers to something that Odoo does not have yet. `why` names what, for people."""
        kind = ErrorKind.WAITING.value
        settled = _Settled(due=due, status="parked", stage=due.stage, waits_for=waits_for, error_kind=kind, error=why)
        self._settle(settled, "parked")

    def dead(self, due: Due, words: str, *, kind: ErrorKind = ErrorKind.REFUSED) -> None:
        """Odoo refuses it, in these words."""
        settled = _Settled(
            due=due, status="dead", stage=due.stage, error_kind=kind.value, error=words, attempts=due.attempts
        )
        self._settle(settled, "dead")

    def missing(self, due: Due, waits_for: str | None, why: str) -> None:
        """It lacks something: it waits for that, or is dead where no waiting helps, for want of a word in the policies."""
        if waits_for is None:
            self.dead(due, why, kind=ErrorKind.POLICY)
        else:
            self.parked(due, waits_for, why)

    def retried(self, due: Due, words: str, *, kind: ErrorKind, wait_s: float) -> None:
        """It failed in a way that may pass: due again after `wait_s` seconds, a dead letter after the last attempt."""
        if due.attempts + 1 >= self._max_attempts:
            self.dead(due, words, kind=kind)
            return
        settled = _Settled(
            due=due,
            status="pending",
            stage=due.stage,
            error_kind=kind.value,
            error=words,
            attempts=due.attempts + 1,
            wait_s=wait_s,
        )
        self._settle(settled, "retried")

    def recorded(self, due: Due) -> None:
        """No policy says what becomes of it in Odoo: it is only kept."""
        self._settled.append(_Settled(due=due, status="recorded", stage="load"))
        self.counts["recorded"] += 1

    def duplicate(self, due: Due, words: str) -> None:
        """It belongs to an order that the channel had sent before."""
        self._settled.append(_Settled(due=due, status="duplicate", stage="load", error=words))
        self.counts["duplicate"] += 1

    def shadowed(self, due: Due) -> None:
        """It was compared with what Odoo holds; nothing was written."""
        self._settled.append(_Settled(due=due, status="shadowed", stage="load"))
        self.counts["shadowed"] += 1

    def billed(self, due: Due) -> None:
        """The order whose invoicing this is has got an invoice or a credit note: its payments may be set off against it."""
        self._billed.add(due.aggregate_id)
        self._released.add(lookups.order_billed(due.aggregate_id))

    @property
    def settled_ids(self) -> set[str]:
        """Record ids with an outcome."""
        return {one.due.record_id for one in self._settled}

    def places(self, batch: Sequence[Due]) -> dict[tuple[str, int], str]:
        """Return for which record what is at (model, id) in Odoo was written to."""
        owners = {due.canonical_id: due.record_id for due in batch}
        bound = {(b.model, b.odoo_id): owners.get(b.canonical_id, b.canonical_id) for b in self._bindings}
        settled = {(model, odoo_id): name for name, _, model, odoo_id, *_ in self._log if model and odoo_id}
        return self._places | bound | settled

    def parts(self) -> dict[str, tuple[str, int]]:
        """Return where in Odoo what was bound is, by external id."""
        return {b.external_id: (b.model, b.odoo_id) for b in self._bindings if b.external_id}

    def write(
        self,
        connection: Connection,
        batch_id: int | None = None,
        audit: Sequence[Entry] = (),
        judge: Judge | None = None,
    ) -> None:
        """Write everything in one transaction. `batch_id`: the calls under way whose end this is; `audit`: what they have written; `judge`: of
        what Odoo's log has told of the delivered so far. The collector is used up.
        """
        with translated("recording deliveries"):
            lock_writers(connection)
            self._write_all(connection)
            append(connection, audit)
            if judge is not None:
                judge.delivered(connection, self._delivered)
            connection.execute(_sql("ended"), [batch_id])
            connection.commit()
        failpoint("delivery.after_recorded")

    def _settle(
        self,
        settled: _Settled,
        outcome: str,
        model: str | None = None,
        odoo_id: int | None = None,
        words: str | None = None,
        expects: Mapping[str, str | None] | None = None,
    ) -> None:
        self._settled.append(settled)
        due, shows = settled.due, None if expects is None else json.dumps(expects)
        said = settled.error or words
        self._log.append((due.record_id, outcome, model, odoo_id, said, self._started, shows, due.content_hash))
        self.counts[outcome] += 1

    def _write_all(self, connection: Connection) -> None:
        bind(connection, self._bindings)
        _run(
            connection,
            "settle",
            [
                (
                    one.due.record_id,
                    one.due.content_hash,
                    one.due.operation,
                    one.status,
                    one.stage,
                    one.waits_for,
                    one.error_kind,
                    one.error,
                    one.attempts,
                    one.wait_s,
                )
                for one in self._settled
            ],
        )
        _run(connection, "sent", self._sent)
        logged = _run(connection, "log", self._log)
        self.ages = [(entity, age_s) for entity, age_s in (logged or ()) if age_s is not None]
        if self._released:
            connection.execute(_sql("release"), [list(self._released)])
        if self._changed_orders:
            connection.execute(_sql("look_at_final_shipments"), [list(self._changed_orders)])
        if self._billed:
            connection.execute(_sql("payments_again"), [list(self._billed)])
        delivered = [one.due.record_id for one in self._settled if one.status == "delivered"]
        if self._invoicing and delivered:
            connection.execute(_sql("invoicing"), {"records": delivered, "sources": self._invoicing})


def bind(connection: Connection, bindings: Sequence[Binding]) -> None:
    """Write these things' places in Odoo into the crosswalk; part of the caller's transaction."""
    _run(connection, "bind", [(b.canonical_id, b.entity, b.model, b.external_id, b.odoo_id) for b in bindings])


def promote_heirs(connection: Connection, canonical_ids: Sequence[str]) -> set[str]:
    """Make another source's record the owner of each of these things; return the things that have one."""
    with translated("looking for other records of deleted things"):
        lock_writers(connection)
        found = {row[0] for row in connection.execute(_sql("promote"), [list(canonical_ids)])}
        connection.commit()
    return found


def _run(connection: Connection, name: str, rows: Sequence[tuple[Any, ...]]) -> psycopg.Cursor[tuple[Any, ...]] | None:
    return connection.execute(_sql(name), [list(column) for column in zip(*rows, strict=True)]) if rows else None


def _sql(name: str) -> Any:
    return statements("delivering/outcomes.sql")[name]
