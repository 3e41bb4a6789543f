"""A source, its mirror and the lane's loop between them, in the test's own thread: tables are copied while the test writes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from causeway.copying import SourceCopies
from causeway.lane import LaneLoop
from cdc.catalog import describe
from cdc.checksum import bucket_checksums as source_checksums
from cdc.lsn import Lsn
from config.settings import Lane, TableSettings
from tests.fixtures.capture import CapturedDatabase
from tests.integration.transforms.oracle import prepare
from warehouse.checksum import bucket_checksums, postgres_expressions
from warehouse.mirror import Mirror
from warehouse.store import Warehouse

Between = Callable[[int], None]


def nothing(_chunks: int) -> None:
    """Write nothing between two chunks."""


@dataclass(kw_only=True)
class CopyingLane:
    """`copy` ends when the tables are copied and the mirror is exact; `between` is called after every chunk with its number."""

    source: CapturedDatabase
    warehouse: Warehouse
    mirror: Mirror
    chunk_rows: int = 40
    chunks: int = 0
    copies: SourceCopies = field(init=False)

    def __post_init__(self) -> None:
        self.copies = self._copies()

    def catch_up(self) -> None:
        """Take the first snapshot, or all that is committed now."""
        self._loop(until=True).run()

    def copy(self, *tables: str, between: Between = nothing) -> None:
        """Copy tables anew."""
        self._run(list(tables), between)

    def go_on(self, between: Between = nothing) -> None:
        """Stream, with whatever copies are due by themselves, until they are done."""
        self._run(None, between)

    def capture(self, *tables: str) -> None:
        """Capture these tables from the lane's next start on; the publication follows."""
        self.source.tables = tuple(TableSettings(name=name) for name in tables)
        listed = ", ".join(f"TABLE ONLY public.{name.removeprefix('public.')}" for name in tables)
        self.source.execute(f"ALTER PUBLICATION {self.source.slot} SET {listed}")

    def state(self, table: str) -> str | None:
        """The table's state in meta.tables."""
        query = "SELECT state FROM meta.tables WHERE source = 'shop' AND table_name = ?"
        row = self.warehouse.cursor().execute(query, [table]).fetchone()
        return None if row is None else str(row[0])

    def assert_equal(self) -> None:
        """Assert that every captured table's mirror has the source's rows, by their checksums."""
        with self.source.database.connect() as connection:
            prepare(connection)
            for relation in describe(connection, [table.name for table in self.source.tables]):
                expected = source_checksums(connection, relation, postgres_expressions(relation), digits=1)
                found = bucket_checksums(self.warehouse, "shop", relation, digits=1)
                assert {name: (one.rows, one.hash_sum) for name, one in found.items()} == {
                    name: (one.rows, one.hash_sum) for name, one in expected.items()
                }, relation.qualified_name

    def _run(self, tables: Sequence[str] | None, between: Between) -> None:
        stop = threading.Event()
        asked = tables is None
        seen = -1
        end: Lsn | None = None

        def after_turn() -> None:
            nonlocal asked, seen, end
            progress = loop.progress["shop"]
            if progress.state != "streaming":
                return
            if not asked:
                loop.request_copies("shop", tables or ())
                asked = True
                return
            rows = sum(state.rows for state in self.copies.states.values())
            if rows != seen:
                seen = rows
                between(self.chunks)
                self.chunks += 1
            if self.copies.active:
                return
            ends = [state.exact_from for state in self.copies.states.values()]
            end = end or self.source.end()
            if progress.durable >= max([end, *ends]):
                stop.set()

        self.copies = self._copies()
        loop = self._loop(stop=stop, after_turn=after_turn)
        loop.run()

    def _copies(self) -> SourceCopies:
        return SourceCopies(
            name="shop",
            settings=self.source.settings,
            lane=self.source.lane,
            capture=self.source.capture,
            wake=self.source.wake,
            chunk_rows=self.chunk_rows,
        )

    def _loop(
        self,
        *,
        until: bool = False,
        stop: threading.Event | None = None,
        after_turn: Callable[[], None] | None = None,
    ) -> LaneLoop:
        return LaneLoop(
            self.mirror,
            [self.source.reader(typed_copies=self.source.lane is Lane.ANALYTICAL)],
            wake=self.source.wake,
            stop=stop or threading.Event(),
            capture=self.source.capture,
            until={"shop": self.source.end()} if until else None,
            after_turn=after_turn,
            copies={"shop": self.copies},
        )
