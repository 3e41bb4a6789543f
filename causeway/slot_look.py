"""What is to be known of the slots of the configured sources, brought together from the server, the lanes and the past.

One `SlotRow` a lane and source: the ladder head -> sent -> received -> applied -> durable -> confirmed, what the server keeps, how
that grows and when it ends. `SlotLook` keeps what two looks have to share: the clock of each source's log and its growth.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any

from causeway.runfiles import RunFolder
from causeway.sources import naming
from cdc import slots
from cdc.connection import PlainConnection
from cdc.lsn import ZERO, Lsn
from cdc.slot_growth import GROWTH_WINDOW_S, LogClock, growth_bytes_a_minute, seconds_until
from cdc.slot_guard import Guard, Judgement, judge, most_kept_by_others
from cdc.slots import SlotStatus
from config.settings import Lane, Settings

STAGES = ("sent", "received", "applied", "durable", "confirmed")
_MOST_SAMPLES = 200


@dataclass(kw_only=True)
class SlotRow:
    """One slot, in JSON's values. None is what is not known: a lane that never ran, a version that does not tell."""

    source: str
    lane: str
    slot: str
    state: str  # missing, unreachable, or the server's wal_status: reserved, extended, unreserved, lost
    reader_pid: int | None = None
    head: str | None = None
    restart_lsn: str | None = None
    confirmed_flush_lsn: str | None = None
    lsns: dict[str, str | None] = field(default_factory=dict)  # by stage
    behind_bytes: dict[str, int | None] = field(default_factory=dict)
    behind_s: dict[str, float | None] = field(default_factory=dict)
    lag_bytes: int | None = None
    retained_bytes: int | None = None
    safe_wal_size_bytes: int | None = None
    growth_bytes_a_minute: float | None = None
    lost_in_s: float | None = None
    disk_limit_in_s: float | None = None
    spilled_transactions: int | None = None
    spilled_bytes: int | None = None
    failover: bool = False
    synced: bool = False
    conflicting: bool = False
    invalidation_reason: str | None = None
    inactive_since: str | None = None
    guard: str = Guard.OFF.value
    reason: str = ""

    @property
    def is_well(self) -> bool:
        """Whether nobody need look at it."""
        return self.state not in ("missing", "lost", "unreachable") and self.guard in (Guard.OFF, Guard.OK)


