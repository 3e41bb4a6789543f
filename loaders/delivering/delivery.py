"""The deliverer: works the outbox off to Odoo, batch by batch, step by step. The coordinator only; each step has its own file.

Contract: any number of deliverers may run, in any number of processes (claims). A deliverer owns its connections; when Odoo or
the state database fails in a way that may pass, it closes them, waits and begins again. What was in the air is due again, and
harmless: rows are loaded by external id, and every action reads Odoo's state first. Nothing is held in memory between batches.
Odoo may still be at work on a call whose caller is gone: what such a call may undo is delivered once more later (rechecks).
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg
from loguru import logger

from config.errors import CausewayError, Disposition, ErrorKind
from config.policies import Domain, Mode, Policies
from config.settings import DeliverySettings, OdooSettings, StateSettings
from loaders.confirming.confirming import Judge
from loaders.confirming.read_back import read_back
from loaders.delivering.backlog import Backlog, BacklogCounter
from loaders.delivering.circuit import Circuit
from loaders.delivering.claims import Claims, Due
from loaders.delivering.domains import DomainGates
from loaders.delivering.outcomes import Outcomes
from loaders.delivering.rechecks import Rechecks
from loaders.delivering.retention import Retention
from loaders.delivering.service_levels import ServiceLevels
from loaders.delivering.steps import Step, delivery_steps
from loaders.delivering.work import Work
from loaders.odoo.client import OdooClient
from loaders.odoo.odoo_names import OdooNames
from loaders.shadow.adoption import guarded, went_live
from loaders.shadow.step import compare
from loaders.state import connect, prepare
from loaders.tracing.audit import Entry, Signature

_SWEEP_S = 5.0
# Looks at an outbox in which nothing is due, five a second, were nearly half of the 2 % of a core that an idle lane used. What
# arrives wakes the deliverer, so that only what falls due by the clock, or what another process releases, waits longer.
_IDLE_POLLS = 5
# Failures that may be one record's fault; the others say nothing of the records that were on their way.
_OF_RECORDS = frozenset({ErrorKind.TRANSIENT, ErrorKind.UNKNOWN_OUTCOME})


@dataclass(kw_only=True, slots=True)
class DeliveryReport:
    """What one `run_once` did. `outcomes`: records by outcome. `error`: why it stopped early; `wait_s`: until it goes on."""

    outcomes: Counter[str] = field(default_factory=Counter)
    error: str | None = None
    wait_s: float = 0.0

    @property
    def worked(self) -> bool:
        return sum(self.outcomes.values()) > 0


@dataclass(kw_only=True, slots=True)
class _Connections:
    """`state` for short transactions, `held` for the one that stays open during a call and for what shows that we live."""

    state: psycopg.Connection[tuple[Any, ...]]
    held: psycopg.Connection[tuple[Any, ...]]
    claims: Claims
    rechecks: Rechecks

    def close(self) -> None:
        self.state.close()
        self.held.close()


class Deliverer:
    """Delivers what is due in the outbox. One thread runs it; `backlog` and `status` may be asked from any. Closes `client` with itself.

    `at_once`: domains with a schedule are delivered without waiting for their time.
    """

    def __init__(
        self,
        state: StateSettings,
        odoo: OdooSettings,
        delivery: DeliverySettings,
        client: OdooClient | None = None,
        policies: Policies | None = None,
        *,
        at_once: bool = False,
    ) -> None:
        prepare(state)
        self._state = state
        self._odoo = odoo
        self._settings = delivery
        self._client = client or OdooClient(odoo)
        self._policies = policies or Policies()
        self._names = OdooNames(self._client)
        self._backlog = BacklogCounter(state)
        self._steps = delivery_steps(odoo.batch_records, self._policies)
        self._gates = DomainGates(self._policies, at_once=at_once)
        self._service_levels = ServiceLevels(self._policies)
        self._circuit = Circuit(delivery.retry_first_s, delivery.retry_longest_s)
        self._connections: _Connections | None = None
        self._compared = True  # whether anything was ever compared in shadow mode
        self._policies_tried = False
        self._swept_at = float("-inf")
        self._retention = Retention(delivery.keep_days)
        self._arrived = threading.Event()

    def run_once(self, stop: threading.Event | None = None) -> DeliveryReport:
        """Work off all that is due now. Returns early when `stop` is set, when Odoo is away, or while it has to wait.

        Raises CausewayError for what waiting does not mend (wrong password, no such database, missing apps).
        """
        report = DeliveryReport(wait_s=self._circuit.remaining_s)
        if report.wait_s:
            return report
        try:
            if self._circuit.must_probe():
                self._client.probe()
                self._circuit.succeeded()
            connections = self._connected()
            self._gates.look(connections.state)
            while self._round(connections, report, stop):
                self._circuit.succeeded()
            if not (stop is not None and stop.is_set()):
                self._gates.worked_off(connections.state)
            self._sweep(connections)
        except CausewayError as error:
            self._failed(error, report)
        return report

    def run(self, stop: threading.Event) -> None:
        """Deliver until `stop` is set; a batch that is on its way is finished first. Whoever sets `stop` calls `wake`, too."""
        poll_s = idle_s = self._settings.poll_ms / 1000
        while not stop.is_set():
            report = self.run_once(stop)
            if report.wait_s:
                stop.wait(max(report.wait_s, poll_s))
            elif report.worked:
                idle_s = poll_s
            else:
                self._wait_for_arrivals(stop, idle_s)
                idle_s = min(2 * idle_s, _IDLE_POLLS * poll_s)
        self.close()

    def wake(self) -> None:
        """Say, from any thread, that something has arrived in the outbox: it is looked at now."""
        self._arrived.set()

    def _wait_for_arrivals(self, stop: threading.Event, longest_s: float) -> None:
        if not stop.is_set():
            self._arrived.wait(longest_s)
        self._arrived.clear()

    def backlog(self) -> Backlog:
        """Count what is not in Odoo yet. Cheap: reads an index of the unsettled records only."""
        return self._backlog.count()

    def anything_left(self) -> bool:
        """Whether anything can still be delivered: what waits for its source's snapshot can't, nor what is held."""
        return self._backlog.anything_left(self._gates.entities(Mode.HELD))

    def status(self) -> dict[str, Any]:
        """Whether Odoo is called, which domains are held, and the ages at delivery by domain, as JSON values."""
        return {
            "circuit": self._circuit.state.value,
            "held": sorted(domain.value for domain in Domain if self._gates.mode(domain) is Mode.HELD),
            "domains": self._service_levels.as_dict(),
        }

    def close(self) -> None:
        """Close all connections; claims go with them."""
        self._disconnect()
        self._backlog.close()

    def _disconnect(self) -> None:
        self._client.close()
        if self._connections is not None:
            self._connections.close()
            self._connections = None

    def _connected(self) -> _Connections:
        if self._connections is None:
            state, held = (
                connect(self._state, application_name=f"causeway delivery {use}") for use in ("state", "claims")
            )
            rechecks = Rechecks(state, held, grace_s=self._odoo.timeout_s)
            self._compared = went_live(state, self._gates.entities(Mode.LIVE, Mode.HELD))
            claims = Claims(held)
            claims.take_up_settlements(self._policies.settled_sources)
            if not self._policies_tried:
                self._policies_tried = True
                claims.try_policies_again()
            self._connections = _Connections(state=state, held=held, claims=claims, rechecks=rechecks)
        return self._connections

    def _round(self, connections: _Connections, report: DeliveryReport, stop: threading.Event | None) -> bool:
        """Go through the steps once, each as long as it finds something; tell whether anything was done."""
        if not connections.claims.anything():
            return False
        worked = connections.rechecks.make_due(self._work(connections)) > 0
        for step in (step for step in self._steps if self._gates.is_open(step.domain)):
            turns = itertools.count() if step.batches_a_round is None else range(step.batches_a_round)
            for _ in turns:
                if (stop is not None and stop.is_set()) or not self._batch(step, connections, report):
                    break
                worked = True
        return worked and not (stop is not None and stop.is_set())

    def _batch(self, step: Step, connections: _Connections, report: DeliveryReport) -> bool:
        """Claim, act, record one batch; False when nothing is due."""
        try:
            batch = step.claim(connections.claims, step.limit)
            if batch:
                report.outcomes += self._act(step, connections, batch)
                step.grow()
            return bool(batch)
        finally:
            if not connections.held.closed:
                connections.claims.release()

    def _act(self, step: Step, connections: _Connections, batch: Sequence[Due]) -> Counter[str]:
        work = self._work(connections)
        started = time.monotonic()
        batch_id = connections.rechecks.begin(batch)
        carried_out = self._client.carried_out
        self._client.journal.take()
        try:
            self._carry_out(step, work, batch)
        except CausewayError as error:
            with suppress(CausewayError):
                self._note_written(connections, work, batch)
            if error.kind is not ErrorKind.UNKNOWN_OUTCOME and self._client.carried_out == carried_out:
                # Odoo was told nothing. Without this an Odoo that is away would leave a batch behind with every attempt.
                with suppress(CausewayError):
                    connections.rechecks.withdraw(batch_id)
            if error.kind in _OF_RECORDS:
                self._blame(step, connections, batch, error)
            raise
        without = {due.record_id for due in batch} - work.outcomes.settled_ids
        if without:
            raise CausewayError(
                ErrorKind.INTERNAL, f"The step {step.name} left {len(without)} records without an outcome."
            )
        work.outcomes.write(connections.state, batch_id, self._written(work, batch), self._judge)
        self._service_levels.note(work.outcomes.ages)
        took_ms = (time.monotonic() - started) * 1000
        logger.debug("{}: {} records in {:.0f} ms: {}", step.name, len(batch), took_ms, dict(work.outcomes.counts))
        return work.outcomes.counts

    def _written(self, work: Work, batch: Sequence[Due]) -> list[Entry]:
        """Return what the batch has written so far, as entries of the audit."""
        signature = Signature(actor=self._odoo.user, policy_version=self._policies.version)
        return signature.entries(self._client.journal.take(), batch, work.outcomes.places(batch), work.outcomes.parts())

    def _note_written(self, connections: _Connections, work: Work, batch: Sequence[Due]) -> None:
        """Note what a batch has written that did not come to its end: its records are due again, and have no outcome."""
        written = self._written(work, batch)
        if written:
            connections.state.rollback()
            Outcomes(self._settings.max_attempts).write(connections.state, audit=written)

    def _carry_out(self, step: Step, work: Work, batch: Sequence[Due]) -> None:
        """Write, or in shadow mode compare."""
        if self._gates.mode(step.domain) is Mode.SHADOW:
            compare(work, batch)
            return
        writing = guarded(work, batch) if self._compared else batch
        if writing:
            step.act(work, writing)

    def _blame(self, step: Step, connections: _Connections, batch: Sequence[Due], error: CausewayError) -> None:
        """Count an attempt against a record that was on its way alone; else let the step take fewer next time."""
        if step.limit > 1:
            step.shrink()
            return
        outcomes = Outcomes(self._settings.max_attempts)
        for due in batch:
            outcomes.retried(due, error.message, kind=error.kind, wait_s=self._settings.retry_first_s)
        outcomes.write(connections.state)

    def _work(self, connections: _Connections) -> Work:
        return Work(
            client=self._client,
            connection=connections.state,
            prefix=self._odoo.prefix,
            batch_records=self._odoo.batch_records,
            outcomes=Outcomes(self._settings.max_attempts, self._policies.invoicing_sources),
            policies=self._policies,
            names=self._names,
        )

    @property
    def _judge(self) -> Judge:
        return Judge(self._policies, self._client.known_user_id)

    def _sweep(self, connections: _Connections) -> None:
        if time.monotonic() - self._swept_at >= _SWEEP_S:
            self._swept_at = time.monotonic()
            self._names.forget_missing()
            if released := connections.claims.release_satisfied():
                logger.debug("{} records no longer wait", released)
            if forgotten := self._retention.sweep(connections.state):
                logger.debug("{} old deliveries and records are forgotten", forgotten)
            if self._settings.read_back_s is not None:
                read_back(connections.state, self._client, self._judge, self._settings.read_back_s)

    def _failed(self, error: CausewayError, report: DeliveryReport) -> None:
        self._disconnect()
        if error.disposition is not Disposition.RETRY:
            raise error
        report.error = str(error)
        report.wait_s = self._circuit.failed(getattr(error, "retry_after_s", None))
        logger.warning("delivery waits {:.1f} s: {}", report.wait_s, error)
