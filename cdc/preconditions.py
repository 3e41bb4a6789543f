"""May this reader go on from where it was? Pure checks of a stored position against the server's facts and the slot.

What they keep out: a gap between what a lane has and what the slot still sends, and another cluster's log under the same name.
"""

from __future__ import annotations

from cdc.batch import Position
from cdc.catalog import ServerFacts
from cdc.slots import PLUGIN, SlotStatus, in_use
from config.errors import CausewayError, ErrorKind

_REBUILD = "`causeway slots rebuild SOURCE` makes a new slot, and writes only what differs."
_OTHER_CLUSTER = "If this is the right server: `causeway slots rebuild SOURCE --other-cluster` compares with it, and goes on from there."


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
    if slot.wal_status == "lost":
        raise CausewayError(
            ErrorKind.GAP,
            f"slot {name} is lost: the server has removed WAL that it still needed.",
            hint=f"Raise max_slot_wal_keep_size if it can happen again. {_REBUILD}",
            slot=name,
        )
    if slot.active_pid is not None:
        raise in_use(name, slot.active_pid)


def check_identity(position: Position, facts: ServerFacts, slot: str) -> None:
    """Refuse another cluster or timeline: CausewayError IDENTITY."""
    if (position.slot, position.system_identifier, position.timeline) == (
        slot,
        facts.system_identifier,
        facts.timeline,
    ):
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
        what = f"the server is on timeline {facts.timeline}, the lane's position on {position.timeline}"
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
