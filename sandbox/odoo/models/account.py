"""Invoices, minimally: a customer or vendor document with product lines, its counterpart, and posting.

Posting books: one line a product (with its taxes in one tax line) against the receivable or payable account, balanced,
in the company's currency, which is never converted. A credit note is set off against its invoice when it is posted.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sandbox.odoo.errors import UserError
from sandbox.odoo.flows import order_figures, reconciliation
from sandbox.odoo.orm import writing
from sandbox.odoo.orm.environment import Env
from sandbox.odoo.orm.fields import Field
from sandbox.odoo.orm.model import Changes, Model, Values, api_records
from sandbox.odoo.orm.public import PublicModel

RECEIVABLE, PAYABLE, TAX, INCOME, EXPENSE = 7, 16, 17, 27, 33
_JOURNALS = {"out_invoice": 1, "out_refund": 1, "in_invoice": 2, "in_refund": 2, "entry": 3}

_LINES = """
UPDATE account_move_line l SET price_subtotal = f.subtotal, price_total = f.subtotal + f.tax,
    balance = f.sign * f.subtotal, amount_currency = f.sign * f.subtotal,
    debit = greatest(f.sign * f.subtotal, 0), credit = greatest(-f.sign * f.subtotal, 0)
FROM (
    SELECT x.id, x.sign, x.subtotal, x.amount - x.subtotal + coalesce((SELECT sum(round(x.subtotal * t.amount / 100, 2))
        FROM account_move_line_account_tax_rel r JOIN account_tax t ON t.id = r.account_tax_id
        WHERE r.account_move_line_id = x.id AND t.price_include_override IS DISTINCT FROM 'tax_included'), 0) AS tax
    FROM (
        SELECT w.*, w.amount - round(w.amount * coalesce(w.included, 0) / (100 + coalesce(w.included, 0)), 2) AS subtotal
        FROM (
            SELECT l.id, round(l.quantity * l.price_unit * (1 - coalesce(l.discount, 0) / 100), 2) AS amount,
                CASE WHEN m.move_type IN ('out_invoice', 'in_refund') THEN -1 ELSE 1 END AS sign,
                (SELECT sum(t.amount) FROM account_move_line_account_tax_rel r JOIN account_tax t ON t.id = r.account_tax_id
                 WHERE r.account_move_line_id = l.id AND t.price_include_override = 'tax_included') AS included
            FROM account_move_line l JOIN account_move m ON m.id = l.move_id
            WHERE m.id = ANY(%s::int[]) AND l.display_type = 'product' AND m.move_type <> 'entry'
        ) w
    ) x
) f
WHERE l.id = f.id
"""

_MOVES = """
UPDATE account_move m SET amount_untaxed = f.untaxed, amount_tax = f.tax, amount_total = f.untaxed + f.tax,
    amount_residual = f.untaxed + f.tax, amount_untaxed_signed = f.sign * f.untaxed, amount_tax_signed = f.sign * f.tax,
    amount_total_signed = f.sign * (f.untaxed + f.tax), amount_residual_signed = f.sign * (f.untaxed + f.tax),
    amount_untaxed_in_currency_signed = f.sign * f.untaxed,
    amount_total_in_currency_signed = f.sign * (f.untaxed + f.tax),
    invoice_partner_display_name = (SELECT p.complete_name FROM res_partner p WHERE p.id = m.partner_id)
FROM (
    SELECT m.id, coalesce(sum(l.price_subtotal), 0) AS untaxed,
        coalesce(sum(l.price_total - l.price_subtotal), 0) AS tax,
        CASE WHEN m.move_type IN ('out_invoice', 'in_refund') THEN 1 ELSE -1 END AS sign
    FROM account_move m LEFT JOIN account_move_line l ON l.move_id = m.id AND l.display_type = 'product'
    WHERE m.id = ANY(%s::int[]) AND m.move_type <> 'entry' GROUP BY m.id
) f
WHERE m.id = f.id
"""


_ENTRIES = """
UPDATE account_move m SET amount_untaxed = 0, amount_tax = 0, amount_total = f.total, amount_residual = 0, amount_untaxed_signed = 0,
    amount_tax_signed = 0, amount_total_signed = f.total, amount_residual_signed = 0, amount_untaxed_in_currency_signed = 0,
    amount_total_in_currency_signed = f.total
