"""What a lane's end must offer to the reader's side. The mirror and the outbox implement it; one contract suite tests both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cdc.batch import ChangeBatch, CopyProgress, Position
from cdc.relation import Relation


class Destination(Protocol):
    """A durable end. All methods are called from one thread, the lane's applying thread."""

    def position(self, source: str) -> Position | None:
        """Return how far `source` is durable here; None where no complete snapshot of it has been applied.

        A destination that keeps the whole tables of an interrupted snapshot returns the snapshot's point once that has been
        interrupted (a new process, or `rollback`); `captured` then names the other tables, which the lane copies.
        """

    def begin_snapshot(self, source: str, relations: Sequence[Relation]) -> None:
        """Prepare for a snapshot of these tables from their first row: what an interrupted one left is dropped."""

    def captured(self, source: str, relations: Sequence[Relation]) -> tuple[str, ...]:
        """Learn which tables are captured, each time that the stream is opened from a position.

        Tables that no longer are count as dropped. Returned are the names of those whose rows have never been brought here, by
        a snapshot or a copy: the lane copies them.
        """

    def copies(self, source: str) -> tuple[CopyProgress, ...]:
        """Return how far each unfinished copy of a table is durable; after a restart the lane goes on from there."""

    def begin_copy(self, source: str, progress: CopyProgress) -> None:
        """Begin, durably, to copy a table from its first row; an unfinished copy of it is given up.

        From here on the stream's changes of the table go to the copy. What was there before stays to be seen until the last batch
        of the copy (`CopyProgress.last`), and then makes place for it.
        """

    def apply(self, batch: ChangeBatch) -> None:
        """Apply a batch; when it is complete, commit it together with its position, and return only then.

        A stream batch's position must be at or above the stored one (progress is monotonic; else CausewayError). The last
        batch of a snapshot is complete, earlier ones are not; a destination may commit the rows of incomplete snapshot
        batches (never a position), but must hold those of incomplete stream batches in one open transaction.
        A copied chunk (`batch.copy`) comes between two batches, at the stored position, which it leaves as it is.
        """

    def rollback(self, source: str) -> None:
        """Forget what was applied of a source since its last commit (its reader is about to start again from `position`)."""

    def close(self) -> None:
        """Release files and connections. Nothing uncommitted survives."""
