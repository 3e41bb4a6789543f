"""Replication slots and their publications: created, watched and dropped; one of each a lane. The plan: `cdc.slot_plan`.

A slot keeps WAL on the source until its reader has confirmed it: `SlotStatus` says how much that is, and how much is left
before the server gives the slot up (max_slot_wal_keep_size).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg import sql

from cdc import publications
from cdc.catalog import check_identities, describe, server_facts
from cdc.connection import PlainConnection, Row
from cdc.driver_errors import translate
from cdc.identities import identity_steps
from cdc.lsn import ZERO, Lsn
from cdc.server_settings import FAILOVER_VERSION, check_server
from cdc.wanted import Wanted, everything, with_identities
from config.errors import CausewayError, ErrorKind
from config.settings import Lane, SourceSettings

PLUGIN = "pgoutput"

# A standby can make a slot once its primary has logged which transactions run: an idle primary may never do so by itself.
_STANDBY_PATIENCE = "SET LOCAL statement_timeout = '30s'"
# ALTER TABLE waits for every transaction that has read the table, and whoever comes after waits for it.
_LOCK_PATIENCE = "SET LOCAL lock_timeout = '5s'"
_STANDBY_HINT = (
    "A slot on a standby waits for a list of running transactions in the primary's log: run SELECT pg_log_standby_snapshot() on the"
    " primary while it is being made, and again for the snapshot."
)

# What only later versions have is looked up by name: conflicting came with 16, the others with 17.
_STATUS = """
SELECT s.slot_name::text, s.plugin::text, s.slot_type, s.database::text, s.active_pid, s.wal_status,
    s.restart_lsn::text, s.confirmed_flush_lsn::text,
    greatest(pg_wal_lsn_diff(here.lsn, s.restart_lsn), 0)::int8, s.safe_wal_size,
    greatest(pg_wal_lsn_diff(here.lsn, s.confirmed_flush_lsn), 0)::int8,
    s.temporary, coalesce((more.given ->> 'failover')::bool, false), coalesce((more.given ->> 'synced')::bool, false),
    coalesce((more.given ->> 'conflicting')::bool, false), more.given ->> 'invalidation_reason',
    (more.given ->> 'inactive_since')::timestamptz, here.lsn::text, r.sent_lsn::text, t.spill_txns, t.spill_bytes
