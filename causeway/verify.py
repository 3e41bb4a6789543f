"""`causeway verify`: a source against its mirror, row-exact, at one LSN; with a repair, the differing rows are mended.

A consistent view of the source is opened at a point C of its log; the mirror is brought to exactly C (the reader hands out no
transaction that the view does not see); then the two are compared (`causeway.comparing`). Here the lane does not run, so that the
mirror stays at C for as long as it takes, and what differs is mended from the same view. A lane that runs is asked to do it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from rich.console import Console
from rich.progress import Progress, track

from causeway.comparing import Comparison, compared, not_comparable, still_differing
from causeway.control import ask
from causeway.holding import reading
from causeway.lane import LaneLoop
from causeway.repairing import HandOver, apply_pieces, commit, handed_over, repair_pieces
from causeway.runfiles import RunFolder
from causeway.sources import catalog_asker, find_source, naming, reader_for, row_reader, with_tables
from causeway.verdict import SourceVerdict, TableVerdict, not_there, wanted_tables
from cdc.batch import Position
from cdc.catalog import find_described
from cdc.exported_snapshot import ConsistentView, consistent_view
from cdc.lsn import Lsn
from cdc.relation import Relation
from cdc.snapshot import partitioned
from config.errors import CausewayError, ErrorKind
from config.settings import Lane, Settings
from warehouse.mirror import Mirror
from warehouse.mirror_view import MirrorView
from warehouse.store import Warehouse


def verify_source(
    settings: Settings, name: str, *, console: Console | None, only: Sequence[str] = (), repair: bool = False
) -> SourceVerdict:
    """Compare captured tables of a source (all, or `only` these) with their mirrors; `console` shows progress on a terminal.

    A running analytical lane does it itself (`causeway.verifying`). CausewayError: TRANSIENT where it cannot be held now,
    SETTINGS for a table that is not captured, and whatever capture raises.
    """
    find_source(settings, name)
    settings = with_tables(settings, name)
    source = settings.sources[name]
    wanted = wanted_tables(name, source, only)
    folder = RunFolder(settings.run_dir)
    if folder.is_running(Lane.ANALYTICAL):
        return _ask_lane(settings, name, wanted, console, repair=repair)
    with folder.lock(Lane.ANALYTICAL), Warehouse.open(settings.warehouse) as warehouse, naming(name):
        with consistent_view(source.connection, application_name=f"causeway {name} verify") as view:
            _bring_to(settings, name, warehouse, view.lsn)
            relations, missing = find_described(view.connection, wanted)
            quiet = console is None or not console.is_terminal
            each = track(relations, f"verifying {name}", console=console, disable=quiet, transient=True)
            with warehouse.querying(), opened_mirror(settings, warehouse) as mirror:
                tables = compare_all(warehouse, name, view, relations, mirror, each=each, repair=repair)
            return SourceVerdict(source=name, lsn=view.lsn, tables=[*tables, *map(not_there, missing)])


def _ask_lane(
    settings: Settings, name: str, tables: Sequence[str], console: Console | None, *, repair: bool
) -> SourceVerdict:
    """Let the running lane do it; interrupting this process ends it there too."""
    asked = {"source": name, "tables": list(tables), "repair": repair}
    quiet = console is None or not console.is_terminal
    with Progress(console=console, disable=quiet, transient=True) as bar:
        task = bar.add_task(f"verifying {name}")
        told = ask(
            settings.run_dir,
            Lane.ANALYTICAL,
            "verify",
            asked,
            progress=lambda at: bar.update(task, completed=at["done"], total=at["of"], description=at["table"]),
        )
    return SourceVerdict.from_dict(told)


def compare_all(
    warehouse: Warehouse,
    name: str,
    view: ConsistentView,
    relations: Sequence[Relation],
    mirror: Mirror,
    *,
    repair: bool,
    each: Iterable[Relation] | None = None,
    position: Position | None = None,
    hand_over: HandOver | None = None,
) -> list[TableVerdict]:
    """Compare tables with their mirrors, which stand where the view does; with `repair` mend them, and compare again.

    each: the relations again, as something that shows progress. position: stored with what is mended, in one transaction; None
    leaves it where it is. hand_over: called with what is mended, table by table and piece by piece, before it is committed.
    """
    verdicts: list[TableVerdict] = []
    repaired: dict[int, Comparison] = {}
    stored = mirror.position(name)
    assert stored is not None, "what has no position was refused before"
    mirror.follow(name, relations)
    with reading(warehouse) as cursor:
        mirrors, roots = MirrorView(cursor, name), partitioned(view.connection, relations)
        problems = not_comparable(mirrors, relations, view.lsn)
        for relation in each or relations:
            if relation.qualified_name in problems:
                problem = problems[relation.qualified_name]
                verdicts.append(TableVerdict(table=relation.qualified_name, problem=problem))
                continue
            is_root = relation.oid in roots
            with compared(view.connection, mirrors, relation, partitioned=is_root) as comparison:
                if repair and comparison.differences is not None:
                    pieces = repair_pieces(view.connection, comparison.differences, position or stored, view.lsn)
                    rows = apply_pieces(mirror, pieces if hand_over is None else handed_over(pieces, hand_over))
                    comparison.verdict = replace(comparison.verdict, repaired_rows=rows)
                    repaired[len(verdicts)] = comparison
                verdicts.append(comparison.verdict)
    if repaired or position is not None:
        commit(mirror, position or stored)
    with reading(warehouse) as cursor:
        mirrors = MirrorView(cursor, name)
        for number, comparison in repaired.items():
            left = still_differing(comparison, mirrors)
            verdicts[number] = replace(comparison.verdict, differing_ranges=left)
    return verdicts


def _bring_to(settings: Settings, name: str, warehouse: Warehouse, lsn: Lsn) -> None:
    """Apply exactly the transactions that a view at `lsn` sees."""
    wake = threading.Event()
    reader = reader_for(settings, name, Lane.ANALYTICAL, wake)
    mirror = Mirror(
        warehouse,
        catalog_asker(settings),
        row_reader(settings.sources),
        history=settings.history_of,
        troubles=lambda _name: reader.troubles,
    )
    try:
        _check_mirrored(mirror, name)
        LaneLoop(
            mirror,
            [reader],
            wake=wake,
            stop=threading.Event(),
            capture=settings.capture,
            until={name: lsn},
        ).run()
    finally:
        mirror.close()


@contextmanager
def opened_mirror(settings: Settings, warehouse: Warehouse) -> Iterator[Mirror]:
    """The mirrors of a warehouse, as the analytical lane has them; closed at the end."""
    mirror = Mirror(warehouse, catalog_asker(settings), row_reader(settings.sources), history=settings.history_of)
    try:
        yield mirror
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
