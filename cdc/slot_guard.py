"""The guard of a source's disk: warns of a slot that keeps much WAL, and drops the analytical one where it was told to.

The operational slot is never dropped: what it would lose are orders that Odoo never gets. A dropped analytical slot costs a
rebuild of the mirror. Nothing is dropped that would not bring the source under its limit, because another slot keeps as much.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

import psycopg

from cdc.connection import PlainConnection
from cdc.driver_errors import translate
from cdc.slots import PLUGIN, SlotStatus
from config.errors import CausewayError, ErrorKind
from config.settings import GuardSettings, Lane

_MOST_KEPT_BY_OTHERS = """
SELECT s.slot_name::text, pg_wal_lsn_diff(here.lsn, s.restart_lsn)::int8
FROM pg_replication_slots s,
    (SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END) AS here (lsn)
WHERE s.slot_name <> ALL (%s) AND s.restart_lsn IS NOT NULL AND s.wal_status <> 'lost'
ORDER BY s.restart_lsn LIMIT 1
"""
_READER_ENDED = """
SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = %s AND active_pid IS NOT NULL
"""
_DROP = "SELECT pg_drop_replication_slot(%s)"
# A lane connects again half a second after its connection has ended.
_ATTEMPTS = 20
_BETWEEN_S = 0.1


class Guard(StrEnum):
    """What the guard says of a slot."""

    OFF = "off"  # no limit is set
    OK = "ok"
    WARNING = "warning"  # past warn_bytes, or past drop_bytes without leave to drop
    USELESS = "useless"  # past drop_bytes, but another slot keeps as much
    DROP = "drop"  # past drop_bytes: to be dropped
    DROPPED = "dropped"


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """What the guard says of a slot, and why."""

    guard: Guard
    reason: str = ""


def judge(slot: SlotStatus, lane: Lane, guard: GuardSettings, other: tuple[str, int] | None) -> Judgement:
    """Judge a slot. `other`: name and retained bytes of the slot that keeps the most besides those that may be dropped."""
    kept = slot.retained_bytes or 0
    if guard.warn_bytes is None and guard.drop_bytes is None:
        return Judgement(guard=Guard.OFF)
    if guard.drop_bytes is not None and kept >= guard.drop_bytes:
        return _past_drop(slot, lane, guard, other, kept)
    if guard.warn_bytes is not None and kept >= guard.warn_bytes:
        reason = (
            f"slot {slot.name} keeps {kept:,} bytes of WAL on the source, past guard.warn_bytes ({guard.warn_bytes:,})"
        )
        return Judgement(guard=Guard.WARNING, reason=reason)
    return Judgement(guard=Guard.OK)


def _past_drop(
    slot: SlotStatus, lane: Lane, guard: GuardSettings, other: tuple[str, int] | None, kept: int
) -> Judgement:
    reason = f"slot {slot.name} keeps {kept:,} bytes of WAL on the source, past guard.drop_bytes ({guard.drop_bytes:,})"
    if lane is not Lane.ANALYTICAL:
        return Judgement(guard=Guard.WARNING, reason=f"{reason}; it is the operational one, which is never dropped")
    if not guard.drop_analytical:
        return Judgement(guard=Guard.WARNING, reason=f"{reason}; guard.drop_analytical does not let it be dropped")
    if other is not None and other[1] >= (guard.drop_bytes or 0):
        return Judgement(
            guard=Guard.USELESS,
            reason=f"{reason}; dropping it would not help: slot {other[0]} keeps {other[1]:,} bytes",
        )
    return Judgement(guard=Guard.DROP, reason=reason)


def most_kept_by_others(connection: PlainConnection, slots: Collection[str]) -> tuple[str, int] | None:
    """Return the slot that keeps the most WAL besides these, whoever made it, in any database of the server."""
    try:
        row = connection.execute(_MOST_KEPT_BY_OTHERS, [list(slots)]).fetchone()
    except psycopg.Error as error:
        raise translate(error, "reading the replication slots") from error
    return None if row is None else (row[0], row[1])


def drop_analytical(connection: PlainConnection, slot: SlotStatus, lane: Lane) -> None:
    """End the slot's reader and drop the slot; CausewayError INTERNAL for any but an analytical slot of ours."""
    if lane is not Lane.ANALYTICAL or slot.plugin != PLUGIN or not slot.name.endswith(f"_{Lane.ANALYTICAL.value}"):
        raise CausewayError(
            ErrorKind.INTERNAL, f"the guard was about to drop slot {slot.name}, which is not an analytical one."
        )
    for attempt in range(_ATTEMPTS):
        try:
            connection.execute(_READER_ENDED, [slot.name])
            connection.execute(_DROP, [slot.name])
        except psycopg.errors.ObjectInUse as error:
            if attempt == _ATTEMPTS - 1:
                raise translate(error, f"dropping slot {slot.name}", slot=slot.name) from error
            time.sleep(_BETWEEN_S)
        except psycopg.errors.UndefinedObject:
            return
        except psycopg.Error as error:
            raise translate(error, f"dropping slot {slot.name}", slot=slot.name) from error
        else:
            return
