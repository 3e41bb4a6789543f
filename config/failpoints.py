"""Named points at which a test can let a process die: every step between a write and its acknowledgement has one.

`CAUSEWAY_FAILPOINT=name[:n]` kills the process with SIGKILL at the n-th pass (default 1) of that point, as a power cut
would. Unset, a pass costs one comparison. The variable is read once, when the process starts.
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass

VARIABLE = "CAUSEWAY_FAILPOINT"

NAMES: tuple[str, ...] = (
    "reader.slot_created",  # the permanent slot exists, no snapshot has begun
    "reader.snapshot_table_copied",  # one table was copied, others are not
    "reader.batch_handed_out",  # decoded, not yet applied
    "reader.piece_handed_out",  # a piece of a large transaction, not its last
    "reader.before_confirm",  # durable at the destination, the server was not told
    "reader.after_confirm",  # the status message was sent
    "copy.watermark_written",  # of a table copied while streaming goes on: the source's log has the mark, nothing was read
    "copy.chunk_read",  # not yet applied
    "copy.chunk_applied",  # durable, and how far the copy is with it
    "copy.before_swap",  # all rows are in the fresh mirror, the old one is still in its place
    "copy.after_swap",
    "outbox.before_commit",
    "outbox.after_commit",
    "outbox.snapshot_table_whole",  # as the mirror's
    "outbox.before_rows_read",  # rows that were noted have been read and mapped, nothing of it is durable
    "outbox.after_rows_read",
    "mirror.before_commit",
    "mirror.snapshot_table_whole",  # a table of the first snapshot is whole and durable, others are not
    "mirror.after_commit",
    "rebuild.slot_dropped",  # the lost slot is gone, the lane's position is the old one
    "rebuild.slot_created",  # the new slot exists, the lane's position is the old one
    "repair.piece_written",  # some of a repair's rows are written, nothing of it is committed
    "delivery.before_call",  # claimed, Odoo was not called
    "delivery.after_call",  # Odoo has committed, the outbox does not know
    "delivery.after_recorded",
)


@dataclass(slots=True)
class _Armed:
    """The point that was asked for, and how many passes of it are left."""

    name: str
    passes_left: int


def _parse(text: str) -> _Armed | None:
    """Return what CAUSEWAY_FAILPOINT asks for; ValueError where it names no known point."""
    if not text:
        return None
    name, _, count = text.partition(":")
    if name not in NAMES:
        raise ValueError(f"{VARIABLE}: {name!r} is not a failpoint; known are {', '.join(NAMES)}")
    return _Armed(name, int(count or 1))


_armed = _parse(os.environ.get(VARIABLE, ""))


def failpoint(name: str) -> None:
    """Die here by SIGKILL if this pass of `name` is the one that CAUSEWAY_FAILPOINT asks for."""
    if _armed is None or _armed.name != name:
        return
    _armed.passes_left -= 1
    if _armed.passes_left <= 0:
        os.kill(os.getpid(), signal.SIGKILL)