FROM pg_replication_slots s
CROSS JOIN (SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END) AS here (lsn)
CROSS JOIN LATERAL (SELECT to_jsonb(s)) AS more (given)
LEFT JOIN pg_stat_replication r ON r.pid = s.active_pid
LEFT JOIN pg_stat_replication_slots t ON t.slot_name = s.slot_name
WHERE s.slot_name = ANY (%s) ORDER BY s.slot_name
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One statement of `causeway slots`, why it is needed, and who may run it."""

    statement: str
    reason: str
    who: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class SlotStatus:
    """A slot as the server sees it. `wal_status`: reserved, extended, unreserved, or lost.

    `retained_bytes`: WAL that the server keeps for it. `safe_wal_size_bytes`: what may still be written before the slot is in
    danger, None for no limit. `lag_bytes`: written but not confirmed. `head`: end of the server's log. `sent`: None where nobody
    reads, or where the role is not a member of pg_read_all_stats. `spilled_*`: transactions that did not fit into memory.
    """

    name: str
    lane: Lane | None
    plugin: str | None
    slot_type: str
    database: str | None
    active_pid: int | None
    wal_status: str | None
    restart_lsn: Lsn | None
    confirmed_flush_lsn: Lsn | None
    retained_bytes: int | None
    safe_wal_size_bytes: int | None
    lag_bytes: int | None
    temporary: bool = False
    failover: bool = False
    synced: bool = False
    conflicting: bool = False
    invalidation_reason: str | None = None
    inactive_since: datetime | None = None
    head: Lsn = ZERO
    sent: Lsn | None = None
    spilled_transactions: int | None = None
    spilled_bytes: int | None = None


def status(connection: PlainConnection, slots: Sequence[str]) -> list[SlotStatus]:
    """Return the state of those of these slots that exist, by name."""
    try:
        rows = connection.execute(_STATUS, [list(slots)]).fetchall()
    except psycopg.Error as error:
        raise translate(error, "reading the replication slots") from error
    return [_slot_status(row) for row in rows]


def _slot_status(row: Row) -> SlotStatus:
    return SlotStatus(
        name=row[0],
        lane=next((lane for lane in Lane if row[0].endswith(f"_{lane.value}")), None),
        plugin=row[1],
        slot_type=row[2],
        database=row[3],
        active_pid=row[4],
        wal_status=row[5],
        restart_lsn=_lsn(row[6]),
        confirmed_flush_lsn=_lsn(row[7]),
        retained_bytes=row[8],
        safe_wal_size_bytes=row[9],
        lag_bytes=row[10],
        temporary=row[11],
        failover=row[12],
        synced=row[13],
        conflicting=row[14],
        invalidation_reason=row[15],
        inactive_since=row[16],
        head=_lsn(row[17]) or ZERO,
        sent=_lsn(row[18]),
        spilled_transactions=row[19],
        spilled_bytes=row[20],
    )


def _lsn(text: str | None) -> Lsn | None:
    return None if text is None else Lsn.parse(text)


def missing(
    connection: PlainConnection, settings: SourceSettings, lane: Lane, slot: str, wanted: Wanted | None = None
) -> list[Step]:
    """Return what is missing for a lane, in the order in which it must be made; changes nothing.

    `wanted`: what it wants published, else everything. CausewayError: SCHEMA (a table is missing or has no key), SERVER_SETTINGS,
    PRIVILEGE.
    """
    return [
        Step(statement=text.as_string(connection), reason=reason)
        for text, reason in _missing(connection, settings, lane, slot, wanted or everything(settings, lane))
    ]


def create(
    connection: PlainConnection, settings: SourceSettings, lane: Lane, slot: str, wanted: Wanted | None = None
) -> list[Step]:
    """Make what `missing` lists and return it. The publication comes first: a slot decodes with the catalog of its time."""
    done = []
    wanted = wanted or everything(settings, lane)
    on_standby = server_facts(connection).in_recovery
    for statement, reason in _missing(connection, settings, lane, slot, wanted):
        text = statement.as_string(connection)
        if on_standby and text.split(" ")[1] in ("PUBLICATION", "TABLE"):
            raise _on_primary(slot, text)
        try:
            with connection.transaction():
                if on_standby:
                    connection.execute(_STANDBY_PATIENCE)
                if text.startswith("ALTER TABLE"):
                    connection.execute(_LOCK_PATIENCE)
                connection.execute(statement)
                relations = describe(connection, wanted.names)
                publications.check_filters(connection, slot, relations)
        except psycopg.Error as error:
            hint = _STANDBY_HINT if on_standby and isinstance(error, psycopg.errors.QueryCanceled) else ""
            raise translate(error, f"creating slot and publication {slot}", hint=hint, slot=slot) from error
        done.append(Step(statement=text, reason=reason))
    return done


def _on_primary(slot: str, statement: str) -> CausewayError:
    return CausewayError(
        ErrorKind.SERVER_SETTINGS,
        f"publication {slot} is not as the settings ask for, and this source is a standby, where nothing can be made.",
        hint=f"Run on its primary: {statement};",
        publication=slot,
    )


def drop(connection: PlainConnection, slot: str) -> list[Step]:
    """Drop a lane's slot and publication, where they are; CausewayError SLOT_IN_USE names who reads it."""
    found = status(connection, [slot])
    if found and found[0].active_pid is not None:
        raise in_use(slot, found[0].active_pid)
    done = []
    for statement, reason in _drops(connection, slot, bool(found)):
        try:
            connection.execute(statement)
        except psycopg.Error as error:
            raise translate(error, f"dropping slot and publication {slot}", slot=slot) from error
        done.append(Step(statement=statement.as_string(connection), reason=reason))
    return done


