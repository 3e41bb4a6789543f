"""Payments: what buyers paid and were paid back, booked in Odoo and set off against the order's invoices and credit notes.

Contract: a payment's external id claims it (load), and its memo names our record and our prefix: it is looked for by that first, so
that no second one is made, whoever is killed when. Odoo's own wizard has no place for either where many are paid at once. A payment waits
until there is something to set it off against; what is over stays open on the customer's account. When the order gets another
invoice or credit note, its payments are due again (outcomes.sql), and what is open of them is set off.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from config.errors import ErrorKind
from config.policies import MoneyPolicy, PaymentMethod
from loaders.delivering import lookups
from loaders.delivering.bisection import each_or_refused
from loaders.delivering.claims import Due
from loaders.delivering.load import LoadRow, load
from loaders.delivering.outcomes import Binding
from loaders.delivering.work import Work
from loaders.money.billing import JOURNAL, order_waits
from loaders.money.books import MOVE, MOVE_LINE, Books, Document, Row, exact, read_books
from loaders.money.known import OrderMoney, day_of, orders_money
from loaders.odoo.odoo_errors import OdooError

MODEL = "account.payment"
_ACCOUNT = ("account_id.account_type", "=", "asset_receivable")
_RETRY_S = 1.0


@dataclass(kw_only=True, slots=True)
class Paying:
    """One due payment with what Odoo has of its order."""

    due: Due
    order: OrderMoney
    books: Books
    journal_id: int
    currency_id: int

    @property
    def amount(self) -> Decimal:
        return Decimal(self.due.payload["amount"])

    @property
    def comes_in(self) -> bool:
        """Money came in: also where it was paid back later."""
        return self.amount > 0

    @property
    def goes_out(self) -> bool:
        """Money went back."""
        return self.amount < 0 or self.due.payload["status"] == "refunded"


@dataclass(kw_only=True, slots=True)
class _Booking:
    """One of Odoo's payments that there should be. `words`: why there is none, or why it is not set off."""

    paying: Paying
    inbound: bool
    odoo_id: int = 0
    entry_id: int = 0
    refused: str | None = None
    unsettled: str | None = None

    @property
    def name(self) -> str:
        """What tells it from all others: our record, and which way the money went."""
        record_id = self.paying.due.record_id
        return record_id if self.inbound else f"{record_id} refund"


def deliver_payments(work: Work, batch: Sequence[Due]) -> None:
    """Book these payments and set them off; park, bury or retry what cannot be."""
    known = orders_money(work.connection, [due.aggregate_id for due in batch])
    concerned = [due for due in batch if _concerns_odoo(work, due)]
    waiting = {due.record_id for due in concerned if order_waits(work, due, known.get(due.aggregate_id))}
    ready = [due for due in concerned if due.record_id not in waiting]
    books = read_books(work, [known[due.aggregate_id].odoo_id or 0 for due in ready])
    paying = [one for due in ready if (one := _paying(work, due, known[due.aggregate_id], books)) is not None]
    received = _booked(work, [_Booking(paying=one, inbound=True) for one in paying if one.comes_in])
    _set_off(work, received, _open_invoices(paying))
    outgoing = [_Booking(paying=one, inbound=False) for one in paying if one.goes_out and not _failed(received, one)]
    open_credits = _open_credits(work, [one.paying for one in outgoing])
    _look_up(work, outgoing)
    repaid = _booked(work, [one for one in outgoing if one.odoo_id or open_credits.get(one.paying.books.order_id)])
    _set_off(work, repaid, open_credits)
    _settle(work, paying, [*received, *repaid])


def _concerns_odoo(work: Work, due: Due) -> bool:
    """Settle what is not booked by anybody, whatever becomes of its order."""
    rule = _rule(work.channel(due.source).money, due)
    if rule is None or not rule.booked:
        work.outcomes.recorded(due)
    elif due.is_delete or due.payload["status"] == "authorized":
        work.outcomes.delivered(due)
    elif due.payload["status"] == "failed":
        _settle_failed(work, due)
    else:
        return True
    return False


def _rule(policy: MoneyPolicy, due: Due) -> PaymentMethod | None:
    return policy.payment_methods.get(due.payload.get("method") or "", policy.payment_methods.get("*"))


def _settle_failed(work: Work, due: Due) -> None:
    booked = work.client.search_read(
        MODEL, [[work.client.dialect.payment_memo, "=", _memo(work, due.record_id)], _live()], []
    )
    if booked:
        work.outcomes.dead(due, "The channel says that the payment failed, but it is booked in Odoo; cancel it there.")
    else:
        work.outcomes.delivered(due)


