"""Dead letters, and what is parked: records that are not in Odoo and why, for people to read, mend and replay.

Replaying makes a dead letter due again; it changes nothing else. An invalid record is not replayed: mended at the source or in
its mapping it arrives again by itself. A parked record needs no replay: it goes on when what it waits for has arrived.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from config.settings import StateSettings
from loaders.named_sql import statements
from loaders.state import connect, lock_writers, prepare, translated

_LISTED_AT_MOST = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadLetter:
    """One record that is not delivered (`status` dead or parked), with the words of whoever refused it."""

    record_id: str
    entity: str
    source: str
    source_key: str
    status: str
    operation: str
    waits_for: str | None
    error_kind: str | None
    error: str | None
    attempts: int
    first_seen_at: datetime
    updated_at: datetime

    @property
    def reason(self) -> str:
        """Why it is not in Odoo, in one line."""
        return self.error or (f"waits for {self.waits_for}" if self.waits_for else "")

    def as_dict(self) -> dict[str, Any]:
        """Return the fields by name, with the reason, ready for JSON."""
        fields = asdict(self) | {"reason": self.reason}
        return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in fields.items()}


class DeadLetters:
    """The dead letters of one state database; usable as a context manager."""

    def __init__(self, settings: StateSettings) -> None:
        prepare(settings)
        self._connection = connect(settings, application_name="causeway dead letters")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def list(self, *, entity: str | None = None, source: str | None = None) -> tuple[DeadLetter, ...]:
        """Return what is dead or parked, oldest first."""
        parameters = {"entity": entity, "source": source, "limit": _LISTED_AT_MOST}
        with translated("listing dead letters"):
            rows = self._connection.execute(_sql("list"), parameters).fetchall()
            self._connection.commit()
        return tuple(_letter(row) for row in rows)

    def show(self, record_id: str) -> dict[str, Any] | None:
        """Return all that explains one record, dead or not, ready for JSON; None where there is none of this id.

        Besides the fields of DeadLetter: where it came from, its canonical record (`record`), the last attempts with what
        Odoo said, newest first, and the records that wait for it (`held_up`).
        """
        names = {"record_id": record_id}
        with translated("reading a dead letter"):
            row = self._connection.execute(_sql("show"), names).fetchone()
            tried = self._connection.execute(_sql("attempts"), names).fetchall()
            held_up = self._connection.execute(_sql("waiting_for"), names).fetchall()
            self._connection.commit()
        if row is None:
            return None
        *head, canonical_id, mapping_version, source_lsn, committed_at, origin, payload = row
        return _letter(tuple(head)).as_dict() | {
            "canonical_id": canonical_id,
            "mapping_version": mapping_version,
            "source_lsn": source_lsn,
            "committed_at": committed_at.isoformat() if committed_at else None,
            "origin": origin,
            "record": payload,
            "tried": [{"outcome": outcome, "error": error, "at": at.isoformat()} for outcome, error, at in tried],
            "held_up": [name for (name,) in held_up],
        }

    def counts(self) -> dict[str, int]:
        """Return how many records the outbox holds, by status."""
        with translated("counting records"):
            rows = self._connection.execute(_sql("counts")).fetchall()
            self._connection.commit()
        return dict(rows)

    def replay(
        self, record_ids: Sequence[str] | None = None, *, entity: str | None = None, error_kind: str | None = None
    ) -> int:
        """Make dead letters due again: these, or all of an entity or of a kind of error, or all. Return how many are."""
        ids = list(record_ids) if record_ids is not None else None
        parameters = {"record_ids": ids, "entity": entity, "error_kind": error_kind}
        with translated("replaying dead letters"):
            lock_writers(self._connection)
            replayed = self._connection.execute(_sql("replay"), parameters).rowcount
            self._connection.commit()
        return replayed

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _letter(row: tuple[Any, ...]) -> DeadLetter:
    return DeadLetter(**dict(zip(DeadLetter.__dataclass_fields__, row, strict=True)))


def _sql(name: str) -> Any:
    return statements("deadletters.sql")[name]
