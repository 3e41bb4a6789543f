"""What a server must be set to for capture, and what a DBA should look at: each setting with its value, advice and reason.

`check_server` refuses what cannot work; `advise` judges the rest and changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import psycopg

from cdc.catalog import ServerFacts, server_facts
from cdc.connection import PlainConnection
from cdc.driver_errors import translate
from config.errors import CausewayError, ErrorKind
from config.settings import SourceSettings

FAILOVER_VERSION = 170_000
STANDBY_VERSION = 160_000

_WATCHED = (
    "wal_level",
    "max_replication_slots",
    "max_wal_senders",
    "wal_sender_timeout",
    "max_slot_wal_keep_size",
    "logical_decoding_work_mem",
    "idle_replication_slot_timeout",
    "hot_standby_feedback",
    "sync_replication_slots",
    "synchronized_standby_slots",
)
_VALUES = "SELECT name, setting, current_setting(name) FROM pg_settings WHERE name = ANY (%s)"
_SENDERS = "SELECT count(*)::int FROM pg_stat_replication"

_WORK_MEM_KB = 64 * 1024
_SHORT_TIMEOUT_MS = 10_000

Verdict = Literal["fine", "advised", "needed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Advice:
    """One setting. `needed`: capture does not work without; `advised`: a risk that `reason` names. `change`: SQL, or empty."""

    name: str
    value: str
    verdict: Verdict
    reason: str
    change: str = ""
    restart: bool = False

    @property
    def advised(self) -> str:
        """What it should be, empty where it is fine as it is."""
        return self.change.partition(" = ")[2].strip("'")


def check_server(connection: PlainConnection, *, needs_slot: bool) -> None:
    """Refuse a server or a role that cannot replicate: CausewayError SERVER_SETTINGS or PRIVILEGE."""
    facts = server_facts(connection)
    if facts.wal_level != "logical":
        raise CausewayError(
            ErrorKind.SERVER_SETTINGS,
            f"the server of database {facts.database} has wal_level = {facts.wal_level}; capture needs logical.",
            hint="ALTER SYSTEM SET wal_level = 'logical', then restart the server.",
        )
    if facts.in_recovery and facts.version_num < STANDBY_VERSION:
        raise CausewayError(
            ErrorKind.SERVER_SETTINGS,
            f"the server of database {facts.database} is a standby of PostgreSQL {facts.version_num // 10_000};"
            " standbys decode their log from 16 on.",
            hint="Name the primary in the source's dsn.",
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


def advise(connection: PlainConnection, settings: SourceSettings, new_slots: int) -> list[Advice]:
    """Judge the server's settings for a source that still needs `new_slots` slots; those that the version has, in order."""
    facts = server_facts(connection)
    try:
        values = {name: (raw, shown) for name, raw, shown in connection.execute(_VALUES, [list(_WATCHED)]).fetchall()}
        senders = connection.execute(_SENDERS).fetchone()
    except psycopg.Error as error:
        raise translate(error, "asking the server for its settings") from error
    assert senders is not None
    judged = [
        _wal_level(*values["wal_level"]),
        _replication_slots(facts, new_slots),
        _wal_senders(*values["max_wal_senders"], senders[0], new_slots),
        _sender_timeout(*values["wal_sender_timeout"]),
        _keep_size(*values["max_slot_wal_keep_size"]),
        _work_mem(*values["logical_decoding_work_mem"]),
    ]
    if "idle_replication_slot_timeout" in values:
        judged.append(_idle_timeout(*values["idle_replication_slot_timeout"]))
    if facts.in_recovery:
        judged.append(_standby_feedback(*values["hot_standby_feedback"]))
    if settings.failover:
        judged += _failover(facts, values)
    return judged


def _wal_level(raw: str, shown: str) -> Advice:
    if raw == "logical":
        return Advice(name="wal_level", value=shown, verdict="fine", reason="the log holds what decoding needs")
    return Advice(
        name="wal_level",
        value=shown,
        verdict="needed",
        reason="without it the log does not hold what decoding needs, and no logical slot can be made",
        change="ALTER SYSTEM SET wal_level = 'logical'",
        restart=True,
    )


def _replication_slots(facts: ServerFacts, new_slots: int) -> Advice:
    wanted = facts.used_replication_slots + new_slots + 1
    used = (
        f"{facts.used_replication_slots} in use, {new_slots} to come, and one while a snapshot or a verification runs"
    )
    enough = wanted <= facts.max_replication_slots
    return Advice(
        name="max_replication_slots",
        value=str(facts.max_replication_slots),
        verdict="fine" if enough else "needed",
        reason=used,
        change="" if enough else f"ALTER SYSTEM SET max_replication_slots = {wanted}",
        restart=not enough,
    )


