"""A source and its mirror at one point while both move: the lane is held until it stands exactly where a view of the source does.

Hold, open a view of the source (at C), cut the stream at C, look. Other sources of the lane go on. A hold is ended by whoever made
it, by its longest time, by the client that asked and is gone, and by any failure of the reader; then nothing was changed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar

import duckdb

from causeway.sources import connect_source
from causeway.turns import Turns
from cdc.copy_messages import Interrupted
from cdc.exported_snapshot import ConsistentView, consistent_view
from cdc.old_transactions import old_transactions
from cdc.reader import PostgresReader
from config.errors import CausewayError, ErrorKind
from config.settings import SourceSettings
from warehouse.store import Warehouse

T = TypeVar("T")
_LOOK_S = 0.01


@dataclass(frozen=True, kw_only=True)
class Cut:
    """A view of the source, and a cursor that sees the mirror at the same point, for as long as they are needed."""

    view: ConsistentView
    cursor: duckdb.DuckDBPyConnection


class SourceHolder:
    """Holds one source of a running lane. Used by a command's thread; reader and mirror are touched between batches only."""

    def __init__(
        self,
        reader: PostgresReader,
        source: SourceSettings,
        turns: Turns,
        *,
        longest_s: float,
        gone: threading.Event,
    ) -> None:
        self._reader = reader
        self._source = source
        self._turns = turns
        self._longest_s = longest_s
        self._gone = gone

    @contextmanager
    def cut(
        self,
        warehouse: Warehouse,
        while_held: Callable[[Cut], None] | None = None,
        *,
        before: Callable[[ConsistentView], None] = lambda _view: None,
    ) -> Iterator[Cut]:
        """Yield both sides at one point, the lane going on meanwhile; `while_held` is called before it does.

        `before` is called by the lane's thread, with the mirror at that point, before it is looked at.
        CausewayError TRANSIENT where the source can't be held, its old transactions take too long, or the client is gone.
        """
        deadline = time.monotonic() + self._longest_s
        with ExitStack() as stack:
            self._turns.between_batches(lambda: self._reader.hold(self._longest_s))
            try:
                view = stack.enter_context(self._view(deadline))
                self._turns.between_batches(lambda: self._reader.cut_at(view.lsn))
                self._await_cut()
                self.while_cut(lambda: before(view))
                cursor = self.while_cut(lambda: open_reading(warehouse))
                stack.callback(cursor.close)
                stack.enter_context(self._ended_with_client(view, cursor))
                cut = Cut(view=view, cursor=cursor)
                if while_held is not None:
                    while_held(cut)
            finally:
                self._release()
            yield cut

    def while_cut(self, work: Callable[[], T]) -> T:
        """Let the lane's thread do something while the mirror stands at the cut."""

        def checked() -> T:
            if not self._reader.at_cut:
                raise self._too_late()
            return work()

        return self._turns.between_batches(checked)

    def _await_cut(self) -> None:
        while not self._turns.between_batches(lambda: self._reader.at_cut):
            if self._gone.is_set():
                raise _cancelled()
            if not self._reader.holding:
                raise self._too_late()
            time.sleep(_LOOK_S)

    @contextmanager
    def _view(self, deadline: float) -> Iterator[ConsistentView]:
        def over() -> bool:
            return self._gone.is_set() or time.monotonic() > deadline

        name = self._reader.name
        with ExitStack() as stack:
            try:
                opened = consistent_view(
                    self._source.connection, application_name=f"causeway {name} verify", stopped=over
                )
                view = stack.enter_context(opened)
            except Interrupted:
                raise _cancelled() if self._gone.is_set() else self._delayed() from None
            yield view

    @contextmanager
    def _ended_with_client(self, view: ConsistentView, cursor: duckdb.DuckDBPyConnection) -> Iterator[None]:
        """Interrupt what runs on either side when the client is gone."""
        over = threading.Event()

        def watch() -> None:
            while not over.wait(_LOOK_S * 20):
                if self._gone.is_set():
                    with suppress(Exception):
                        view.connection.cancel_safe(timeout=2)
                    cursor.interrupt()

        watching = threading.Thread(target=watch, name="verification's client", daemon=True)
        watching.start()
        try:
            yield
        finally:
            over.set()
            watching.join()

    def _release(self) -> None:
        with suppress(CausewayError):  # a lane that is ending holds nothing
            self._turns.between_batches(self._reader.release)

    def _delayed(self) -> CausewayError:
        with connect_source(self._reader.name, self._source, "verify") as connection:
            who = old_transactions(connection) or "transactions of roles whose sessions this one may not see"
        return CausewayError(
            ErrorKind.TRANSIENT,
            f"{self._reader.name}: {who} kept the source from being looked at for {self._longest_s:g} s; the lane goes on.",
            hint="Try again when they have ended, or raise capture.longest_hold_s.",
            source=self._reader.name,
        )

    def _too_late(self) -> CausewayError:
        return CausewayError(
            ErrorKind.TRANSIENT,
            f"{self._reader.name}: the lane could not be held long enough ({self._longest_s:g} s), and goes on.",
            hint="Try again when it has less to catch up with, or raise capture.longest_hold_s.",
            source=self._reader.name,
        )


@contextmanager
def reading(warehouse: Warehouse) -> Iterator[duckdb.DuckDBPyConnection]:
    """A cursor in a transaction that sees the warehouse as it is now, whatever is written meanwhile."""
    cursor = open_reading(warehouse)
    try:
        yield cursor
    finally:
        cursor.close()


def open_reading(warehouse: Warehouse) -> duckdb.DuckDBPyConnection:
    """Return such a cursor; to be closed by whoever asked for it."""
    cursor = warehouse.cursor()
    cursor.execute("BEGIN")
    cursor.execute("SELECT count(*) FROM meta.positions").fetchall()  # a transaction begins with its first look
    return cursor


def _cancelled() -> CausewayError:
    return CausewayError(ErrorKind.TRANSIENT, "the verification was cancelled; the lane goes on.")
