"""The configured sources as the lanes use them: readers, table descriptions, the end of each log."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase

import pyarrow as pa
from loguru import logger

from causeway.runfiles import RunFolder
from cdc.catalog import describe, find_described, log_end, server_facts
from cdc.connection import PlainConnection, connect
from cdc.discovery import find_tables
from cdc.lsn import Lsn
from cdc.reader import PostgresReader
from cdc.relation import Relation
from cdc.rows import fetch_rows
from cdc.table_catalog import table_facts
from cdc.table_facts import AskCatalog, TableFacts
from cdc.wanted import Wanted
from config.errors import CausewayError, ErrorKind
from config.settings import Lane, Settings, SourceRole, SourceSettings, TableSettings

Sources = Mapping[str, SourceSettings]
OtherwiseKnown = Callable[[str], Sequence[Relation]]


def find_source(settings: Settings, name: str) -> SourceSettings:
    """Return a configured source; CausewayError SETTINGS names those that there are."""
    try:
        return settings.sources[name]
    except KeyError:
        known = ", ".join(settings.sources)
        raise CausewayError(ErrorKind.SETTINGS, f"There is no source {name}; configured are {known}.") from None


def connect_source(name: str, source: SourceSettings, purpose: str) -> PlainConnection:
    """Open an ordinary connection to a source; errors name it."""
    with naming(name):
        return connect(source.connection, application_name=f"causeway {name} {purpose}")


def with_tables(settings: Settings, only: str | None = None) -> Settings:
    """Return the settings with the tables that patterns such as public.* stand for now, in all sources or in one.

    What was made later counts from the lane's next start on. CausewayError: SCHEMA where a pattern stands for nothing, and as the
    connection's.
    """
    found = {
        name: _with_tables(name, source)
        for name, source in settings.sources.items()
        if only in (None, name) and any(table.is_pattern for table in source.tables)
    }
    return settings.model_copy(update={"sources": {**settings.sources, **found}}) if found else settings


def _with_tables(name: str, source: SourceSettings) -> SourceSettings:
    named = [table for table in source.tables if not table.is_pattern]
    patterns = [table.name for table in source.tables if table.is_pattern]
    wizards_too = source.role is not SourceRole.ERP or source.exclude is not None
    with connect_source(name, source, "discovery") as connection, naming(name):
        discovery = find_tables(connection, patterns, source.excluded, without_wizards=not wizards_too)
    known = {table.name for table in named}
    more = [
        TableSettings(name=table, history=_history_of(source, table))
        for table in discovery.tables
        if table not in known
    ]
    for table, reason in discovery.unfit.items():
        if table not in known:
            logger.info("{}: {} is left out: {}", name, table, reason)
    return source.model_copy(update={"tables": (*named, *more)})


def _history_of(source: SourceSettings, table: str) -> str | None:
    """Return the setting of the first pattern that stands for the table and has one."""
    patterns = (each for each in source.tables if each.is_pattern and each.history is not None)
    return next((each.history for each in patterns if fnmatchcase(table, each.name)), None)


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Put the source's name before the message of every error that passes, and into its hint's commands: a driver does not know it."""
    try:
        yield
    except CausewayError as error:
        if not error.message.startswith(f"{name}: "):
            error.message = f"{name}: {error.message}"
            error.objects.setdefault("source", name)
        name_in_hint(error, name)
        raise


def name_in_hint(error: CausewayError, name: str) -> None:
    """Put a source's name into the commands of a hint: `causeway slots plan SOURCE` can be run as it is then."""
    error.hint = error.hint.replace(" SOURCE", f" {name}")


def describe_source(
    name: str, source: SourceSettings, *, otherwise: OtherwiseKnown = lambda _name: ()
) -> tuple[Relation, ...]:
    """Return a source's captured tables as its catalog has them now, or else as `otherwise` knows them.

    CausewayError SCHEMA where a table is known to neither.
    """
    with connect_source(name, source, "catalog") as connection, naming(name):
        found, missing = find_described(connection, source.table_names)
        known = {relation.qualified_name: relation for relation in otherwise(name)} if missing else {}
        if not known.keys() >= set(missing):
            found = describe(connection, source.table_names)  # says which there are not
        return (*found, *(known[table] for table in missing))


def current_ends(sources: Sources) -> dict[str, Lsn]:
    """Return the end of each source's log: all that was committed before this call lies before it."""
    ends = {}
    for name, source in sources.items():
        with connect_source(name, source, "position") as connection, naming(name):
            ends[name] = server_facts(connection).current_lsn
    return ends


def reader_for(
    settings: Settings, name: str, lane: Lane, wake: threading.Event, wanted: Callable[[], Wanted] | None = None
) -> PostgresReader:
    """Return the reader of one source in one lane, not yet open. `wanted`: what it reads of the source, else everything."""
    slot = settings.slot_name(name, lane)
    return PostgresReader(
        name,
        settings.sources[name],
        lane,
        slot,
        settings.capture.shared_by(len(settings.sources_of(lane))),
        wake,
        why_dropped=lambda: RunFolder(settings.run_dir).why_dropped(slot),
        typed_copies=lane is Lane.ANALYTICAL,
        wanted=wanted,
    )


def catalog_asker(settings: Settings) -> AskCatalog:
    """Return a function that asks a source's catalog what its log does not say of a table of the analytical lane."""

    def ask(name: str, oids: Sequence[int]) -> dict[int, TableFacts]:
        with connect_source(name, settings.sources[name], "catalog") as connection, naming(name):
            return table_facts(connection, oids, settings.slot_name(name, Lane.ANALYTICAL))

    return ask


def row_reader(sources: Sources) -> Callable[[str, Relation, pa.Table], tuple[pa.Table, Lsn]]:
    """Return a function that reads whole rows of a source by key, and says where the log ended then."""

    def read(name: str, relation: Relation, keys: pa.Table) -> tuple[pa.Table, Lsn]:
        with connect_source(name, sources[name], "rows") as connection, naming(name):
            rows = fetch_rows(connection, relation, keys)
            return rows, log_end(connection)

    return read