def _wal_senders(raw: str, shown: str, used: int, new_slots: int) -> Advice:
    wanted = used + new_slots + 1
    enough = wanted <= int(raw)
    return Advice(
        name="max_wal_senders",
        value=shown,
        verdict="fine" if enough else "needed",
        reason=f"{used} at work, {new_slots} to come, and one while a snapshot or a verification runs",
        change="" if enough else f"ALTER SYSTEM SET max_wal_senders = {wanted}",
        restart=not enough,
    )


def _sender_timeout(raw: str, shown: str) -> Advice:
    name, change = "wal_sender_timeout", "ALTER SYSTEM SET wal_sender_timeout = '60s'"
    if int(raw) == 0:
        reason = "off: a reader whose machine vanished is never noticed, and its slot stays in use"
        return Advice(name=name, value=shown, verdict="advised", reason=reason, change=change)
    if int(raw) < _SHORT_TIMEOUT_MS:
        reason = "short: a reader that swaps, or a slow network, is thrown out and comes back again and again"
        return Advice(name=name, value=shown, verdict="advised", reason=reason, change=change)
    reason = "a reader that is gone frees its slot within this time; lanes answer three times as often"
    return Advice(name=name, value=shown, verdict="fine", reason=reason)


def _keep_size(raw: str, shown: str) -> Advice:
    name = "max_slot_wal_keep_size"
    if int(raw) >= 0:
        reason = (
            "no slot keeps more WAL than this: the server gives it up at the next checkpoint, and the lane is rebuilt"
        )
        return Advice(name=name, value=shown, verdict="fine", reason=reason)
    return Advice(
        name=name,
        value=shown,
        verdict="advised",
        reason="no limit: a lane that is away fills the disk. Choose the WAL of the longest outage that is to be survived, and"
        " less than the disk has",
        change="ALTER SYSTEM SET max_slot_wal_keep_size = '4GB'",
    )


def _work_mem(raw: str, shown: str) -> Advice:
    name = "logical_decoding_work_mem"
    if int(raw) >= _WORK_MEM_KB:
        reason = (
            "memory of each slot's walsender; larger transactions spill to pg_replslot (`causeway slots status` counts)"
        )
        return Advice(name=name, value=shown, verdict="fine", reason=reason)
    return Advice(
        name=name,
        value=shown,
        verdict="advised",
        reason="small: each transaction with more changes than this is written to the server's disk and read again, once a slot",
        change="ALTER SYSTEM SET logical_decoding_work_mem = '64MB'",
    )


def _idle_timeout(raw: str, shown: str) -> Advice:
    name = "idle_replication_slot_timeout"
    if int(raw) == 0:
        reason = "off: a slot is not given up because its lane is away, only for its WAL"
        return Advice(name=name, value=shown, verdict="fine", reason=reason)
    return Advice(
        name=name,
        value=shown,
        verdict="advised",
        reason="a lane that is away for longer than this loses its slot at the next checkpoint, however little WAL it keeps, and"
        " is rebuilt: let it be longer than the longest outage, or leave the bound to max_slot_wal_keep_size",
        change="ALTER SYSTEM SET idle_replication_slot_timeout = 0",
    )


def _standby_feedback(raw: str, shown: str) -> Advice:
    name = "hot_standby_feedback"
    if raw == "on":
        reason = "the primary keeps the catalog rows that this standby's slots need"
        return Advice(name=name, value=shown, verdict="fine", reason=reason)
    return Advice(
        name=name,
        value=shown,
        verdict="advised",
        reason="this source is a standby: a VACUUM on the primary can remove catalog rows that its slots need, and the slots are"
        " lost (conflicting); with a physical slot between the two it holds also while the standby is away",
        change="ALTER SYSTEM SET hot_standby_feedback = on",
    )


def _failover(facts: ServerFacts, values: dict[str, tuple[str, str]]) -> list[Advice]:
    if facts.version_num < FAILOVER_VERSION:
        return [
            Advice(
                name="failover",
                value="true",
                verdict="advised",
                reason=f"PostgreSQL {facts.version_num // 10_000} has no failover slots (17 has): after a promotion the lanes are"
                " rebuilt",
            )
        ]
    if facts.in_recovery:
        return []
    raw, shown = values["synchronized_standby_slots"]
    if raw:
        reason = "lanes get nothing that these standbys do not have yet, so that no lane is ahead of a promoted one"
        return [Advice(name="synchronized_standby_slots", value=shown, verdict="fine", reason=reason)]
    return [
        Advice(
            name="synchronized_standby_slots",
            value=shown,
            verdict="advised",
            reason="empty: a lane may get changes that the standby has not received; after a promotion it is then ahead of the new"
            " primary, refuses to go on, and is rebuilt. Name the standby's physical slot. The standby itself needs"
            " sync_replication_slots = on, hot_standby_feedback = on, primary_slot_name, and a dbname in primary_conninfo",
            change="ALTER SYSTEM SET synchronized_standby_slots = 'the_standbys_slot'",
        )
    ]
