"""`causeway slots status`: a look at the slots now, with what the running lanes' watch knows of the past; and its tables."""

from __future__ import annotations

import time

from causeway.console import out, print_table
from causeway.runfiles import RunFolder
from causeway.slot_look import STAGES, SlotLook, SlotRow
from causeway.sources import connect_source
from config.settings import Settings

# Without a watch there is no past to take the growth from: two looks this far apart give it.
BETWEEN_LOOKS_S = 2.0
_FRESH_INTERVALS = 3


def slot_rows(settings: Settings, only: str | None) -> list[SlotRow]:
    """Look at every slot, or at one source's; CausewayError where a source can't be reached."""
    folder = RunFolder(settings.run_dir)
    look = SlotLook(settings=settings, folder=folder)
    watched = folder.read_slots()
    fresh = time.time() - watched.get("sampled_at", 0.0) < _FRESH_INTERVALS * settings.slots.sample_s
    if fresh:
        look.resume(watched)
    names = [name for name in settings.sources if only in (None, name)]
    rows = _look(look, settings, names)
    if not fresh and any(row.state != "missing" for row in rows):
        time.sleep(BETWEEN_LOOKS_S)
        rows = _look(look, settings, names)
    return rows


def _look(look: SlotLook, settings: Settings, names: list[str]) -> list[SlotRow]:
    rows = []
    for name in names:
        with connect_source(name, settings.sources[name], "slots") as connection:
            rows += [row for row, _ in look.look(connection, name)]
    return rows


def print_slots(rows: list[SlotRow]) -> None:
    """Print what the server keeps for each slot, then how far each stage is behind the log's end."""
    columns = (
        "source", "slot", "state", "reader", "retained bytes", "safe WAL bytes", "growth a minute", "lost in", "disk limit in",
        "spilled",
    )  # fmt: skip
    print_table("", columns, [_kept(row) for row in rows])
    stages = ("source", "slot", "head", *STAGES)
    print_table("behind the head, in bytes and time", stages, [_behind(row) for row in rows])
    for row in rows:
        for line in _remarks(row):
            out.print(f"{row.slot}: {line}", markup=False)


def _kept(row: SlotRow) -> list[object]:
    spilled = None
    if row.spilled_transactions is not None:
        spilled = f"{row.spilled_transactions:,} transactions, {row.spilled_bytes or 0:,} bytes"
    return [
        row.source,
        row.slot,
        row.state,
        row.reader_pid or "nobody",
        _number(row.retained_bytes),
        "no limit" if row.safe_wal_size_bytes is None and row.state != "missing" else _number(row.safe_wal_size_bytes),
        _number(row.growth_bytes_a_minute),
        _duration(row.lost_in_s),
        _duration(row.disk_limit_in_s),
        spilled,
    ]


def _behind(row: SlotRow) -> list[object]:
    stages = [f"{_number(row.behind_bytes.get(stage))}, {_duration(row.behind_s.get(stage))}" for stage in STAGES]
    return [row.source, row.slot, row.head, *stages]


def _remarks(row: SlotRow) -> list[str]:
    """What needs words."""
    found = []
    if row.reason:
        found.append(f"{row.reason}.")
    if row.invalidation_reason or row.conflicting:
        found.append(f"invalidated: {row.invalidation_reason or 'rows that it needed were removed'}.")
    if row.inactive_since and row.reader_pid is None:
        found.append(f"nobody has read it since {row.inactive_since}.")
    if row.state == "missing" and not row.reason:
        found.append("there is no such slot; the lane's first run makes it.")
    if row.state == "lost":
        found.append(f"`causeway slots rebuild {row.source}` makes a new slot, and writes only what differs.")
    return found


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:,.0f}"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "n/a"
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {unit}"
    return f"{seconds:.0f} s"
