"""The sources of one running lane, each taken up when it first answers, so that one that is away keeps no other from starting.

Contract: a mapping from a source's name to its settings, in which the patterns among its tables stand as they are until `take_up` has
asked the source what they mean; then the source's reader and copies know it, too. Called by the lane's applying thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from causeway.copying import SourceCopies, copies_of
from causeway.sources import connect_source, current_ends, reader_for, with_tables
from cdc.lsn import Lsn
from cdc.reader import PostgresReader
from cdc.wanted import Wanted
from config.settings import Lane, Settings, SourceRole, SourceSettings
from loaders.state import prepare


class LaneSources(Mapping[str, SourceSettings]):
    """What a lane captures, and what it reads it with."""

    def __init__(
        self,
        settings: Settings,
        lane: Lane,
        wake: threading.Event,
        *,
        wanted: Callable[[str], Wanted] | None = None,
    ) -> None:
        """`wanted`: what is read of a source, else everything."""
        self.settings = settings  # as far as the sources are known
        self._lane = lane
        self._names = tuple(settings.sources if lane is Lane.ANALYTICAL else settings.feeding)
        self.readers: dict[str, PostgresReader] = {
            name: reader_for(settings, name, lane, wake, None if wanted is None else partial(wanted, name))
            for name in self._names
        }
        self.copies: dict[str, SourceCopies] = copies_of(settings, lane, wake)

    def take_up(self, name: str) -> Lsn:
        """Ask a source what the patterns among its tables stand for; return where its log ends now.

        CausewayError as of `with_tables`, and of the state database where that is the source.
        """
        if self[name].role is SourceRole.STATE:
            prepare(self.settings.state)  # its tables are captured as any other's, so they must be there
        self.settings = with_tables(self.settings, name)
        self.readers[name].settings = self.copies[name].settings = self[name]
        return current_ends({name: self[name]})[name]

    def knock(self, name: str) -> None:
        """Connect to a source, and let go of it; CausewayError as any connection's. From any thread."""
        connect_source(name, self[name], "check").close()

    def history_of(self, source: str, table: str) -> str:
        """Return the history setting of a table."""
        return self.settings.history_of(source, table)

    def __getitem__(self, name: str) -> SourceSettings:
        if name not in self._names:
            raise KeyError(name)
        return self.settings.sources[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
