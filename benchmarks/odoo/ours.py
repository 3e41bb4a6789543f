"""The operational lane's end in one process: an outbox in an embedded Postgres and deliverers to the Odoo that is measured."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Any

import psycopg
import pyarrow as pa
from loguru import logger

from benchmarks.odoo.records import SOURCE
from cdc.batch import BatchKind, ChangeBatch, Position
from cdc.lsn import Lsn
from cdc.relation import Relation
from config.policies import ChannelPolicy, MoneyPolicy, PaymentMethod, Policies
from config.settings import Connection, DeliverySettings, OdooSettings, StateSettings
from loaders.arriving.outbox import Outbox
from loaders.delivering.delivery import Deliverer
from loaders.odoo.client import OdooClient
from sandbox.postgres import EmbeddedPostgres
from transforms.changes import AnyChange, Mapped
from transforms.compiled import KeyPattern
from transforms.lastchanges import Found

POLICIES = Policies(
    channels={
        SOURCE: ChannelPolicy(
            money=MoneyPolicy(invoicing="on_delivery", payment_methods={"*": PaymentMethod(journal="BNK1")})
        )
    }
)


class _Given:
    """A mapper that says what it was given."""

    def __init__(self) -> None:
        self.changes: Sequence[Mapped] = ()

    def map(self, batch: ChangeBatch, fetch: Any) -> list[Mapped]:
        return list(self.changes)

    def forget(self, source: str, table: str | None = None) -> None:
        """It keeps nothing."""

    def parts_of_policies(self, source: str) -> tuple[str, ...]:
        return ()

    def key_patterns(self, source: str) -> tuple[KeyPattern, ...]:
        return ()


def _no_fetch(source: str, relation: Relation, keys: pa.Table, xids: frozenset[int]) -> Found:
    raise AssertionError("nothing was left out")


@dataclass(kw_only=True)
class End:
    """What arrives here goes to Odoo by `deliver`."""

    state: StateSettings
    odoo: OdooSettings
    outbox: Outbox
    mapper: _Given
    _lsn: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def arrive(self, changes: Sequence[AnyChange]) -> None:
        """One source transaction."""
        self.mapper.changes = changes
        position = Position(
            source=SOURCE, lane="operational", lsn=Lsn(next(self._lsn)), slot="bench", system_identifier="1", timeline=1
        )
        self.outbox.apply(ChangeBatch(kind=BatchKind.STREAM, position=position, complete=True))

    def deliverer(self) -> Deliverer:
        """A new one, logged in."""
        return _deliverer(self.state, self.odoo)

    def deliver(self) -> float:
        """Deliver all that is due; return the seconds, the login left out."""
        deliverer = self.deliverer()
        began = time.perf_counter()
        _work_off(deliverer)
        took_s = time.perf_counter() - began
        deliverer.close()
        return took_s

    def deliver_by(self, processes: int) -> float:
        """The same by several processes on the one outbox; return the seconds from the first's start of work to the last's end."""
        context = get_context("spawn")
        ready, go = context.Barrier(processes + 1), context.Barrier(processes + 1)
        workers = [context.Process(target=_worker, args=(self.state, self.odoo, ready, go)) for _ in range(processes)]
        for worker in workers:
            worker.start()
        ready.wait()
        go.wait()
        began = time.perf_counter()
        for worker in workers:
            worker.join()
        return time.perf_counter() - began

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of the state database."""
        with psycopg.connect(self.state.connection.dsn, autocommit=True) as connection:
            connection.execute(b"SET search_path TO causeway")
            found = connection.execute(query.encode())
            return found.fetchall() if found.description else []

    def all_delivered(self) -> None:
        """Say what was not, instead of measuring a failure."""
        left = self.rows(
            "SELECT entity, status, min(error), count(*) FROM outbox WHERE status <> 'delivered' GROUP BY 1, 2"
        )
        if left:
            raise RuntimeError(f"not all was delivered: {left}")


@contextmanager
def end(server: EmbeddedPostgres, name: str, odoo: OdooSettings) -> Iterator[End]:
    """An outbox of its own, empty."""
    state = StateSettings(connection=Connection(dsn=server.create_database(name)), db_schema="causeway")
    mapper = _Given()
    outbox = Outbox(state, mapper, _no_fetch, {SOURCE: 10})
    try:
        yield End(state=state, odoo=odoo, outbox=outbox, mapper=mapper)
    finally:
        outbox.close()
        server.drop_database(name)


def _deliverer(state: StateSettings, odoo: OdooSettings) -> Deliverer:
    client = OdooClient(odoo)
    client.login()
    return Deliverer(state, odoo, DeliverySettings(), client, POLICIES)


def _worker(state: StateSettings, odoo: OdooSettings, ready: Any, go: Any) -> None:
    logger.remove()
    deliverer = _deliverer(state, odoo)
    ready.wait()
    go.wait()
    _work_off(deliverer)
    deliverer.close()


def _work_off(deliverer: Deliverer) -> None:
    while deliverer.anything_left():
        report = deliverer.run_once()
        if report.error:
            logger.warning(report.error)
        time.sleep(report.wait_s or (0 if report.worked else 0.02))