def _live() -> list[object]:
    return ["state", "not in", ["canceled", "cancel", "rejected"]]


def _paying(work: Work, due: Due, order: OrderMoney, books: Mapping[int, Books]) -> Paying | None:
    found = books.get(order.odoo_id or 0)
    rule = _rule(work.channel(due.source).money, due)
    if found is None or rule is None:
        work.outcomes.dead(due, "The order is gone from Odoo.")
        return None
    if not found.invoices and not found.credit_notes:
        if found.state == "cancel" and due.payload["status"] == "refunded":
            work.outcomes.delivered(due)  # nothing was ever owed, and the money is back
        else:
            work.outcomes.parked(due, _documents_of(work, order), "its order has no invoice in Odoo yet")
        return None
    journal_id = work.names.find(JOURNAL, rule.journal, company_id=found.company_id)
    currency_id = work.names.find("res.currency", due.payload["currency"])
    for what, model, name, odoo_id in (
        ("journal", JOURNAL, rule.journal, journal_id),
        ("currency", "res.currency", due.payload["currency"], currency_id),
    ):
        if odoo_id is None:
            work.outcomes.parked(due, lookups.in_odoo(model, name), f"Odoo has no {what} {name}")
            return None
    return Paying(due=due, order=order, books=found, journal_id=journal_id or 0, currency_id=currency_id or 0)


def _documents_of(work: Work, order: OrderMoney) -> str:
    """Return what waits for an order's next invoice or credit note: ours, or one that people make in Odoo."""
    if work.channel(order.source).money.invoicing == "never":
        return lookups.in_odoo(MOVE, order.number)
    return lookups.order_billed(order.record_id)


def _booked(work: Work, bookings: Sequence[_Booking]) -> list[_Booking]:
    """Find the payments that Odoo has, make the others, post what is not posted; each says what came of it."""
    _look_up(work, bookings)
    missing = [one for one in bookings if not one.odoo_id]
    loaded = load(work.client, MODEL, [_row(work, one) for one in missing], batch_records=work.batch_records)
    for one in missing:
        name = work.external_id(one.name)
        one.odoo_id, one.refused = loaded.ids.get(name, 0), loaded.refused.get(name)
    drafts = {one.odoo_id: one for one in bookings if one.odoo_id and not one.entry_id}
    words = each_or_refused(lambda some: work.client.call(MODEL, "action_post", [some]), list(drafts))
    for odoo_id, said in words.items():
        drafts[odoo_id].refused = said
    _look_up(work, list(drafts.values()))
    for one in drafts.values():
        if not one.entry_id and one.refused is None:
            one.refused = (
                "Odoo booked no entry for the payment: its journal's payment method has no outstanding account."
            )
    return list(bookings)


def _look_up(work: Work, bookings: Sequence[_Booking]) -> None:
    memo = work.client.dialect.payment_memo
    by_memo = {_memo(work, one.name): one for one in bookings}
    if by_memo:
        for row in work.client.search_read(MODEL, [[memo, "in", list(by_memo)], _live()], [memo, "state", "move_id"]):
            booking = by_memo[row[memo]]
            booking.odoo_id = row["id"]
            booking.entry_id = row["move_id"][0] if row["move_id"] and row["state"] != "draft" else 0


def _memo(work: Work, name: str) -> str:
    """What a payment is found by: our record, and whose record that is, should two bridges write to one Odoo."""
    return f"{name} ({work.prefix})"


def _row(work: Work, one: _Booking) -> LoadRow:
    payload = one.paying.due.payload
    when = payload.get("captured_at")
    document = (one.paying.books.invoices or one.paying.books.credit_notes)[0]
    return LoadRow(
        cells={
            "id": work.external_id(one.name),
            "payment_type": "inbound" if one.inbound else "outbound",
            "partner_type": "customer",
            "partner_id/.id": str(document.partner_id),
            "amount": str(abs(one.paying.amount)),
            "date": (day_of(when) if when else datetime.now(UTC).date()).isoformat(),
            "journal_id/.id": str(one.paying.journal_id),
            "currency_id/.id": str(one.paying.currency_id),
            work.client.dialect.payment_memo: _memo(work, one.name),
            "payment_reference": payload.get("reference") or "",
        }
    )


def _failed(bookings: Sequence[_Booking], paying: Paying) -> bool:
    return any(one.paying is paying and one.refused is not None for one in bookings)


