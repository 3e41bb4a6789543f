"""Marketplaces' statements, as posted entries of Odoo's journal for them (account.move).

Contract: works by statement. What should be booked follows from all its known lines (statement); what is booked is read from the
entries that have the statement's reference; the difference is a new entry. A posted entry is never touched: a line that comes late,
changes or goes makes another one. An entry is claimed by an external id with its number, so that one whose call nobody saw end is
found, and posted, instead of made again. Sales are not reconciled with invoices: that is for payments, or for people.

Source: Odoo 18 account/models/account_move.py (action_post; write refuses the lines and date of a posted entry) and
account_move_line.py (_prepare_create_values: the balance follows from amount_currency).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from loaders.delivering import references
from loaders.delivering.bisection import each_or_refused
from loaders.delivering.claims import Due
from loaders.delivering.load import LoadRow, load
from loaders.delivering.outcomes import Binding
from loaders.delivering.work import Work
from loaders.money.statement import Statement, statement
from loaders.odoo.named import Missing, company_of, named

MODEL, ITEM = "account.move", "account.move.line"
_SMALLEST = Decimal("0.0005")

Payload = Mapping[str, Any]


class _Place(NamedTuple):
    """Where an amount is in Odoo."""

    account_id: int
    label: str
    currency_id: int


@dataclass(kw_only=True, slots=True)
class _Settlement:
    """One statement with its due lines. `entries`: those that Odoo has, with their states; `entry_id`: the last one."""

    due: Sequence[Due]
    reference: str
    day: str
    company_id: int
    journal_id: int
    stated: Statement
    wanted: Mapping[_Place, Decimal]
    booked: dict[_Place, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    entries: dict[int, str] = field(default_factory=dict)
    refused: str | None = None

    @property
    def statement_id(self) -> str:
        return self.due[0].aggregate_id

    @property
    def entry_id(self) -> int | None:
        return max((entry for entry, state in self.entries.items() if state == "posted"), default=None)

    def difference(self) -> dict[_Place, Decimal]:
        """Return what is still to be booked."""
        places = [*self.wanted, *(place for place in self.booked if place not in self.wanted)]
        found = {place: self.wanted.get(place, Decimal(0)) - self.booked[place] for place in places}
        return {place: amount for place, amount in found.items() if abs(amount) >= _SMALLEST}


def deliver_settlements(work: Work, batch: Sequence[Due]) -> None:
    """Book what these lines change. Lines of no statement yet, or of a channel that is not settled with, are only recorded."""
    by_statement: dict[str, list[Due]] = defaultdict(list)
    for due in batch:
        if due.payload.get("settlement_key") is None or work.channel(due.source).money.settlement_journal is None:
            work.outcomes.recorded(due)
        else:
            by_statement[due.aggregate_id].append(due)
    lines = references.settlement_lines(work.connection, by_statement)
    acting = []
    for statement_id, its in by_statement.items():
        found = _prepared(work, its, lines.get(statement_id, ()))
        if isinstance(found, Missing):
            for due in its:
                work.outcomes.missing(due, found.waits_for, found.why)
        else:
            acting.append(found)
    if acting:
        _read(work, acting)
        _make(work, acting)
        _post(work, acting)
        _settle(work, acting)


def _prepared(work: Work, due: Sequence[Due], lines: Sequence[Payload]) -> _Settlement | Missing:
    source, key = due[0].source, due[0].payload["settlement_key"]
    money = work.channel(source).money
    stated = statement(lines, money)
    if stated.unplaced is not None:
        return Missing(waits_for=None, why=stated.unplaced)
    company_id = company_of(work, source)
    if isinstance(company_id, Missing):
        return company_id
    journal_id = named(work, "account.journal", money.settlement_journal or "", company_id=company_id)
    wanted = _places(work, stated, company_id)
    if isinstance(journal_id, Missing):
        return journal_id
    if isinstance(wanted, Missing):
        return wanted
    posted_at = max(line["posted_at"] for line in (*lines, *(one.payload for one in due)))
    return _Settlement(
        due=due,
        reference=f"{key} ({work.prefix} {source})",
        day=datetime.fromisoformat(posted_at).astimezone(UTC).date().isoformat(),
        company_id=company_id,
        journal_id=journal_id,
        stated=stated,
        wanted=wanted,
    )


def _places(work: Work, stated: Statement, company_id: int) -> dict[_Place, Decimal] | Missing:
    """Return the statement's amounts by Odoo's accounts and currencies."""
    found: dict[_Place, Decimal] = defaultdict(Decimal)
    for posting, amount in stated.amounts.items():
        account_id = named(work, "account.account", posting.account, company_id=company_id)
        currency_id = named(work, "res.currency", posting.currency)
        if isinstance(account_id, Missing):
            return account_id
        if isinstance(currency_id, Missing):
            return currency_id
        found[_Place(account_id, posting.label, currency_id)] += amount
    return found


def _read(work: Work, acting: Sequence[_Settlement]) -> None:
    """Read which entries Odoo has of these statements, and what is booked by those that are not cancelled."""
    by_reference = {one.reference: one for one in acting}
    entries = work.client.search_read(MODEL, [["ref", "in", list(by_reference)]], ["ref", "state"])
    owners = {entry["id"]: by_reference[entry["ref"]] for entry in entries}
    for entry in entries:
        owners[entry["id"]].entries[entry["id"]] = entry["state"]
    standing = [entry["id"] for entry in entries if entry["state"] != "cancel"]
    fields = ["move_id", "account_id", "name", "amount_currency", "currency_id"]
    items = work.client.search_read(ITEM, [["move_id", "in", standing]], fields) if standing else []
    for item in items:
        place = _Place(item["account_id"][0], item["name"] or "", item["currency_id"][0])
        owners[item["move_id"][0]].booked[place] += Decimal(str(item["amount_currency"]))


def _make(work: Work, acting: Iterable[_Settlement]) -> None:
    """Make an entry of each difference, as a draft."""
    rows = [(one, row) for one in acting if one.refused is None and (row := _row(work, one)) is not None]
    loaded = load(work.client, MODEL, [row for _, row in rows], batch_records=work.batch_records)
    for one, row in rows:
        one.refused = loaded.refused.get(row.external_id)
        if one.refused is None:
            one.entries[loaded.ids[row.external_id]] = "draft"


def _row(work: Work, one: _Settlement) -> LoadRow | None:
    difference = one.difference()
    if not difference:
        return None
    external_id = work.external_id(f"{one.statement_id}#{len(one.entries) + 1}")
    parts = [
        {
            "line_ids/id": f"{external_id}_{number}",
            "line_ids/account_id/.id": str(place.account_id),
            "line_ids/name": place.label,
            "line_ids/amount_currency": f"{amount.normalize():f}",
            "line_ids/currency_id/.id": str(place.currency_id),
        }
        for number, (place, amount) in enumerate(difference.items(), 1)
    ]
    cells = {"id": external_id, "ref": one.reference, "journal_id/.id": str(one.journal_id), "date": one.day}
    return LoadRow(cells=cells, parts=parts, company_id=one.company_id)


def _post(work: Work, acting: Sequence[_Settlement]) -> None:
    """Post the drafts, and read back which are posted: another call may have done it."""
    drafts = {
        entry: one for one in acting if one.refused is None for entry, state in one.entries.items() if state == "draft"
    }
    refused = each_or_refused(lambda some: work.client.call(MODEL, "action_post", [some]), list(drafts))
    states = work.client.read_by_id(MODEL, list(drafts), ["state"])
    for entry, one in drafts.items():
        one.entries[entry] = states[entry]["state"] if entry in states else "gone"
        if one.entries[entry] != "posted":
            one.refused = refused.get(entry, f"Odoo left the entry {one.entries[entry]}.")


def _settle(work: Work, acting: Iterable[_Settlement]) -> None:
    for one in acting:
        for due in one.due:
            if one.refused is not None:
                work.outcomes.dead(due, one.refused)
                continue
            if one.entry_id is not None and not due.is_delete:
                work.outcomes.bind(
                    Binding(
                        canonical_id=due.canonical_id,
                        entity=due.entity,
                        model=MODEL,
                        external_id=None,
                        odoo_id=one.entry_id,
                    )
                )
            work.outcomes.delivered(due, model=MODEL, odoo_id=one.entry_id, words=one.stated.words)
