"""The configured sources as the lanes use them: readers, table descriptions, the end of each log, whole rows by key."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import pyarrow as pa

from cdc.catalog import describe, server_facts
from cdc.connection import PlainConnection, connect
from cdc.lsn import Lsn
from cdc.reader import PostgresReader
from cdc.relation import Relation
from cdc.rows import fetch_rows
from config.errors import CausewayError, ErrorKind
from config.settings import Lane, Settings, SourceSettings

Sources = Mapping[str, SourceSettings]
RowFetcher = Callable[[str, Relation, pa.Table], pa.Table]


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


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Put the source's name before the message of every error that passes: a driver does not know it."""
    try:
        yield
    except CausewayError as error:
        if not error.message.startswith(f"{name}: "):
            error.message = f"{name}: {error.message}"
            error.objects.setdefault("source", name)
        raise


def describe_sources(sources: Sources) -> dict[str, tuple[Relation, ...]]:
    """Return each source's captured tables as its catalog has them now."""
    described = {}
    for name, source in sources.items():
        with connect_source(name, source, "catalog") as connection, naming(name):
            described[name] = describe(connection, source.table_names)
    return described


def current_ends(sources: Sources) -> dict[str, Lsn]:
    """Return the end of each source's log: all that was committed before this call lies before it."""
    ends = {}
    for name, source in sources.items():
        with connect_source(name, source, "position") as connection, naming(name):
            ends[name] = server_facts(connection).current_lsn
    return ends


def reader_for(settings: Settings, name: str, lane: Lane, wake: threading.Event) -> PostgresReader:
    """Return the reader of one source in one lane, not yet open."""
    return PostgresReader(name, settings.sources[name], lane, settings.slot_name(name, lane), settings.capture, wake)


def row_fetcher(sources: Sources) -> RowFetcher:
    """Return a function that reads whole rows of a source by key, as text: for values that the log left out."""

    def fetch(name: str, relation: Relation, keys: pa.Table) -> pa.Table:
        with connect_source(name, sources[name], "rows") as connection, naming(name):
            return fetch_rows(connection, relation, keys)

    return fetch
