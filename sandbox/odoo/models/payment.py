"""Payments: money in from and out to customers, each with an entry of its own once it is confirmed.

Without the accounting app every payment is booked against an outstanding account of the company's
(account/models/account_payment.py, create). There are no bank statements to match them with.
"""

from __future__ import annotations

from typing import Any

from sandbox.odoo.errors import UserError
from sandbox.odoo.orm import writing
from sandbox.odoo.orm.environment import Env
from sandbox.odoo.orm.model import Model, Values, api_records
from sandbox.odoo.orm.public import PublicModel

OUTSTANDING = {"inbound": 49, "outbound": 50}
_RECEIVABLE, _PAYABLE = 7, 16
_JOURNAL = (
    "SELECT id FROM account_journal WHERE type IN ('bank', 'cash', 'credit') AND active ORDER BY sequence, id LIMIT 1"
)
_DRAFTS = """
SELECT p.id, p.payment_type, p.amount, p.journal_id, p.partner_id, p.currency_id, p.date, p.memo, p.outstanding_account_id,
    p.destination_account_id
FROM account_payment p WHERE p.id = ANY(%s::int[]) AND p.state = 'draft' ORDER BY p.id
"""


class Payment(PublicModel):
    name = "account.payment"
    label = "Payments"
    order = "date desc, name desc"
    defaults = {
        "state": "draft",
        "payment_type": "inbound",
        "partner_type": "customer",
        "amount": 0,
        "company_id": 1,
        "is_reconciled": False,
        "is_matched": False,
    }

    def default_values(self, env: Env) -> Values:
        return {**self.defaults, "date": env.now.date()}

    def complete(self, env: Env, rows: list[Values]) -> None:
        journal = env.ids(_JOURNAL)
        currency = env.count("SELECT currency_id FROM res_company WHERE id = 1")
        for row in rows:
            row["journal_id"] = row.get("journal_id") or journal[0]
            row["currency_id"] = row.get("currency_id") or currency
            row["outstanding_account_id"] = OUTSTANDING[row["payment_type"]]
            row.setdefault("destination_account_id", _RECEIVABLE if row["partner_type"] == "customer" else _PAYABLE)

    @api_records
    def action_post(self, env: Env, ids: list[int]) -> None:
        """Book what is a draft; what is booked stays as it is."""
        self.require(env, ids)
        for row in env.rows(_DRAFTS, [ids]):
            self._book(env, *row)

    def _book(self, env: Env, one: int, kind: str, amount: Any, journal: int, partner: int, currency: int, day: Any,
              memo: str | None, outstanding: int, destination: int) -> None:  # fmt: skip
        sign = 1 if kind == "inbound" else -1
        lines = [
            [0, 0, {"account_id": account, "name": f"Manual Payment: {memo}" if memo else "Manual Payment",
                    "partner_id": partner, "currency_id": currency, "balance": balance, "amount_residual": balance}]
            for account, balance in ((outstanding, sign * amount), (destination, -sign * amount))
        ]  # fmt: skip
        moves = env.model("account.move")
        move = {"move_type": "entry", "journal_id": journal, "partner_id": partner, "currency_id": currency, "date": day,
                "ref": memo, "origin_payment_id": one, "line_ids": lines}  # fmt: skip
        [entry] = writing.create(moves, env, [move])
        moves.action_post(env, [entry])  # type: ignore[attr-defined]
        env.rows(
            "UPDATE account_payment p SET state = 'in_process', move_id = m.id, name = m.name, write_uid = %s,"
            " write_date = %s FROM account_move m WHERE p.id = %s AND m.id = %s",
            [env.uid, env.now, one, entry],
        )

    def before_unlink(self, env: Env, ids: list[int]) -> None:
        if env.count("SELECT count(*) FROM account_payment WHERE id = ANY(%s::int[]) AND state <> 'draft'", [ids]):
            raise UserError("The stand-in deletes no payments that are booked.")


class PartialReconcile(PublicModel):
    name = "account.partial.reconcile"
    label = "Partial Reconcile"
    shown_as = "{t}.id::text"


MODELS: tuple[type[Model], ...] = (Payment, PartialReconcile)
