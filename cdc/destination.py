"""What a lane's end must offer to the reader's side. The mirror and the outbox implement it; one contract suite tests both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cdc.batch import ChangeBatch, Position
from cdc.relation import Relation


class Destination(Protocol):
    """A durable end. All methods are called from one thread, the lane's applying thread."""

    def position(self, source: str) -> Position | None:
        """Return how far `source` is durable here; None where no complete snapshot of it has been applied."""

    def begin_snapshot(self, source: str, relations: Sequence[Relation]) -> None:
        """Prepare for a snapshot of these tables from their first row: what an interrupted one left is dropped."""

    def apply(self, batch: ChangeBatch) -> None:
        """Apply a batch; when it is complete, commit it together with its position, and return only then.

        A stream batch's position must be at or above the stored one (progress is monotonic; else CausewayError). The last
        batch of a snapshot is complete, earlier ones are not; a destination may commit the rows of incomplete snapshot
        batches (never a position), but must hold those of incomplete stream batches in one open transaction.
        """

    def rollback(self) -> None:
        """Forget what was applied since the last commit (the reader is about to start again from `position`)."""

    def close(self) -> None:
        """Release files and connections. Nothing uncommitted survives."""