@dataclass(kw_only=True)
class SlotLook:
    """Looks at the slots, again and again."""

    settings: Settings
    folder: RunFolder
    clocks: dict[str, LogClock] = field(default_factory=dict)
    kept: dict[str, list[tuple[float, int]]] = field(default_factory=dict)

    def lanes_of(self, source: str) -> list[Lane]:
        """The lanes that capture a source."""
        return [lane for lane in Lane if source in self.settings.sources_of(lane)]

    def look(self, connection: PlainConnection, source: str) -> list[tuple[SlotRow, SlotStatus | None]]:
        """Look at one source's slots; CausewayError as the connection's."""
        names = {lane: self.settings.slot_name(source, lane) for lane in self.lanes_of(source)}
        with naming(source):
            found = {each.name: each for each in slots.status(connection, list(names.values()))}
            other = most_kept_by_others(connection, self._droppable())
        now = time.time()
        if found:
            clock = self.clocks.setdefault(source, LogClock())
            clock.add(now, next(iter(found.values())).head)
        guard = self.settings.sources[source].guard
        looked: list[tuple[SlotRow, SlotStatus | None]] = []
        for lane, name in names.items():
            slot = found.get(name)
            if slot is None:
                looked.append((self.missing(source, lane), None))
                continue
            self._note(slot, now)
            verdict = judge(slot, lane, guard, other)
            looked.append((self._row(source, lane, slot, verdict, now), slot))
        return looked

    def _droppable(self) -> list[str]:
        """The slots that the guard may drop: sources may share a server, and one such slot must not protect the other."""
        return [
            self.settings.slot_name(name, Lane.ANALYTICAL)
            for name, source in self.settings.sources.items()
            if source.guard.drop_analytical
        ]

    def missing(self, source: str, lane: Lane) -> SlotRow:
        """The row of a slot that is not there: never made, dropped by somebody, or by the guard."""
        name = self.settings.slot_name(source, lane)
        reason = self.folder.why_dropped(name)
        row = SlotRow(source=source, lane=lane.value, slot=name, state="missing")
        if reason:
            row.guard, row.reason = Guard.DROPPED.value, f"the guard dropped it, because {reason}"
        return row

    def _note(self, slot: SlotStatus, now: float) -> None:
        if slot.retained_bytes is None:
            return
        samples = self.kept.setdefault(slot.name, [])
        samples.append((now, slot.retained_bytes))
        self.kept[slot.name] = [each for each in samples if now - each[0] <= GROWTH_WINDOW_S][-_MOST_SAMPLES:]

    def _row(self, source: str, lane: Lane, slot: SlotStatus, verdict: Judgement, now: float) -> SlotRow:
        growth = growth_bytes_a_minute(self.kept.get(slot.name, []))
        limit = self.settings.sources[source].slot_disk_limit_bytes
        left = None if limit is None or slot.retained_bytes is None else limit - slot.retained_bytes
        ladder = self._ladder(source, lane, slot)
        clock = self.clocks[source]
        return SlotRow(
            source=source,
            lane=lane.value,
            slot=slot.name,
            state=slot.wal_status or "lost",
            reader_pid=slot.active_pid,
            head=str(slot.head),
            restart_lsn=_text(slot.restart_lsn),
            confirmed_flush_lsn=_text(slot.confirmed_flush_lsn),
            lsns={stage: _text(lsn) for stage, lsn in ladder.items()},
            behind_bytes={stage: None if lsn is None else max(0, slot.head - lsn) for stage, lsn in ladder.items()},
            behind_s={stage: None if lsn is None else _rounded(clock.age_s(lsn, now)) for stage, lsn in ladder.items()},
            lag_bytes=slot.lag_bytes,
            retained_bytes=slot.retained_bytes,
            safe_wal_size_bytes=slot.safe_wal_size_bytes,
            growth_bytes_a_minute=_rounded(growth),
            lost_in_s=_rounded(seconds_until(slot.safe_wal_size_bytes, growth)),
            disk_limit_in_s=_rounded(seconds_until(left, growth)),
            spilled_transactions=slot.spilled_transactions,
            spilled_bytes=slot.spilled_bytes,
            failover=slot.failover,
            synced=slot.synced,
            conflicting=slot.conflicting,
            invalidation_reason=slot.invalidation_reason,
            inactive_since=slot.inactive_since.isoformat() if slot.inactive_since else None,
            guard=verdict.guard.value,
            reason=verdict.reason,
        )

    def _ladder(self, source: str, lane: Lane, slot: SlotStatus) -> dict[str, Lsn | None]:
        """Each stage's place in the log. Sent is at least what was received, where the server does not show it."""
        said = (self.folder.read_status(lane) or {}).get("sources", {}).get(source, {})
        told = {stage: _parsed(said.get(stage)) for stage in ("received", "applied", "durable")}
        sent = slot.sent or told["received"]
        return {"sent": sent, **told, "confirmed": slot.confirmed_flush_lsn}

    def as_json(self, rows: list[SlotRow]) -> dict[str, Any]:
        """Return rows and what the next look needs, as JSON values."""
        return {
            "sampled_at": time.time(),
            "slots": [asdict(row) for row in rows],
            "clocks": {name: [[at, int(lsn)] for at, lsn in clock.samples] for name, clock in self.clocks.items()},
            "kept": self.kept,
        }

    def resume(self, watched: dict[str, Any]) -> None:
        """Go on from what another process has seen."""
        for name, samples in watched.get("clocks", {}).items():
            self.clocks[name] = LogClock(samples=[(at, Lsn(lsn)) for at, lsn in samples])
        self.kept = {name: [(at, kept) for at, kept in samples] for name, samples in watched.get("kept", {}).items()}


def _parsed(text: str | None) -> Lsn | None:
    lsn = Lsn.parse(text) if text else ZERO
    return lsn or None


def _text(lsn: Lsn | None) -> str | None:
    return None if lsn is None else str(lsn)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
