"""`causeway verify`: a source against its mirror, row-exact, at one LSN; with a repair, the differing rows are mended.

A consistent view of the source is opened at a point C of its log; the mirror is brought to exactly C (the reader hands out no
transaction that the view does not see); then the two are compared (`causeway.comparing`). Here the lane does not run, so that the
mirror stays at C for as long as it takes, and what differs is mended from the same view.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import duckdb
from rich.console import Console
from rich.progress import track

from causeway.comparing import Comparison, TableVerdict, compared, not_comparable, still_differing
from causeway.lane import LaneLoop
from causeway.repairing import apply_pieces, commit, repair_pieces
from causeway.runfiles import RunFolder
from causeway.sources import find_source, naming, reader_for, with_tables
from cdc.batch import Position
from cdc.catalog import describe
from cdc.exported_snapshot import ConsistentView, consistent_view
from cdc.lsn import Lsn
from cdc.relation import Relation
from config.errors import CausewayError, ErrorKind
from config.settings import Lane, Settings, SourceSettings
from warehouse.mirror import Mirror
from warehouse.store import Warehouse


@dataclass(frozen=True, kw_only=True)
class SourceVerdict:
    """A source's tables, compared at `lsn`; after a repair, as they are then."""

    source: str
    lsn: Lsn
    tables: Sequence[TableVerdict]

    @property
    def equal(self) -> bool:
        """Whether every table is equal."""
        return all(table.equal for table in self.tables)

    @property
    def repaired_rows(self) -> int:
        """How many rows were mended."""
        return sum(table.repaired_rows for table in self.tables)

    def as_dict(self) -> dict[str, Any]:
        """Return the verdict as JSON values."""
        tables = [table.as_dict() for table in self.tables]
        return {"source": self.source, "lsn": str(self.lsn), "equal": self.equal, "tables": tables}


def verify_source(
    settings: Settings, name: str, *, console: Console | None, only: Sequence[str] = (), repair: bool = False
) -> SourceVerdict:
    """Compare captured tables of a source (all, or `only` these) with their mirrors; `console` shows progress on a terminal.

    CausewayError: WAREHOUSE or SLOT_IN_USE while the analytical lane runs, SETTINGS for a table that is not captured, and
    whatever capture raises.
    """
    find_source(settings, name)
    settings = with_tables(settings, name)
    source = settings.sources[name]
    wanted = wanted_tables(name, source, only)
    folder = RunFolder(settings.run_dir)
    with folder.lock(Lane.ANALYTICAL), Warehouse.open(settings.warehouse) as warehouse, naming(name):
        with consistent_view(source.connection, application_name=f"causeway {name} verify") as view:
            _bring_to(settings, name, warehouse, view.lsn)
            relations = describe(view.connection, wanted)
            quiet = console is None or not console.is_terminal
            each = track(relations, f"verifying {name}", console=console, disable=quiet, transient=True)
            with warehouse.querying():
                tables = compare_all(warehouse, name, view, each, repair=repair)
            return SourceVerdict(source=name, lsn=view.lsn, tables=tables)


def wanted_tables(name: str, source: SourceSettings, only: Sequence[str]) -> tuple[str, ...]:
    """Return the tables to compare; CausewayError SETTINGS where one is asked for that is not captured."""
    unknown = [table for table in only if table not in source.table_names]
    if unknown:
        raise CausewayError(
            ErrorKind.SETTINGS,
            f"{name} does not capture {', '.join(unknown)}.",
            hint="Write it as schema.table.",
            source=name,
        )
    return tuple(only) or tuple(source.table_names)


def compare_all(
    warehouse: Warehouse,
    name: str,
    view: ConsistentView,
    relations: Iterable[Relation],
    *,
    repair: bool,
    position: Position | None = None,
) -> list[TableVerdict]:
    """Compare tables with their mirrors, which stand where the view does; with `repair` mend them, and compare again.

    position: stored with what is mended, in one transaction; None leaves it where it is.
    """
    mirror = Mirror(warehouse)
    verdicts: list[TableVerdict] = []
    repaired: dict[int, Comparison] = {}
    try:
        stored = mirror.position(name)
        assert stored is not None, "what has no position was refused before"
        with reading(warehouse) as cursor:
            problems = not_comparable(cursor, name, view.lsn)
            for relation in relations:
                if relation.qualified_name in problems:
                    problem = problems[relation.qualified_name]
                    verdicts.append(TableVerdict(table=relation.qualified_name, problem=problem))
                    continue
                with compared(view.connection, cursor, name, relation) as comparison:
                    if repair and comparison.differences is not None:
                        pieces = repair_pieces(view.connection, comparison.differences, position or stored, view.lsn)
                        rows = apply_pieces(mirror, pieces)
                        comparison.verdict = replace(comparison.verdict, repaired_rows=rows)
                        repaired[len(verdicts)] = comparison
                    verdicts.append(comparison.verdict)
        if repaired or position is not None:
            commit(mirror, position or stored)
        with reading(warehouse) as cursor:
            for number, comparison in repaired.items():
                left = still_differing(comparison, cursor, name)
                verdicts[number] = replace(comparison.verdict, differing_ranges=left)
    finally:
        mirror.close()
    return verdicts


@contextmanager
def reading(warehouse: Warehouse) -> Iterator[duckdb.DuckDBPyConnection]:
    """A cursor in a transaction that sees the warehouse as it is now, whatever is written meanwhile."""
    cursor = warehouse.cursor()
    try:
        cursor.execute("BEGIN")
        cursor.execute("SELECT count(*) FROM meta.positions").fetchall()  # a transaction begins with its first look
        yield cursor
    finally:
        cursor.close()


def _bring_to(settings: Settings, name: str, warehouse: Warehouse, lsn: Lsn) -> None:
    """Apply exactly the transactions that a view at `lsn` sees."""
    wake = threading.Event()
    mirror = Mirror(warehouse)
    try:
        _check_mirrored(mirror, name)
        LaneLoop(
            mirror,
            [reader_for(settings, name, Lane.ANALYTICAL, wake)],
            wake=wake,
            stop=threading.Event(),
            capture=settings.capture,
            until={name: lsn},
        ).run()
    finally:
        mirror.close()


def _check_mirrored(mirror: Mirror, name: str) -> None:
    """A first snapshot would be newer than the view that it is compared with, and would make a slot."""
    if mirror.position(name) is None:
        raise CausewayError(
            ErrorKind.WAREHOUSE,
            f"{name} has no mirror yet, or not a whole one.",
            hint="Run the analytical lane first: causeway run --lane analytical --until-caught-up.",
            source=name,
        )
