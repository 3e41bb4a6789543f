"""Dead letters, and what is parked: records that are not in Odoo and why, for people to read, mend, replay and close.

Replaying makes a dead letter due again, and a closed one, too. The row of an invalid record is read again at its source instead
(rows_to_read): its payload is not a record. A parked record needs no replay: it goes on when what it waits for has arrived.

Closing takes a record, with its parts, out of the way. A resolved one was done in Odoo by hand: it is sent again when its source
changes it. A waived one is not wanted: nothing of it is sent, whatever the source does, until it is replayed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from getpass import getuser
from types import TracebackType
from typing import Any, Self

from config.settings import StateSettings
from loaders.arriving.rows_to_read import note_invalid
from loaders.named_sql import statements
from loaders.state import connect, lock_writers, prepare, translated
from loaders.tracing.audit import about, append
from loaders.tracing.causes import Cause, Failure, by_cause, cause_id, suggestion

_LISTED_AT_MOST = 10_000
_OPEN = ("dead", "parked")


class Closed(StrEnum):
    """The ways in which people close a record."""

    RESOLVED = "resolved"
    WAIVED = "waived"


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadLetter:
    """One record that is not delivered (`status` dead, parked, resolved or waived), with the words of whoever refused it."""

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
    closed_by: str | None
    closed_why: str | None
    closed_at: datetime | None

    @property
    def reason(self) -> str:
        """Why it is not in Odoo, in one line."""
        closed = f"{self.status} by {self.closed_by}: {self.closed_why}" if self.closed_by else ""
        return closed or self.error or (f"waits for {self.waits_for}" if self.waits_for else "")

    def as_dict(self) -> dict[str, Any]:
        """Return the fields by name, with the reason, ready for JSON."""
        fields = asdict(self) | {"reason": self.reason}
        return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in fields.items()}


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """Which dead letters: all that is given must hold. Times are of the failure, `until` exclusive; LSNs are the source rows'.

    Records that are named may be closed ones.
    """

    record_ids: Sequence[str] | None = None
    cause: str | None = None
    entity: str | None = None
    error_kind: str | None = None
    source: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    from_lsn: str | None = None
    to_lsn: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Replayed:
    """Records that are sent again, and those whose rows are read again."""

    sent: int = 0
    read: int = 0


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

    def list(
        self, *, entity: str | None = None, source: str | None = None, statuses: Sequence[str] = _OPEN
    ) -> tuple[DeadLetter, ...]:
        """Return what is in one of these statuses, oldest first."""
        parameters = {"entity": entity, "source": source, "limit": _LISTED_AT_MOST, "statuses": [*map(str, statuses)]}
        with translated("listing dead letters"):
            rows = self._connection.execute(_sql("list"), parameters).fetchall()
            self._connection.commit()
        return tuple(_letter(row) for row in rows)

    def causes(self, *, entity: str | None = None, source: str | None = None) -> Sequence[Cause]:
        """Return what is dead or parked by its cause, the most frequent first."""
        with translated("grouping dead letters"):
            rows = self._connection.execute(_sql("failures"), {"entity": entity, "source": source}).fetchall()
            self._connection.commit()
        return by_cause(_failure(row) for row in rows)

    def show(self, record_id: str) -> dict[str, Any] | None:
        """Return all that explains one record, dead or not, ready for JSON; None where there is none of this id.

        Besides the fields of DeadLetter: its source row, its mapping, its canonical record (`record`), its cause with a
        suggestion, the last attempts with what Odoo said, newest first, and the records that wait for it (`held_up`).
        """
        names = {"record_id": record_id}
        with translated("reading a dead letter"):
            row = self._connection.execute(_sql("show"), names).fetchone()
            tried = self._connection.execute(_sql("attempts"), names).fetchall()
            held_up = self._connection.execute(_sql("waiting_for"), names).fetchall()
            self._connection.commit()
        if row is None:
            return None
        letter = _letter(row[: len(DeadLetter.__dataclass_fields__)])
        canonical_id, mapping, version, table, key, lsn, committed_at, origin, payload = row[-9:]
        return letter.as_dict() | {
            "cause": cause_id(letter.entity, letter.error_kind, letter.error or letter.reason)
            if letter.error
            else None,
            "suggestion": suggestion(letter.error_kind, letter.error) if letter.error else None,
            "canonical_id": canonical_id,
            "source_row": {
                "source": letter.source,
                "table": table,
                "key": key,
                "lsn": lsn,
                "committed_at": committed_at.isoformat() if committed_at else None,
                "origin": origin,
            },
            "mapping": mapping,
            "mapping_version": version,
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

    def replay(self, selection: Selection, *, by: str | None = None) -> Replayed:
        """Make these due again, closed ones with their parts; let the rows of invalid ones be read again. Return how many are.

        by: who says so, for the audit; the system's user where not given.
        """
        with translated("replaying dead letters"):
            lock_writers(self._connection)
            rows = self._connection.execute(_sql("selected"), _parameters(selection)).fetchall()
            wanted = [one.record_id for one in map(_failure, rows) if selection.cause in (None, _cause_of(one))]
            if selection.record_ids is not None:
                wanted += [name for (name,) in self._connection.execute(_sql("reopened_parts"), [wanted])]
            replayed = self._connection.execute(_sql("replay"), [wanted]).fetchall()
            to_read = [record_id for record_id, status, has_row in replayed if status == "dead" and has_row]
            note_invalid(self._connection, to_read)
            sent = [record_id for record_id, status, _ in replayed if status == "pending"]
            append(self._connection, about((*sent, *to_read), actor=by or getuser(), action="replayed"))
            self._connection.commit()
        return Replayed(sent=len(sent), read=len(to_read))

    def close_records(self, record_ids: Sequence[str], how: Closed, *, by: str, why: str) -> tuple[str, ...]:
        """Close these records and their parts, as far as they are dead or parked; return their ids."""
        parameters = {"record_ids": [*record_ids], "status": how.value, "by": by, "why": why}
        with translated("closing records"):
            lock_writers(self._connection)
            closed = [name for (name,) in self._connection.execute(_sql("close"), parameters)]
            self._connection.execute(_sql("release"), [closed])
            append(self._connection, about(closed, actor=by, action=how.value, note=why))
            self._connection.commit()
        return tuple(closed)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _letter(row: tuple[Any, ...]) -> DeadLetter:
    return DeadLetter(**dict(zip(DeadLetter.__dataclass_fields__, row, strict=True)))


def _failure(row: tuple[Any, ...]) -> Failure:
    return Failure(**dict(zip(Failure.__dataclass_fields__, row, strict=True)))


def _cause_of(failure: Failure) -> str:
    return cause_id(failure.entity, failure.kind, failure.words)


def _parameters(selection: Selection) -> dict[str, Any]:
    given = {name: value for name, value in asdict(selection).items() if name != "cause"}
    return given | {"record_ids": None if selection.record_ids is None else [*selection.record_ids]}


def _sql(name: str) -> Any:
    return statements("tracing/deadletters.sql")[name]