def drop_slot(connection: PlainConnection, slot: str) -> list[Step]:
    """Drop a lane's slot alone, where it is: its publication stays. CausewayError SLOT_IN_USE names who reads it."""
    found = status(connection, [slot])
    if not found:
        return []
    if found[0].active_pid is not None:
        raise in_use(slot, found[0].active_pid)
    statement = sql.SQL("SELECT pg_drop_replication_slot({})").format(slot)
    try:
        connection.execute(statement)
    except psycopg.Error as error:
        raise translate(error, f"dropping slot {slot}", slot=slot) from error
    return [Step(statement=statement.as_string(connection), reason="it can't be read from where the lane is")]


def in_use(slot: str, pid: int) -> CausewayError:
    """Return the error for a slot that somebody else reads."""
    return CausewayError(
        ErrorKind.SLOT_IN_USE,
        f"slot {slot} is in use by the server process {pid}.",
        hint=f"Stop the other reader; SELECT * FROM pg_stat_replication WHERE pid = {pid} tells who it is.",
        slot=slot,
        pid=pid,
    )


def slot_statement(slot: str, *, failover: bool) -> sql.Composed:
    """Build the call that makes a slot."""
    if failover:
        return sql.SQL("SELECT pg_create_logical_replication_slot({}, {}, failover => true)").format(slot, PLUGIN)
    return sql.SQL("SELECT pg_create_logical_replication_slot({}, {})").format(slot, PLUGIN)


def publication_steps(
    connection: PlainConnection, wanted: Wanted, lane: Lane, slot: str
) -> list[tuple[sql.Composed, str]]:
    """Return what makes or mends a lane's publication; nothing where it has all that the lane wants."""
    wanted = with_identities(connection, wanted)
    publication = publications.find_publication(connection, slot)
    if publication is None:
        which = f"reads {len(wanted.tables)} tables" if wanted.exact else _what_it_reads(wanted)
        return [(publications.create_statement(slot, wanted.tables), f"the {lane.value} lane {which}")]
    wrong = publications.differences(publication, wanted)
    if not wrong:
        return []
    steps = []
    if wanted.tables:
        steps.append((publications.set_statement(slot, wanted.tables), f"the publication {', '.join(wrong)}"))
    if not (publication.via_root and publication.all_operations and not publication.generated_columns):
        steps.append(
            (publications.options_statement(publication), "every operation, partitions under their root's name")
        )
    return steps


def _what_it_reads(wanted: Wanted) -> str:
    narrow = sum(table.columns is not None for table in wanted.tables)
    listed = f", of {narrow} the columns that they read and the key" if narrow else ""
    return f"reads the {len(wanted.tables)} tables that its mappings read{listed}"


def slot_steps(
    connection: PlainConnection, settings: SourceSettings, lane: Lane, slot: str
) -> list[tuple[sql.Composed, str]]:
    """Return what makes a lane's slot; nothing where it exists."""
    if status(connection, [slot]):
        return []
    failover = settings.failover and server_facts(connection).version_num >= FAILOVER_VERSION
    reason = f"the log, and what VACUUM would take of the catalogs, is kept for the {lane.value} lane from here on"
    return [(slot_statement(slot, failover=failover), reason)]


def _missing(
    connection: PlainConnection, settings: SourceSettings, lane: Lane, slot: str, wanted: Wanted
) -> list[tuple[sql.Composed, str]]:
    slot_is_missing = slot_steps(connection, settings, lane, slot)
    check_server(connection, needs_slot=bool(slot_is_missing))
    relations = describe(connection, wanted.names)
    check_identities(relations)
    publications.check_generated(connection, relations)
    steps = [(text, reason) for text, reason, _ in identity_steps(connection, wanted)]
    return steps + publication_steps(connection, wanted, lane, slot) + slot_is_missing


def _drops(connection: PlainConnection, slot: str, exists: bool) -> list[tuple[sql.Composed, str]]:
    steps = []
    if exists:
        steps.append((sql.SQL("SELECT pg_drop_replication_slot({})").format(slot), "the server keeps WAL for it"))
    if publications.find_publication(connection, slot) is not None:
        steps.append((sql.SQL("DROP PUBLICATION {}").format(sql.Identifier(slot)), "only this slot's reader used it"))
    return steps