def _open_invoices(paying: Iterable[Paying]) -> dict[int, list[tuple[int, Decimal]]]:
    return {one.books.order_id: _open(one.books.invoices) for one in paying}


def _open(documents: Sequence[Document]) -> list[tuple[int, Decimal]]:
    return [(document.id, document.residual) for document in documents if document.residual > 0]


def _open_credits(work: Work, paying: Sequence[Paying]) -> dict[int, list[tuple[int, Decimal]]]:
    """Return, by order, what money may go back on: its open credit notes, then what was paid too much for it."""
    found = {order_id: _open(books.credit_notes) for order_id, books in _books_again(work, paying).items()}
    of = {_memo(work, record_id): one.books.order_id for one in paying for record_id in one.order.payments}
    memo = work.client.dialect.payment_memo
    rows = work.client.search_read(MODEL, [[memo, "in", list(of)], _live()], [memo, "move_id"]) if of else []
    entries = {row["move_id"][0]: of[row[memo]] for row in rows if row["move_id"]}
    for line in _open_lines(work, entries):
        if line["amount_residual"] < 0:
            entry = line["move_id"][0]
            found[entries[entry]].append((entry, -exact(line["amount_residual"])))
    return found


def _books_again(work: Work, paying: Sequence[Paying]) -> dict[int, Books]:
    return read_books(work, {one.books.order_id for one in paying}) if paying else {}


def _open_lines(work: Work, entries: Iterable[int]) -> list[Row]:
    wanted = list(entries)
    domain = [["move_id", "in", wanted], list(_ACCOUNT), ["reconciled", "=", False]]
    return work.client.search_read(MOVE_LINE, domain, ["move_id", "amount_residual"]) if wanted else []


def _set_off(work: Work, bookings: Sequence[_Booking], open_documents: Mapping[int, list[tuple[int, Decimal]]]) -> None:
    """Set what is open of these payments off against their orders' open documents, oldest first."""
    by_entry = {one.entry_id: one for one in bookings if one.entry_id and one.refused is None}
    left = {order_id: list(documents) for order_id, documents in open_documents.items()}
    for line in _open_lines(work, by_entry):
        booking = by_entry[line["move_id"][0]]
        rest = abs(exact(line["amount_residual"]))
        documents = left.get(booking.paying.books.order_id, [])
        while rest > 0 and documents:
            document, residual = documents.pop(0)
            if not _assigned(work, booking, document, line["id"]):
                break
            part = min(rest, residual)
            rest -= part
            if residual > part:
                documents.insert(0, (document, residual - part))


def _assigned(work: Work, booking: _Booking, document: int, line_id: int) -> bool:
    """Set one line off; a refusal is another's doing, who has settled one of the two meanwhile."""
    try:
        work.client.call(MOVE, "js_assign_outstanding_line", [[document], line_id])
    except OdooError as error:
        if error.kind is not ErrorKind.REFUSED:
            raise
        booking.unsettled = error.message
        return False
    return True


def _settle(work: Work, paying: Sequence[Paying], bookings: Sequence[_Booking]) -> None:
    of: dict[str, list[_Booking]] = defaultdict(list)
    for booking in bookings:
        of[booking.paying.due.record_id].append(booking)
        if booking.odoo_id:
            work.outcomes.bind(_binding(work, booking))
    for one in paying:
        its = of[one.due.record_id]
        refused = next((booking.refused for booking in its if booking.refused is not None), None)
        unsettled = next((booking.unsettled for booking in its if booking.unsettled is not None), None)
        if refused is not None:
            work.outcomes.dead(one.due, refused)
        elif unsettled is not None:
            work.outcomes.retried(one.due, unsettled, kind=ErrorKind.TRANSIENT, wait_s=_RETRY_S)
        elif one.goes_out and all(booking.inbound for booking in its):
            work.outcomes.parked(
                one.due, _documents_of(work, one.order), "its order has no open credit note in Odoo yet"
            )
        else:
            memo = {work.client.dialect.payment_memo: _memo(work, its[0].name)}
            shows = memo if its[0].odoo_id else None
            work.outcomes.delivered(one.due, model=MODEL, odoo_id=its[0].odoo_id, shows=shows)


def _binding(work: Work, booking: _Booking) -> Binding:
    return Binding(
        canonical_id=booking.name,
        entity="payment",
        model=MODEL,
        external_id=work.external_id(booking.name),
        odoo_id=booking.odoo_id,
    )
