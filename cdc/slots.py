"""Replication slots and their publications: planned, created, watched and dropped; one of each a lane.

A slot keeps WAL on the source until its reader has confirmed it: `SlotStatus` says how much that is, and how much is left
before the server gives the slot up (max_slot_wal_keep_size).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from cdc import publications
from cdc.catalog import check_identities, describe, server_facts
from cdc.connection import PlainConnection
from cdc.driver_errors import translate
from cdc.lsn import Lsn
from config.errors import CausewayError, ErrorKind
from config.settings import Lane, SourceSettings

PLUGIN = "pgoutput"

_STATUS = """
SELECT s.slot_name::text, s.plugin::text, s.slot_type, s.database::text, s.active_pid, s.wal_status,
    s.restart_lsn::text, s.confirmed_flush_lsn::text,
    pg_wal_lsn_diff(here.lsn, s.restart_lsn)::int8, s.safe_wal_size,
    greatest(pg_wal_lsn_diff(here.lsn, s.confirmed_flush_lsn), 0)::int8
FROM pg_replication_slots s,
    (SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END) AS here (lsn)
WHERE s.slot_name = ANY (%s) ORDER BY s.slot_name
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One statement that `causeway slots create` runs, and why."""

    statement: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SlotStatus:
    """A slot as the server sees it. `wal_status`: reserved, extended, unreserved, or lost.

    `retained_bytes`: WAL that the server keeps for it. `safe_wal_size_bytes`: what may still be written before the slot is in
    danger, None for no limit. `lag_bytes`: written but not confirmed.
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


def status(connection: PlainConnection, slots: Sequence[str]) -> list[SlotStatus]:
    """Return the state of those of these slots that exist, by name."""
    try:
        rows = connection.execute(_STATUS, [list(slots)]).fetchall()
    except psycopg.Error as error:
        raise translate(error, "reading the replication slots") from error
    return [
        SlotStatus(
            name=row[0],
            lane=next((lane for lane in Lane if row[0].endswith(f"_{lane.value}")), None),
            plugin=row[1],
            slot_type=row[2],
            database=row[3],
            active_pid=row[4],
            wal_status=row[5],
            restart_lsn=None if row[6] is None else Lsn.parse(row[6]),
            confirmed_flush_lsn=None if row[7] is None else Lsn.parse(row[7]),
            retained_bytes=row[8],
            safe_wal_size_bytes=row[9],
            lag_bytes=row[10],
        )
        for row in rows
    ]


def plan(connection: PlainConnection, settings: SourceSettings, lane: Lane, slot: str) -> list[Step]:
    """Return what is missing for a lane, in the order in which it must be made; changes nothing.

    CausewayError: SCHEMA (a table is missing or has no key), SERVER_SETTINGS, PRIVILEGE.
    """
    return [
        Step(statement=text.as_string(connection), reason=reason)
        for text, reason in _missing(connection, settings, lane, slot)
    ]


def create(connection: PlainConnection, settings: SourceSettings, lane: Lane, slot: str) -> list[Step]:
    """Make what `plan` lists and return it. The publication comes first: a slot decodes with the catalog of its time."""
    done = []
    for statement, reason in _missing(connection, settings, lane, slot):
        text = statement.as_string(connection)
        try:
            with connection.transaction():
                connection.execute(statement)
                relations = describe(connection, settings.table_names)
                publications.check_filters(connection, slot, relations)
        except psycopg.Error as error:
            raise translate(error, f"creating slot and publication {slot}", slot=slot) from error
        done.append(Step(statement=text, reason=reason))
    return done


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


def in_use(slot: str, pid: int) -> CausewayError:
    """Return the error for a slot that somebody else reads."""
    return CausewayError(
        ErrorKind.SLOT_IN_USE,
        f"slot {slot} is in use by the server process {pid}.",
        hint=f"Stop the other reader; SELECT * FROM pg_stat_replication WHERE pid = {pid} tells who it is.",
        slot=slot,
        pid=pid,
    )


def wanted_filters(settings: SourceSettings, lane: Lane) -> dict[str, str]:
    """Return the row filters of a lane's publication: only the operational lane has them."""
    return settings.row_filters if lane is Lane.OPERATIONAL else {}


def check_server(connection: PlainConnection, *, needs_slot: bool) -> None:
    """Refuse a server or a role that cannot replicate: CausewayError SERVER_SETTINGS or PRIVILEGE."""
    facts = server_facts(connection)
    if facts.wal_level != "logical":
        raise CausewayError(
            ErrorKind.SERVER_SETTINGS,
            f"the server of database {facts.database} has wal_level = {facts.wal_level}; capture needs logical.",
            hint="ALTER SYSTEM SET wal_level = 'logical', then restart the server.",
        )
    if not facts.may_replicate:
        raise CausewayError(
            ErrorKind.PRIVILEGE,
            f"role {facts.role} may not replicate.",
            hint=f"ALTER ROLE {facts.role} REPLICATION (on Amazon RDS: GRANT rds_replication TO {facts.role}).",
        )
    if needs_slot and facts.used_replication_slots >= facts.max_replication_slots:
        raise CausewayError(
            ErrorKind.SERVER_SETTINGS,
            f"all {facts.max_replication_slots} replication slots of the server are in use.",
            hint="Drop one that nobody needs (pg_replication_slots), or raise max_replication_slots and restart.",
        )


def _missing(
    connection: PlainConnection, settings: SourceSettings, lane: Lane, slot: str
) -> list[tuple[sql.Composed, str]]:
    tables, filters = settings.table_names, wanted_filters(settings, lane)
    found = status(connection, [slot])
    check_server(connection, needs_slot=not found)
    check_identities(describe(connection, tables))
    steps: list[tuple[sql.Composed, str]] = []
    publication = publications.find_publication(connection, slot)
    if publication is None:
        reason = f"the {lane.value} lane reads {len(tables)} tables"
        steps.append((publications.create_statement(slot, tables, filters), reason))
    elif wrong := publications.differences(publication, tables, filters):
        steps.append((publications.set_statement(slot, tables, filters), f"the publication {', '.join(wrong)}"))
        if not (publication.via_root and publication.all_operations):
            steps.append((publications.options_statement(slot), "every operation, partitions under their root's name"))
    if not found:
        create_slot = sql.SQL("SELECT pg_create_logical_replication_slot({}, {})").format(slot, PLUGIN)
        steps.append((create_slot, f"the log is kept for the {lane.value} lane from here on"))
    return steps


def _drops(connection: PlainConnection, slot: str, exists: bool) -> list[tuple[sql.Composed, str]]:
    steps = []
    if exists:
        steps.append((sql.SQL("SELECT pg_drop_replication_slot({})").format(slot), "the server keeps WAL for it"))
    if publications.find_publication(connection, slot) is not None:
        steps.append((sql.SQL("DROP PUBLICATION {}").format(sql.Identifier(slot)), "only this slot's reader used it"))
    return steps
