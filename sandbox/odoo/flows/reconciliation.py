"""Reconciling: open debits and credits of one account set off against each other, and what follows for their documents.

A line's residual is its balance without what is set off; a document's is that of its receivable or payable lines. Without the
accounting app a document that payments have settled is `paid`, one that only credit notes have settled is `reversed`.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from sandbox.odoo.orm.environment import Env

_OPEN = """
SELECT l.id, l.amount_residual, l.company_id, l.currency_id, l.date FROM account_move_line l
WHERE l.id = ANY(%s::int[]) AND l.parent_state = 'posted' AND l.amount_residual <> 0
ORDER BY coalesce(l.date_maturity, l.date), l.id
"""
_SET_OFF = """
INSERT INTO account_partial_reconcile (debit_move_id, credit_move_id, amount, debit_amount_currency, credit_amount_currency,
    debit_currency_id, credit_currency_id, company_id, max_date, create_uid, write_uid, create_date, write_date)
SELECT d.id, c.id, %(amount)s, %(amount)s, %(amount)s, d.currency_id, c.currency_id, d.company_id, greatest(d.date, c.date),
    %(uid)s, %(uid)s, %(now)s, %(now)s
FROM account_move_line d, account_move_line c WHERE d.id = %(debit)s AND c.id = %(credit)s
"""
_RESIDUALS = """
UPDATE account_move_line l SET amount_residual = f.residual, amount_residual_currency = f.residual,
    reconciled = f.residual = 0, write_uid = %(uid)s, write_date = %(now)s
FROM (
    SELECT l.id, l.balance - coalesce((SELECT sum(p.amount) FROM account_partial_reconcile p WHERE p.debit_move_id = l.id), 0)
        + coalesce((SELECT sum(p.amount) FROM account_partial_reconcile p WHERE p.credit_move_id = l.id), 0) AS residual
    FROM account_move_line l WHERE l.id = ANY(%(lines)s::int[])
) f WHERE l.id = f.id
"""
_DOCUMENTS = """
WITH touched AS (
    SELECT DISTINCT m.id, m.move_type FROM account_move m JOIN account_move_line l ON l.move_id = m.id
    WHERE l.id = ANY(%(lines)s::int[]) AND m.move_type <> 'entry'
), owed AS (
    SELECT t.id, t.move_type, sum(l.amount_residual) AS residual
    FROM touched t JOIN account_move_line l ON l.move_id = t.id AND l.display_type = 'payment_term' GROUP BY t.id, t.move_type
), others AS (
    SELECT t.id, bool_or(o.origin_payment_id IS NOT NULL) AS paid, array_agg(DISTINCT o.move_type) AS kinds
    FROM touched t
    JOIN account_move_line l ON l.move_id = t.id
    JOIN account_partial_reconcile p ON l.id IN (p.debit_move_id, p.credit_move_id)
    JOIN account_move_line ol ON ol.id = CASE l.id WHEN p.debit_move_id THEN p.credit_move_id ELSE p.debit_move_id END
    JOIN account_move o ON o.id = ol.move_id
    GROUP BY t.id
)
UPDATE account_move m SET amount_residual = abs(w.residual), amount_residual_signed = w.residual,
    payment_state = CASE
        WHEN w.residual <> 0 AND o.id IS NULL THEN 'not_paid'
        WHEN w.residual <> 0 THEN 'partial'
        WHEN coalesce(o.paid, false) THEN 'paid'
        WHEN w.move_type = 'out_invoice' AND (o.kinds = '{out_refund}' OR o.kinds = '{entry,out_refund}') THEN 'reversed'
        WHEN w.move_type = 'in_invoice' AND (o.kinds = '{in_refund}' OR o.kinds = '{entry,in_refund}') THEN 'reversed'
        WHEN w.move_type IN ('out_refund', 'in_refund') AND o.kinds = '{entry}' THEN 'reversed'
        ELSE 'paid' END,
    write_uid = %(uid)s, write_date = %(now)s
FROM owed w LEFT JOIN others o ON o.id = w.id
WHERE m.id = w.id
"""
_PAYMENTS = """
UPDATE account_payment p SET is_reconciled = NOT EXISTS (
    SELECT 1 FROM account_move_line l JOIN account_account a ON a.id = l.account_id
    WHERE l.move_id = p.move_id AND a.account_type IN ('asset_receivable', 'liability_payable') AND l.amount_residual <> 0)
WHERE p.move_id IN (SELECT move_id FROM account_move_line WHERE id = ANY(%(lines)s::int[]))
"""


def reconcile(env: Env, line_ids: Iterable[int]) -> None:
    """Set the open debits among these lines off against the open credits, oldest first. They are of one account."""
    lines = list(line_ids)
    rows = env.rows(_OPEN, [lines])
    owed = [[row[0], row[1]] for row in rows if row[1] > 0]
    owing = [[row[0], -row[1]] for row in rows if row[1] < 0]
    while owed and owing:
        amount = min(owed[0][1], owing[0][1])
        _set_off(env, owed[0][0], owing[0][0], amount)
        owed[0][1] -= amount
        owing[0][1] -= amount
        owed = [line for line in owed if line[1]]
        owing = [line for line in owing if line[1]]
    refresh(env, lines)


def _set_off(env: Env, debit: int, credit: int, amount: Decimal) -> None:
    env.rows(_SET_OFF, {"debit": debit, "credit": credit, "amount": amount, "uid": env.uid, "now": env.now})


def refresh(env: Env, line_ids: Iterable[int]) -> None:
    """Residuals of these lines, and of the documents and payments that they are of."""
    for statement in (_RESIDUALS, _DOCUMENTS, _PAYMENTS):
        env.rows(statement, {"lines": list(line_ids), "uid": env.uid, "now": env.now})
