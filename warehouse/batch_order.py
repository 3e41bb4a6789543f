"""Which batch may come next: progress is monotonic, nothing durable is applied again, and no piece without the others. Pure."""

from __future__ import annotations

from cdc.batch import BatchKind, ChangeBatch, Position
from config.errors import CausewayError, ErrorKind


def check_order(source: str, batch: ChangeBatch, stored: Position | None, *, is_open: bool, lost: bool) -> None:
    """Refuse a batch that does not follow what is stored: CausewayError INTERNAL.

    `is_open`: pieces wait for their last one. `lost`: pieces were forgotten, and the reader has not asked for the position since.
    """
    problem = _problem(batch, stored, is_open=is_open, lost=lost)
    if problem:
        message = f"{source}: the batch that ends at {batch.position.lsn} {problem}."
        raise CausewayError(ErrorKind.INTERNAL, message, source=source, lsn=batch.position.lsn)


def _problem(batch: ChangeBatch, stored: Position | None, *, is_open: bool, lost: bool) -> str:
    if lost:
        return "follows pieces that were rolled back; the reader must start from the stored position"
    match batch.kind:
        case BatchKind.REPAIR:  # may move the position anywhere: to another slot's, or another cluster's
            return "repairs a mirror that is not whole" if stored is None else ""
        case BatchKind.COPY:
            fits = stored is not None and batch.position.lsn == stored.lsn and not is_open
            return "" if fits else "is a copied chunk, which comes between two batches and at the stored position"
        case BatchKind.SNAPSHOT if stored is not None:
            return f"is a snapshot's, but the source is durable at {stored.lsn}; begin_snapshot comes first"
        case BatchKind.STREAM if stored is None:
            return "came before the source's snapshot was whole"
    if stored is None or batch.position.lsn > stored.lsn or (batch.position.lsn == stored.lsn and not _repeats(batch)):
        return ""
    return f"is not above the stored position {stored.lsn}"


def _repeats(batch: ChangeBatch) -> bool:
    """A batch at the stored LSN may only be an empty one; a piece may not know yet where its transaction ends."""
    return batch.complete and batch.row_count > 0
