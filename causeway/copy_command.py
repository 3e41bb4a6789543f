"""`causeway copy`: tables of a source copied anew, by the lane that runs, or here where none does.

Either way the stream goes on meanwhile, and an interrupted copy is gone on with by the lane's next run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from causeway.control import Handler, Request, ask
from causeway.copying import SourceCopies, copies_of
from causeway.lane import LaneLoop
from causeway.publishing import wanted_of
from causeway.runfiles import RunFolder
from causeway.source_rows import SourceRows
from causeway.sources import (
    Sources,
    catalog_asker,
    describe_source,
    find_source,
    reader_for,
    row_reader,
    with_tables,
)
from causeway.turns import Turns
from cdc.destination import Destination
from config.errors import CausewayError, ErrorKind
from config.settings import Lane, Settings
from loaders.arriving.outbox import Outbox
from transforms.compiler import compile_each
from transforms.mapper import BatchMapper
from transforms.mapping import load_mappings
from warehouse.mirror import Mirror
from warehouse.store import Warehouse

States = list[dict[str, Any]]
Tell = Callable[[States], None]

_TELL_S = 0.3


class CopyingLane(Protocol):
    """What the handler needs of a lane."""

    turns: Turns

    @property
    def loop(self) -> LaneLoop | None:
        """The capture loop, once it runs."""


def copy_handler(lane: CopyingLane, sources: Sources, captured: Callable[[str], Sequence[str]]) -> Handler:
    """Return the handler of `copy` in a running lane. `captured`: the tables that it reads of a source."""

    def copy(request: Request) -> States:
        name = request.text("source")
        if name not in sources:
            raise CausewayError(
                ErrorKind.SETTINGS, f"The running lane has no source {name}; it has {', '.join(sources)}."
            )
        tables = wanted_tables(name, captured(name), request.texts("tables"))
        copies = lane.turns.between_batches(lambda: _request(lane, name, tables))
        states = _states(copies, tables)
        while not all(_ended(state) for state in states) and not request.gone.wait(_TELL_S):
            states = _states(copies, tables)
            request.progress(states)
        return states

    return copy


def copy_tables(settings: Settings, name: str, tables: Sequence[str], lane: Lane, *, tell: Tell) -> States:
    """Copy tables of a source, all where none is named; return how each copy ended.

    `tell` gets the states now and then. CausewayError: SETTINGS for what is not captured, and whatever capture raises.
    """
    find_source(settings, name)
    if lane is Lane.OPERATIONAL and name not in settings.feeding:
        raise CausewayError(
            ErrorKind.SETTINGS,
            f"{name}: the operational lane copies the tables of channels and warehouses only: {', '.join(settings.feeding)}.",
            source=name,
        )
    folder = RunFolder(settings.run_dir)
    if folder.is_running(lane):
        asked: States = ask(folder.path, lane, "copy", {"source": name, "tables": list(tables)}, progress=tell)
        return asked
    with folder.lock(lane):
        settings = with_tables(settings, name)
        wanted = wanted_tables(name, wanted_of(settings, name, lane).names, tables)
        with _destination(settings, lane, name) as destination:
            return _copy_here(settings, name, wanted, lane, destination, tell)


def wanted_tables(name: str, captured: Sequence[str], tables: Sequence[str]) -> tuple[str, ...]:
    """Return the tables to copy, all captured ones where none is named; a name without its schema is one of public.

    CausewayError SETTINGS.
    """
    full = tuple(table if "." in table else f"public.{table}" for table in tables)
    unknown = [table for table in full if table not in captured]
    if unknown:
        raise CausewayError(
            ErrorKind.SETTINGS,
            f"{name}: not captured: {', '.join(unknown)}.",
            hint=f"Captured are {', '.join(captured)}; by the operational lane those that mappings read. A running lane knows the settings that it was started with.",
            source=name,
        )
    return full or tuple(captured)


def _request(lane: CopyingLane, name: str, tables: Sequence[str]) -> SourceCopies:
    if lane.loop is None:
        raise CausewayError(ErrorKind.TRANSIENT, "The lane is starting.", hint="Try again in a moment.")
    return lane.loop.request_copies(name, tables)


def _states(copies: SourceCopies, tables: Sequence[str]) -> States:
    return [copies.states[table].as_dict() for table in tables if table in copies.states]


def _ended(state: dict[str, Any]) -> bool:
    return state["state"] in ("done", "failed")


def _copy_here(
    settings: Settings, name: str, tables: Sequence[str], lane: Lane, destination: Destination, tell: Tell
) -> States:
    """Run the lane's loop over this source until the tables are copied, and exact."""
    if destination.position(name) is None:
        raise CausewayError(
            ErrorKind.TRANSIENT,
            f"{name} has no position yet in the {lane} lane: its first snapshot copies all tables.",
            hint=f"Run the lane: causeway run --lane {lane}.",
            source=name,
        )
    wake, stop = threading.Event(), threading.Event()
    copies = copies_of(settings, lane, wake)[name]
    requested = False

    def after_turn() -> None:
        nonlocal requested
        progress = loop.progress[name]
        if not requested and progress.state == "streaming":
            loop.request_copies(name, tables)
            requested = True
        elif requested:
            tell(_states(copies, tables))
            if not copies.active and all(progress.durable >= copies.states[table].exact_from for table in tables):
                stop.set()

    reader = reader_for(settings, name, lane, wake, lambda: wanted_of(settings, name, lane))
    loop = LaneLoop(
        destination,
        [reader],
        wake=wake,
        stop=stop,
        capture=settings.capture,
        after_turn=after_turn,
        copies={name: copies},
    )
    loop.run()
    return _states(copies, tables)


@contextmanager
def _destination(settings: Settings, lane: Lane, name: str) -> Iterator[Destination]:
    """Open a lane's end as the lane does, for one of its sources."""
    if lane is Lane.ANALYTICAL:
        with Warehouse.open(settings.warehouse) as warehouse:
            mirror = Mirror(warehouse, catalog_asker(settings), row_reader(settings.sources_of(lane)))
            try:
                yield mirror
            finally:
                mirror.close()
        return
    sources = settings.feeding
    mappings = [mapping for mapping in load_mappings(settings.mappings) if mapping.source == name]
    mapper = BatchMapper(compile_each(mappings, {name: describe_source(name, sources[name])}))
    priorities = {name: source.priority for name, source in sources.items()}
    publications = {name: settings.slot_name(name, lane) for name in sources}
    fetch, policies = SourceRows(sources, publications).fetch, settings.policies
    counted = policies.counted_sources
    outbox = Outbox(settings.state, mapper, fetch, priorities, counted=counted, policies=policies)
    try:
        yield outbox
    finally:
        outbox.close()
