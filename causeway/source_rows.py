"""Rows of the sources by key, on connections that stay open: a look-up must not cost a log-in, for the stream waits for it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType

import psycopg
import pyarrow as pa

from causeway.sources import Sources, connect_source, naming
from cdc.connection import PlainConnection
from cdc.driver_errors import translate
from cdc.relation import Relation
from cdc.rows import LookedUp, look_up
from config.errors import CausewayError
from transforms.lastchanges import Found

# A source that stalls must not hold the other sources' changes back for longer.
_LONGEST_LOOK_UP_MS = 10_000


class SourceRows:
    """Looks rows up at any source. Called by the lane's applying thread only.

    `publications` by source: whose columns are read; of a source without one all.
    """

    def __init__(self, sources: Sources, publications: Mapping[str, str] = MappingProxyType({})) -> None:
        self._sources = sources
        self._publications = publications
        self._connections: dict[str, PlainConnection] = {}

    def fetch(self, name: str, relation: Relation, keys: pa.Table, xids: frozenset[int]) -> Found:
        """Return the rows of a table with these keys, in a view that shows these transactions (see `cdc.rows.look_up`)."""
        return self.look_up(name, relation.qualified_name, keys, xids)

    def look_up(self, name: str, table: str, keys: pa.Table, xids: frozenset[int]) -> Found:
        """As `fetch`, for a table by its name."""
        try:
            with naming(name):
                found = self._look_up(name, table, keys, xids)
        except CausewayError:
            self._close(name)
            raise
        return Found(relation=found.relation, rows=found.rows, visibility=found.visibility)

    def connection(self, name: str) -> PlainConnection:
        """Return the open connection to a source, or a new one; CausewayError as of any connection."""
        connection = self._connections.get(name)
        if connection is None or connection.closed:
            connection = connect_source(name, self._sources[name], "rows")
            try:
                connection.execute(f"SET statement_timeout = {_LONGEST_LOOK_UP_MS}".encode())
            except psycopg.Error as error:
                raise translate(error, f"looking up rows of {name}", source=name) from error
            self._connections[name] = connection
        return connection

    def close(self) -> None:
        """Close all connections."""
        for name in list(self._connections):
            self._close(name)

    def _look_up(self, name: str, table: str, keys: pa.Table, xids: frozenset[int]) -> LookedUp:
        """Look up once more on a new connection where the open one has died since it was used last."""
        fresh = name not in self._connections
        row_filter, publication = self._sources[name].row_filters.get(table), self._publications.get(name)

        def once() -> LookedUp:
            return look_up(
                self.connection(name), table, keys, xids=xids, row_filter=row_filter, publication=publication
            )

        try:
            return once()
        except CausewayError:
            if fresh or not self._connections[name].closed:
                raise
            return once()

    def _close(self, name: str) -> None:
        connection = self._connections.pop(name, None)
        if connection is not None:
            with suppress(psycopg.Error):
                connection.close()
