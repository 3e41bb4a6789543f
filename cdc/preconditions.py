"""May this reader go on from where it was? Pure checks of a stored position against the server's facts and the slot.

What they keep out: a gap between what a lane has and what the slot still sends, and another cluster's log under the same name.
"""

from __future__ import annotations

from collections.abc import Mapping

from cdc.batch import Position
from cdc.catalog import ServerFacts
from cdc.lsn import Lsn
from cdc.slots import PLUGIN, SlotStatus, in_use
from config.errors import CausewayError, ErrorKind

_REBUILD = "`causeway slots rebuild SOURCE` makes a new slot, and writes only what differs."
_OTHER_CLUSTER = "If this is the right server: `causeway slots rebuild SOURCE --other-cluster` compares with it, and goes on from there."

# Why a server gives a slot up (pg_replication_slots.invalidation_reason, from 17 on), and what keeps it from happening again.
_LOST = {
    "wal_removed": (
        "the server has removed WAL that it still needed",
        "Raise max_slot_wal_keep_size if it can happen again.",
    ),
    "rows_removed": (
        "a VACUUM on the primary has removed catalog rows that it needed",
        "Set hot_standby_feedback = on on this standby.",
    ),
    "wal_level_insufficient": (
        "wal_level was below logical on the primary",
        "Set wal_level = logical there.",
    ),
    "idle_timeout": (
        "nobody read it for longer than idle_replication_slot_timeout",
        "Raise that setting, or turn it off: max_slot_wal_keep_size bounds what a slot keeps.",
    ),
}


def check_slot(
    slot: SlotStatus | None, position: Position | None, name: str, facts: ServerFacts, *, dropped: str = ""
) -> None:
    """Refuse a slot that is missing, lost, foreign or in use: CausewayError SLOT_MISSING, GAP, SERVER_SETTINGS, SLOT_IN_USE.

    `dropped`: why the guard dropped it, where it did. Then it is refused before its first snapshot too: nothing is copied again
    that was given up on purpose.
    """
    if slot is None and dropped:
        raise CausewayError(
            ErrorKind.SLOT_MISSING,
            f"slot {name} does not exist: the guard dropped it, because {dropped}.",
            hint=f"The mirror stays as it was. {_REBUILD}",
            slot=name,
        )
    if slot is None:
        if position is None:
            return
        raise CausewayError(
            ErrorKind.SLOT_MISSING,
            f"slot {name} does not exist in database {facts.database}, though the lane has read from it up to {position.lsn}.",
            hint=f"Changes since then are lost to the stream. {_REBUILD}",
            slot=name,
            lsn=position.lsn,
        )
    if slot.plugin != PLUGIN or slot.database != facts.database:
        raise CausewayError(
            ErrorKind.SERVER_SETTINGS,
            f"slot {name} is not a slot of {PLUGIN} in database {facts.database}"
            f" (it is {slot.slot_type}, of {slot.plugin or 'no plugin'}, in {slot.database or 'no database'}).",
            hint="Choose another slot_prefix, or drop that slot.",
            slot=name,
        )
    if facts.in_recovery and slot.synced:
        raise CausewayError(
            ErrorKind.CONNECTION,
            f"slot {name} is a copy on a standby, which can be read once the standby is promoted.",
            hint="Connect to the primary: name both hosts in the dsn, with target_session_attrs=read-write.",
            slot=name,
        )
    if slot.wal_status == "lost" or slot.conflicting:
        # PostgreSQL 16 calls every slot that it gave up conflicting; one whose WAL it removed has no restart_lsn any more.
        untold = "rows_removed" if slot.conflicting and slot.restart_lsn is not None else "wal_removed"
        why, hint = _LOST.get(slot.invalidation_reason or untold, _LOST["wal_removed"])
        raise CausewayError(ErrorKind.GAP, f"slot {name} is lost: {why}.", hint=f"{hint} {_REBUILD}", slot=name)
    if slot.active_pid is not None:
        raise in_use(name, slot.active_pid)


def may_have_failed_over(position: Position, facts: ServerFacts, slot: SlotStatus | None) -> bool:
    """Whether the server is a later timeline of the same cluster, with a slot that it kept a copy of while it was a standby."""
    same = position.system_identifier == facts.system_identifier and position.timeline < facts.timeline
    return same and slot is not None and slot.name == position.slot and slot.failover and slot.synced


def check_failover(position: Position, facts: ServerFacts, ends: Mapping[int, Lsn]) -> None:
    """Accept a promoted standby only where the lane has nothing that it has not. CausewayError IDENTITY.

    `ends`: where the timelines before the server's ended. Up to there both logs are the same; a lane that got more from the old
    primary holds transactions that the new one never had.
    """
    end = ends.get(position.timeline)
    if end is None:
        what = f"timeline {position.timeline}, which the lane has read, is none that the server's timeline {facts.timeline} came from"
    elif position.lsn > end:
        what = (
            f"the standby was promoted at {end}, and the lane has read on to {position.lsn} from the old primary: it has"
            " transactions that the new primary never had"
        )
    else:
        return
    raise CausewayError(
        ErrorKind.IDENTITY,
        f"{what}.",
        hint=f"synchronized_standby_slots on the primary prevents it. {_OTHER_CLUSTER}",
        slot=position.slot,
        lsn=position.lsn,
    )


def check_identity(position: Position, facts: ServerFacts, slot: str, *, failed_over: bool = False) -> None:
    """Refuse another cluster or timeline: CausewayError IDENTITY. `failed_over`: the later timeline was accepted already."""
    timeline = facts.timeline if failed_over else position.timeline
    if (position.slot, position.system_identifier, timeline) == (slot, facts.system_identifier, facts.timeline):
        if position.lsn <= facts.current_lsn:
            return
        what = f"the server's log ends at {facts.current_lsn}, before the lane's position {position.lsn}"
    elif position.slot != slot:
        what = f"the lane's position belongs to slot {position.slot}, not to {slot}"
    elif position.system_identifier != facts.system_identifier:
        what = (
            f"this is another database cluster: its system identifier is {facts.system_identifier},"
            f" the lane's is {position.system_identifier}"
        )
    else:
        what = (
            f"the server is on timeline {facts.timeline}, the lane's position on {position.timeline}, and the slot there is no"
            " copy that it kept as a standby (a failover slot, synced)"
        )
    raise CausewayError(
        ErrorKind.IDENTITY,
        f"{what}.",
        hint=_REBUILD if position.slot != slot else f"Was it promoted, restored or exchanged? {_OTHER_CLUSTER}",
        slot=slot,
        lsn=position.lsn,
    )


def check_gap(position: Position, slot: SlotStatus) -> None:
    """Refuse a position that the slot has moved past: CausewayError GAP."""
    if slot.confirmed_flush_lsn is not None and slot.confirmed_flush_lsn > position.lsn:
        raise CausewayError(
            ErrorKind.GAP,
            f"slot {slot.name} has moved on to {slot.confirmed_flush_lsn}, past the lane's position {position.lsn}:"
            " the changes between are gone.",
            hint=f"Was the slot made anew, or read by another? {_REBUILD}",
            slot=slot.name,
            lsn=position.lsn,
        )