FROM (SELECT move_id, sum(debit) AS total FROM account_move_line WHERE move_id = ANY(%s::int[]) GROUP BY 1) f
WHERE m.id = f.move_id AND m.move_type = 'entry'
"""
_UNBALANCED = """
SELECT 'Draft Entry (* ' || m.id || ')', sum(l.debit), sum(l.credit), min(j.name->>'en_US')
FROM account_move m JOIN account_move_line l ON l.move_id = m.id JOIN account_journal j ON j.id = m.journal_id
WHERE m.id = ANY(%s::int[]) AND m.move_type = 'entry' GROUP BY m.id HAVING sum(l.balance) <> 0
"""
# What Odoo does not let be written to a posted entry (account_move.py, write).
_FIXED = frozenset(
    {
        "invoice_line_ids",
        "line_ids",
        "invoice_date",
        "date",
        "partner_id",
        "invoice_payment_term_id",
        "currency_id",
        "fiscal_position_id",
        "invoice_cash_rounding_id",
    }
)


_SOLD = """
SELECT DISTINCT r.order_line_id FROM account_move_line l JOIN sale_order_line_invoice_rel r ON r.invoice_line_id = l.id
WHERE l.move_id = ANY(%s::int[])
"""
_OWED = "SELECT id FROM account_move_line WHERE move_id = %s AND display_type = 'payment_term'"
_OWED_OF_REVERSED = """
SELECT l.id FROM account_move m JOIN account_move_line l ON l.move_id = m.reversed_entry_id
WHERE m.id = %s AND l.display_type = 'payment_term' AND NOT coalesce(l.reconciled, false)
"""
_NEGATIVE = (
    "You cannot validate an invoice with a negative total amount. You should create a credit note instead. Use the action menu"
    " to transform it into a credit note or refund."
)


class Tax(PublicModel):
    name = "account.tax"
    label = "Tax"
    order = "sequence, id"
    shown_as = "({t}.name->>'en_US')"
    defaults = {
        "active": True,
        "amount_type": "percent",
        "type_tax_use": "sale",
        "company_id": 1,
        "sequence": 1,
        "country_id": 1,
        "amount": 0,
    }
    computed = (
        Field(
            model="account.tax", name="price_include", kind="boolean", label="Included in Price",
            expression="coalesce({t}.price_include_override, 'tax_excluded') = 'tax_included'",
        ),
    )  # fmt: skip

    def created(self, env: Env, ids: list[int], rows: list[Values]) -> None:
        """Only percentages are computed; anything else would be booked wrongly without a word."""
        if any(row["amount_type"] != "percent" for row in rows):
            raise UserError("The stand-in knows only taxes that are a percentage of the price.")


class Account(PublicModel):
    name = "account.account"
    label = "Account"
    shown_as = "({t}.code_store->>'1') || ' ' || ({t}.name->>'en_US')"
    computed = (
        Field(
            model="account.account", name="code", kind="char", label="Code", expression="{t}.code_store->>'1'"
        ),
        Field(
            model="account.account", name="company_ids", kind="many2many", label="Companies", comodel="res.company",
            expression="ARRAY[1]",
        ),
    )  # fmt: skip


class Journal(PublicModel):
    name = "account.journal"
    label = "Journal"
    shown_as = "({t}.name->>'en_US')"


class Invoice(PublicModel):
    name = "account.move"
    label = "Journal Entry"
    order = "date desc, name desc, invoice_date desc, id desc"
    shown_as = "coalesce({t}.name, 'Draft Invoice (* ' || {t}.id || ')')"
    defaults = {
        "move_type": "entry",
        "state": "draft",
        "company_id": 1,
        "auto_post": "no",
        "payment_state": "not_paid",
        "posted_before": False,
        "checked": False,
        "invoice_currency_rate": 1.0,
    }

    def default_values(self, env: Env) -> Values:
        return {**self.defaults, "date": env.now.date(), "invoice_user_id": env.uid}

    def complete(self, env: Env, rows: list[Values]) -> None:
        currency = env.count("SELECT currency_id FROM res_company WHERE id = 1")
        for row in rows:
            row["journal_id"] = row.get("journal_id") or _JOURNALS.get(row["move_type"], 3)
            row["currency_id"] = row.get("currency_id") or currency
            for name in ("commercial_partner_id", "partner_shipping_id"):
                row.setdefault(name, row.get("partner_id"))

    def created(self, env: Env, ids: list[int], rows: list[Values]) -> None:
        self.refresh(env, ids)

    def _balanced(self, env: Env, ids: list[int]) -> None:
        """Entries are as their lines say; invoices get their counterpart when they are posted."""
        rows = env.rows(_UNBALANCED, [ids])
        for shown, debit, credit, journal in rows:
            raise UserError(
                f"An error has occurred.\n\nThe move ({shown}) is not balanced.\nThe total of debits equals {debit} and the total"
                f' of credits equals {credit}.\nYou might want to specify a default account on journal "{journal}" to'
                " automatically balance each move."
            )

    def before_write(self, env: Env, changes: Changes) -> None:
        posted = env.ids("SELECT id FROM account_move WHERE id = ANY(%s::int[]) AND state = 'posted'", [list(changes)])
        for one in posted:
            touched = [name for name in changes[one] if name in _FIXED]
            if touched:
                fields = ", ".join(touched)
                raise UserError(f"You cannot modify the following readonly fields on a posted move: {fields}")

    def after_write(self, env: Env, changes: Changes) -> None:
        self.refresh(env, list(changes))

    def before_unlink(self, env: Env, ids: list[int]) -> None:
        if env.count("SELECT count(*) FROM account_move WHERE id = ANY(%s::int[]) AND posted_before", [ids]):
            raise UserError("You can't delete a posted journal item. Don’t play games with your accounting records.")

    def parents(self, env: Env, ids: list[int]) -> list[int]:
        return env.ids(_SOLD, [ids])

    def after_unlink(self, env: Env, parents: list[int]) -> None:
        order_figures.refresh_invoiced(env, parents)

    def refresh(self, env: Env, ids: list[int]) -> None:
        """Amounts of drafts, from their lines; and what that is for the orders that they are of."""
        drafts = env.ids("SELECT id FROM account_move WHERE id = ANY(%s::int[]) AND state = 'draft'", [ids])
        env.rows(_LINES, [drafts])
        env.rows(_MOVES, [drafts])
        env.rows(_ENTRIES, [drafts])
        self._balanced(env, drafts)
        order_figures.refresh_invoiced(env, env.ids(_SOLD, [drafts]))

    @api_records
    def action_post(self, env: Env, ids: list[int]) -> bool:
        """Number and book drafts."""
        self.require(env, ids)
        for one in sorted(ids):
            self._post(env, one)
        return False

    def _post(self, env: Env, one: int) -> None:
        state, move_type, partner, day, untaxed, tax = env.rows(
            "SELECT state, move_type, partner_id, CASE move_type WHEN 'entry' THEN date ELSE coalesce(invoice_date, %s) END,"
            " coalesce(amount_untaxed, 0), coalesce(amount_tax, 0) FROM account_move WHERE id = %s",
            [env.now.date(), one],
        )[0]
        if state != "draft":
            raise UserError("The entry must be in draft.")
        if not env.count("SELECT count(*) FROM account_move_line WHERE move_id = %s", [one]):
            raise UserError("You need to add a line before posting.")
        if move_type != "entry" and not partner:
            raise UserError("The field 'Customer' is required, please complete it to validate the Customer Invoice.")
        if move_type != "entry" and untaxed + tax < 0:
            raise UserError(_NEGATIVE)
        if move_type != "entry":
            self._book_counterpart(env, one, move_type, untaxed, tax)
        self._number(env, one, day)
        self._settle(env, one)

    def _settle(self, env: Env, one: int) -> None:
        """What is posted counts as invoiced; a credit note is set off against what is open of its invoice."""
        order_figures.refresh_invoiced(env, env.ids(_SOLD, [[one]]))
        lines = env.ids(_OWED, [one])
        reversed_lines = env.ids(_OWED_OF_REVERSED, [one])
        reconciliation.reconcile(env, [*lines, *reversed_lines] if reversed_lines else lines)

    @api_records
    def js_assign_outstanding_line(self, env: Env, ids: list[int], line_id: int) -> None:
        """Set an open line of another document off against what is open of this one on the same account."""
        own = env.ids(
            "SELECT l.id FROM account_move_line l JOIN account_move_line o ON o.account_id = l.account_id"
            " WHERE l.move_id = ANY(%s::int[]) AND o.id = %s AND NOT coalesce(l.reconciled, false)",
            [ids, line_id],
        )
        reconciliation.reconcile(env, [line_id, *own])

    def _book_counterpart(self, env: Env, one: int, move_type: str, untaxed: Decimal, tax: Decimal) -> None:
        sign = 1 if move_type in ("out_invoice", "in_refund") else -1
        owed = RECEIVABLE if move_type.startswith("out") else PAYABLE
        booked = [(owed, "payment_term", sign * (untaxed + tax)), (TAX, "tax", -sign * tax)]
        rows = [
            {
                "move_id": one,
                "account_id": account,
                "display_type": kind,
                "balance": amount,
                "amount_residual": amount if kind == "payment_term" else 0,
            }
            for account, kind, amount in booked
            if amount or kind == "payment_term"
        ]
        writing.create(env.model("account.move.line"), env, rows)

    def _number(self, env: Env, one: int, day: Any) -> None:
        env.rows(
            "UPDATE account_move m SET state = 'posted', posted_before = true, invoice_date = CASE WHEN move_type ="
            " 'entry' THEN invoice_date ELSE %(day)s END, date = %(day)s, invoice_date_due = coalesce(invoice_date_due,"
            " CASE WHEN move_type <> 'entry' THEN %(day)s::date END), payment_reference = coalesce(payment_reference,"
            " n.name), name = n.name, sequence_number = n.number, sequence_prefix = n.prefix, write_date = %(now)s"
            " FROM (SELECT p.prefix, p.number, p.prefix || lpad(p.number::text, 5, '0') AS name FROM ("
            "   SELECT q.prefix, (SELECT coalesce(max(o.sequence_number), 0) + 1 FROM account_move o"
            "       WHERE o.journal_id = q.journal AND o.sequence_prefix = q.prefix) AS number"
            "   FROM (SELECT j.id AS journal, CASE WHEN i.move_type IN ('out_refund', 'in_refund') AND j.refund_sequence"
            "         THEN 'R' WHEN i.origin_payment_id IS NOT NULL AND j.payment_sequence THEN 'P' ELSE '' END"
            "         || j.code || '/' || extract(year FROM %(day)s::date) || '/' AS prefix"
            "       FROM account_journal j JOIN account_move i ON i.journal_id = j.id WHERE i.id = %(id)s) q) p) n"
            " WHERE m.id = %(id)s",
            {"id": one, "day": day, "now": env.now},
        )
        env.rows(
            "UPDATE account_move_line l SET parent_state = m.state, move_name = m.name, date = m.date,"
            " invoice_date = m.invoice_date FROM account_move m WHERE m.id = l.move_id AND m.id = %s",
            [one],
        )


class InvoiceLine(PublicModel):
    name = "account.move.line"
    label = "Journal Item"
    order = "date desc, move_name desc, id"
    shown_as = "coalesce({t}.move_name, '') || coalesce(' ' || {t}.name, '')"
    defaults = {"display_type": "product", "quantity": 1.0, "price_unit": 0, "discount": 0, "sequence": 100,
                "balance": 0, "debit": 0, "credit": 0, "amount_currency": 0, "amount_residual": 0, "reconciled": False}  # fmt: skip

    def complete(self, env: Env, rows: list[Values]) -> None:
        found = env.rows(
            "SELECT id, move_type, company_id, currency_id, partner_id, journal_id, date FROM account_move"
            " WHERE id = ANY(%s::int[])",
            [[row["move_id"] for row in rows if row.get("move_id")]],
        )
        moves = {row[0]: row for row in found}
        for row in rows:
            self._balance(row)
            self._from_move(row, moves.get(row.get("move_id")))

    def _balance(self, row: Values) -> None:
        """No rate is known for any currency, so that an amount in one is the same in another, as in an Odoo without rates."""
        balance = Decimal(str(row["balance"])) or Decimal(str(row["debit"])) - Decimal(str(row["credit"]))
        balance = balance or Decimal(str(row["amount_currency"]))
        row.update(balance=balance, amount_currency=balance, debit=max(balance, Decimal(0)),
                   credit=max(-balance, Decimal(0)))  # fmt: skip

    def before_write(self, env: Env, changes: Changes) -> None:
        for values in changes.values():
            if "amount_currency" in values and "balance" not in values:
                values |= {"balance": 0, "debit": 0, "credit": 0}
                self._balance(values)

    def _from_move(self, row: Values, move: tuple[Any, ...] | None) -> None:
        if move is None:
            return
        _, move_type, company, currency, partner, journal, day = move
        defaults = {"company_id": company, "company_currency_id": currency, "currency_id": currency,
                    "partner_id": partner, "journal_id": journal, "date": day, "parent_state": "draft"}  # fmt: skip
        for name, value in defaults.items():
            row.setdefault(name, value)
        if row["display_type"] == "product" and not row.get("account_id"):
            row["account_id"] = INCOME if move_type.startswith("out") else EXPENSE
        if row["display_type"] in ("line_note", "line_section"):
            row["quantity"] = 0

    def parents(self, env: Env, ids: list[int]) -> list[int]:
        return env.ids(
            "SELECT DISTINCT order_line_id FROM sale_order_line_invoice_rel WHERE invoice_line_id = ANY(%s::int[])",
            [ids],
        )

    def after_unlink(self, env: Env, parents: list[int]) -> None:
        order_figures.refresh_invoiced(env, parents)


MODELS: tuple[type[Model], ...] = (Tax, Account, Journal, Invoice, InvoiceLine)
