"""Rows that the operational lane is to read at their source by key (state table rows_to_read): noted, taken, done.

Contract: the outbox notes them in the transaction of the batch that could not map them, a repair in one of its own
(`note_repaired`); the lane takes some of them at a time, and calls `done` in the transaction that stores what they gave. A kill
between the two reads them once more, which changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from config.settings import StateSettings
from loaders.named_sql import statements
from loaders.state import connect, prepare, translated
from transforms.changes import Held, Origin

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Rows of one table that are to be read for one reason. `mapping`: empty where it is for all that read the table."""

    source: str
    table: str
    mapping: str
    reason: Origin
    rows: int
    since: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadRows:
    """Some rows of a group: their keys, the transactions that a look-up must see, and the LSNs at which they were noted.

    `truncated`: the first of what was noted is that the whole table was truncated.
    """

    group: Group
    keys: tuple[Mapping[str, str], ...]
    xids: tuple[int, ...]
    lsns: tuple[str, ...]

    @property
    def truncated(self) -> bool:
        return {} in self.keys


def note(connection: Connection, held: Iterable[Held]) -> None:
    """Note rows in the connection's transaction; what was noted before a truncate is forgotten."""
    for mapping in {(one.source, one.table, one.mapping) for one in held if not one.key}:
        connection.execute(_sql("truncated"), mapping)
    rows = [
        (one.source, one.table, one.mapping, json.dumps(one.key), one.reason.value, one.position, one.xid)
        for one in held
    ]
    connection.execute(_sql("note"), [list(column) for column in zip(*rows, strict=True)])


def note_repaired(
    settings: StateSettings, source: str, table: str, keys: Sequence[Mapping[str, str]], lsn: str
) -> None:
    """Let the operational lane read these rows again (keys: key columns as text) and deliver what they give, marked as repaired."""
    prepare(settings)
    with connect(settings, application_name="causeway repair") as connection, translated("noting rows to be read"):
        for first in range(0, len(keys), 10_000):
            some = keys[first : first + 10_000]
            columns = ([value] * len(some) for value in (source, table, ""))
            texts = [json.dumps(dict(key)) for key in some]
            same = ([value] * len(some) for value in (Origin.REPAIRED.value, lsn, 0))
            connection.execute(_sql("note"), [*columns, texts, *same])


def note_mended(connection: Connection, digests: Mapping[str, str]) -> int:
    """Let the rows of invalid records be read again whose mapping has another digest now (by its name). Ends the transaction."""
    with translated("looking for records of mended mappings"):
        noted = connection.execute(_sql("note_mended"), [list(digests), list(digests.values())]).rowcount
        connection.commit()
    return noted


def note_invalid(connection: Connection, record_ids: Sequence[str]) -> int:
    """Let the rows of these invalid records be read again, in the connection's transaction."""
    return connection.execute(_sql("note_invalid"), [list(record_ids)]).rowcount


def groups(connection: Connection) -> tuple[Group, ...]:
    """Return what is to be read, what has waited longest first. Ends the transaction."""
    with translated("looking for rows to be read"):
        if not connection.execute(_sql("any")).fetchall()[0][0]:
            connection.commit()
            return ()
        rows = connection.execute(_sql("groups")).fetchall()
        connection.commit()
    return tuple(
        Group(source=source, table=table, mapping=mapping, reason=Origin(reason), rows=count, since=since)
        for source, table, mapping, reason, count, since in rows
    )


def take(connection: Connection, group: Group, limit: int) -> ReadRows:
    """Return some of a group's rows, a truncate before all others. They stay noted. Ends the transaction."""
    with translated("looking for rows to be read"):
        parameters = [group.source, group.table, group.mapping, group.reason.value, limit]
        rows = connection.execute(_sql("take"), parameters).fetchall()
        connection.commit()
    keys, xids, lsns = zip(*rows, strict=True) if rows else ((), (), ())
    return ReadRows(group=group, keys=tuple(keys), xids=tuple(xids), lsns=tuple(lsns))


def done(connection: Connection, rows: ReadRows) -> None:
    """Take rows off the list, in the connection's transaction."""
    connection.execute(
        _sql("done"),
        {
            "keys": [json.dumps(dict(key)) for key in rows.keys],
            "xids": list(rows.xids),
            "lsns": list(rows.lsns),
            "source": rows.group.source,
            "table": rows.group.table,
            "mapping": rows.group.mapping,
        },
    )


def _sql(name: str) -> Any:
    return statements("arriving/rows_to_read.sql")[name]
