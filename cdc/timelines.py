"""A server's past: at which point of the log it, or the server it was made from, was promoted.

Each promotion begins a new timeline. Its history file names every timeline before it with the point where that one ended: up to
there the log is the same on both servers, behind it it is not. Source: PostgreSQL documentation, "Streaming Replication
Protocol", TIMELINE_HISTORY; src/backend/access/transam/timeline.c, readTimeLineHistory.
"""

from __future__ import annotations

from collections.abc import Callable

from cdc import preconditions
from cdc.batch import Position
from cdc.catalog import ServerFacts
from cdc.connection import connect_replication
from cdc.copy_messages import command, rows_of
from cdc.doorbell import Doorbell
from cdc.lsn import Lsn
from cdc.slots import SlotStatus
from config.settings import Connection


def failed_over(
    settings: Connection, position: Position, facts: ServerFacts, slot: SlotStatus | None, *, application_name: str
) -> bool:
    """Whether the server is a promoted standby that the lane may go on with; CausewayError IDENTITY where it may not."""
    if not preconditions.may_have_failed_over(position, facts, slot):
        return False
    ends = switch_points(settings, facts.timeline, application_name=application_name)
    preconditions.check_failover(position, facts, ends)
    return True


def switch_points(
    settings: Connection, timeline: int, *, application_name: str, stopped: Callable[[], bool] = lambda: False
) -> dict[int, Lsn]:
    """Return where each timeline before `timeline` ended; CausewayError as the connection's, or where its history is gone."""
    bell = Doorbell()
    connection = connect_replication(settings, application_name=application_name)
    try:
        (row,) = rows_of(command(connection, f"TIMELINE_HISTORY {timeline}", bell, stopped))
        return parse_history(row[1] or "")
    finally:
        connection.close()
        bell.close()


def parse_history(text: str) -> dict[int, Lsn]:
    """Read a history file: on each line a timeline, where it ended and why; comments begin with #."""
    lines = [line.split("#")[0].split(None, 2) for line in text.splitlines()]
    return {int(words[0]): Lsn.parse(words[1]) for words in lines if len(words) >= 2}
