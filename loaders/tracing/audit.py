"""The audit: who or what wrote which field of which record of Odoo, from which source row, under which mapping and policies.

Contract: entries are only ever added, in the transaction that writes the outcomes they belong to, under `lock_writers`: that lock makes
one chain of all deliverers' and all persons' entries. Each entry carries the hash of the one before, and its own over all that it says;
a changed, removed or inserted entry breaks the chain at that place. What was cut off at the end shows only against a hash that was
noted elsewhere (`verify`, anchor).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg

from loaders.delivering.claims import Due
from loaders.money.journal import Write
from loaders.named_sql import statements
from loaders.state import translated

Connection = psycopg.Connection[tuple[Any, ...]]

GENESIS = "0" * 32
_WALKED_AT_ONCE = 5_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One thing that was done. `fields`: JSON object of the values written. `batch`: the first entry's number of those written together.

    `entry`, `previous` and `hash` are given when it is added.
    """

    entry: int = 0
    at: datetime
    actor: str
    action: str
    record_id: str | None = None
    source: str | None = None
    source_lsn: str | None = None
    mapping_version: int | None = None
    policy_version: str | None = None
    model: str | None = None
    odoo_id: int | None = None
    fields: str | None = None
    note: str | None = None
    batch: int = 0
    previous: str = GENESIS
    hash: str = ""

    def said(self) -> dict[str, Any]:
        """Return all that it says but its own hash, ready for JSON; `fields` as text."""
        said = {name: getattr(self, name) for name in _SAID}
        said["at"] = self.at.astimezone(UTC).isoformat()
        return said

    def as_dict(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return self.said() | {"hash": self.hash, "fields": None if self.fields is None else json.loads(self.fields)}


_SAID = tuple(name for name in Entry.__dataclass_fields__ if name != "hash")


def digest(said: Mapping[str, Any]) -> str:
    """Return the hash over all that an entry says, the hash of the one before it included."""
    return hashlib.blake2b(json.dumps([said[name] for name in _SAID]).encode(), digest_size=16).hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """How far the chain holds: the entries walked, the last one's hash, and where and why it breaks."""

    entries: int
    last_entry: int
    last_hash: str
    broken_at: int | None = None
    problem: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Signature:
    """Who writes to Odoo, and under which policies."""

    actor: str
    policy_version: str

    def entries(
        self,
        writes: Sequence[Write],
        batch: Sequence[Due],
        places: Mapping[tuple[str, int], str],
        parts: Mapping[str, tuple[str, int]],
    ) -> list[Entry]:
        """Return a batch's writes as entries. `places`: (model, id) in Odoo -> the record that it was written for.

        `parts`: external id -> (model, id) of what was loaded as a part of another; a part that is not among them is said to be
        the other's.
        What no record can be named for is the batch's, and the one record's where the batch has only one.
        """
        known = {due.record_id: due for due in batch}
        only = next(iter(known.values())) if len(known) == 1 else None
        at = datetime.now(UTC)
        made = []
        for one in writes:
            model, odoo_id = parts.get(one.part or "", (one.model, one.odoo_id))
            name = places.get((model, odoo_id)) if odoo_id is not None else None
            due = known.get(name or "") or (only if name is None else None)
            made.append(
                Entry(
                    at=at,
                    actor=self.actor,
                    action=one.method,
                    record_id=due.record_id if due else name,
                    source=due.source if due else None,
                    source_lsn=due.source_lsn if due else None,
                    mapping_version=due.mapping_version if due else None,
                    policy_version=self.policy_version,
                    model=model,
                    odoo_id=odoo_id,
                    fields=json.dumps(one.fields, ensure_ascii=False, default=str) if one.fields else None,
                    note=None if one.is_certain else "Odoo's answer was lost: it may not have been carried out",
                )
            )
        return made


def about(record_ids: Iterable[str], *, actor: str, action: str, note: str | None = None) -> list[Entry]:
    """Return the entries of what somebody has decided about records, or of what has happened to them, beside writing to Odoo."""
    at = datetime.now(UTC)
    return [Entry(at=at, actor=actor, action=action, record_id=name, note=note) for name in record_ids]


def append(connection: Connection, entries: Sequence[Entry]) -> None:
    """Add entries to the chain, in the connection's transaction, which must hold `lock_writers`."""
    if not entries:
        return
    last = connection.execute(_sql("last")).fetchone()
    number, previous = last or (0, GENESIS)
    batch = number + 1
    rows = []
    for number, one in enumerate(entries, batch):
        said = one.said() | {"entry": number, "batch": batch, "previous": previous}
        previous = digest(said)
        rows.append(said | {"hash": previous})
    connection.execute(_sql("append"), [json.dumps(rows)])


def verify(connection: Connection, anchor: tuple[int, str] | None = None) -> Verdict:
    """Walk the chain to its first broken entry. `anchor`: an entry and the hash that it had when somebody noted it."""
    number, previous, entries = 0, GENESIS, 0
    with translated("verifying the audit"), connection.cursor("audit") as cursor:
        cursor.itersize = _WALKED_AT_ONCE
        cursor.execute(_sql("walk"))
        for row in cursor:
            one = _entry(row)
            problem = _problem(one, number, previous, anchor)
            if problem:
                return Verdict(
                    entries=entries, last_entry=number, last_hash=previous, broken_at=one.entry, problem=problem
                )
            number, previous, entries = one.entry, one.hash, entries + 1
    if anchor is not None and anchor[0] > number:
        return Verdict(
            entries=entries,
            last_entry=number,
            last_hash=previous,
            broken_at=number + 1,
            problem=f"it is gone, and all after it: there was an entry {anchor[0]}",
        )
    return Verdict(entries=entries, last_entry=number, last_hash=previous)


def of_record(connection: Connection, record_id: str) -> list[Entry]:
    """Return what was written for a record, or decided about it, in order."""
    with translated("reading the audit"):
        return [_entry(row) for row in connection.execute(_sql("of_record"), [record_id])]


def of_odoo(connection: Connection, model: str, odoo_id: int) -> list[Entry]:
    """Return what was written to a record of Odoo, in order."""
    with translated("reading the audit"):
        return [_entry(row) for row in connection.execute(_sql("of_odoo"), [model, odoo_id])]


def _problem(one: Entry, number: int, previous: str, anchor: tuple[int, str] | None) -> str:
    if one.entry != number + 1:
        return f"entry {number + 1} is missing before it"
    if one.previous != previous:
        return "it does not carry the hash of the entry before it"
    if digest(one.said()) != one.hash:
        return "it does not say what it said when it was written"
    if anchor is not None and anchor[0] == one.entry and anchor[1] != one.hash:
        return f"its hash was {anchor[1]} when it was noted: the chain was written anew"
    return ""


def _entry(row: tuple[Any, ...]) -> Entry:
    return Entry(**dict(zip(Entry.__dataclass_fields__, row, strict=True)))


def _sql(name: str) -> Any:
    return statements("tracing/audit.sql")[name]
