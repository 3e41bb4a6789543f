"""What a look at a source could see: the transactions of its snapshot, and how far the log had come.

A look-up and the stream do not show commits in one order: a commit is in the log, and may have reached us, a moment before any
query sees it (ProcArrayEndTransaction comes after XLogFlush, src/backend/access/transam/xact.c; where a synchronous standby has
to answer first, much later). So positions alone do not say which changes a row that was looked up holds already; its snapshot does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from cdc.lsn import Lsn

_HALF, _MASK = 1 << 31, (1 << 32) - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Visibility:
    """`xmax`: first transaction id that had not been given out or ended; `running`: those before it that had not ended (full ids of
    64 bits). `as_of`: end of the log when the look was over: nothing that it saw was committed behind it.
    """

    xmax: int
    running: frozenset[int]
    as_of: Lsn

    @classmethod
    def parse(cls, snapshot: str, as_of: str) -> Self:
        """Read pg_current_snapshot()'s text, ``xmin:xmax:xip,xip...``."""
        _, xmax, running = snapshot.split(":")
        return cls(
            xmax=int(xmax), running=frozenset(int(xid) for xid in running.split(",") if xid), as_of=Lsn.parse(as_of)
        )

    def sees(self, xid: int) -> bool:
        """Return whether the transaction with these lower 32 bits of its id, as the stream gives it, had ended for the look."""
        behind = (self.xmax - xid) & _MASK
        full = self.xmax - behind
        return 0 < behind < _HALF and full not in self.running
