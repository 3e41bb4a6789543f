"""The wizards of invoicing: invoices made from orders, and credit notes made from invoices.

Invoices take what the order's lines have to invoice (final: what is less than nothing as well; what comes to less than nothing
in all is a credit note). A credit note is a draft with its invoice's lines, linked to the same lines of the order, until somebody changes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sandbox.odoo.errors import UserError
from sandbox.odoo.orm import writing
from sandbox.odoo.orm.environment import Env
from sandbox.odoo.orm.model import Model, Values, api_records
from sandbox.odoo.orm.public import PublicModel

_NOTHING = (
    "Cannot create an invoice. No items are available to invoice.\n\n"
    "To resolve this issue, please ensure that:\n"
    "   • The products have been delivered before attempting to invoice them.\n"
    "   • The invoicing policy of the product is configured correctly.\n\n"
    "If you want to invoice based on ordered quantities instead:\n"
    "   • For consumable or storable products, open the product, go to the 'General Information' tab and change the"
    " 'Invoicing Policy' from 'Delivered Quantities' to 'Ordered Quantities'.\n"
    "   • For services (and other products), change the 'Invoicing Policy' to 'Prepaid/Fixed Price'.\n"
)
_ORDERS = """
SELECT id, name, coalesce(client_order_ref, ''), partner_invoice_id, partner_shipping_id, currency_id, user_id, journal_id
FROM sale_order WHERE id = ANY(%s::int[]) ORDER BY date_order DESC, id DESC
"""
_LINES = """
SELECT l.order_id, l.id, l.name, l.product_id, l.product_uom, l.qty_to_invoice, l.price_unit, l.discount,
    ARRAY(SELECT r.account_tax_id FROM account_tax_sale_order_line_rel r WHERE r.sale_order_line_id = l.id)
FROM sale_order_line l
WHERE l.order_id = ANY(%s::int[]) AND l.display_type IS NULL AND (l.qty_to_invoice > 0 OR (%s AND l.qty_to_invoice < 0))
ORDER BY l.sequence, l.id
"""
_NEGATIVE = "SELECT id FROM account_move WHERE id = ANY(%s::int[]) AND amount_total < 0"
_TURNED = (
    "UPDATE account_move_line SET quantity = -quantity WHERE move_id = ANY(%s::int[]) AND display_type = 'product'"
)
_CREDITED = """
SELECT m.id, m.name, m.partner_id, m.partner_shipping_id, m.currency_id, m.invoice_origin, m.invoice_user_id,
    CASE m.move_type WHEN 'out_invoice' THEN 'out_refund' WHEN 'in_invoice' THEN 'in_refund' ELSE m.move_type END, m.state
FROM account_move m WHERE m.id = ANY(%s::int[]) ORDER BY m.date DESC, m.name DESC, m.invoice_date DESC, m.id DESC
"""
_COPIED = ("product_id", "product_uom_id", "quantity", "price_unit", "discount", "name", "account_id", "sequence")
_CREDITED_LINES = f"""
SELECT l.move_id, ARRAY(SELECT r.order_line_id FROM sale_order_line_invoice_rel r WHERE r.invoice_line_id = l.id),
    ARRAY(SELECT r.account_tax_id FROM account_move_line_account_tax_rel r WHERE r.account_move_line_id = l.id),
    {", ".join(f"l.{name}" for name in _COPIED)}
FROM account_move_line l WHERE l.move_id = ANY(%s::int[]) AND l.display_type = 'product' ORDER BY l.sequence, l.id
"""


class AdvancePayment(PublicModel):
    name = "sale.advance.payment.inv"
    label = "Sales Advance Payment Invoice"
    shown_as = "'sale.advance.payment.inv,' || {t}.id"
    defaults = {"advance_payment_method": "delivered", "deduct_down_payments": True, "consolidated_billing": True}

    @api_records
    def create_invoices(self, env: Env, ids: list[int]) -> Values:
        """A draft invoice for each order that has something to invoice; UserError where none has."""
        orders, final, together = self._wanted(env, ids)
        lines: dict[int, list[tuple[Any, ...]]] = {}
        for order_id, *line in env.rows(_LINES, [orders, final]):
            lines.setdefault(order_id, []).append(tuple(line))
        if together and len(orders) > 1:
            raise UserError("The stand-in makes one invoice an order.")
        if not lines:
            raise UserError(_NOTHING)
        found = [row for row in env.rows(_ORDERS, [orders]) if row[0] in lines]
        made = writing.create(env.model("account.move"), env, [_invoice(row, lines[row[0]]) for row in found])
        if final:
            self._turn(env, env.ids(_NEGATIVE, [made]))
        return _shown("Invoices", made, "out_invoice")

    def _turn(self, env: Env, moves: list[int]) -> None:
        """Invoices of less than nothing become credit notes."""
        env.rows(_TURNED, [moves])
        writing.write(env.model("account.move"), env, {one: {"move_type": "out_refund"} for one in moves})

    def _wanted(self, env: Env, ids: list[int]) -> tuple[list[int], bool, bool]:
        rows = env.rows(
            "SELECT advance_payment_method, deduct_down_payments, consolidated_billing FROM sale_advance_payment_inv"
            " WHERE id = ANY(%s::int[])",
            [ids],
        )
        if len(rows) != 1 or rows[0][0] != "delivered":
            raise UserError("The stand-in makes regular invoices only, with one wizard.")
        orders = env.ids(
            "SELECT sale_order_id FROM sale_advance_payment_inv_sale_order_rel WHERE sale_advance_payment_inv_id = %s",
            ids,
        )
        return orders, rows[0][1], rows[0][2]


def _invoice(order: tuple[Any, ...], lines: Iterable[tuple[Any, ...]]) -> Values:
    _, name, ref, partner, shipping, currency, user, journal = order
    return {
        "move_type": "out_invoice", "invoice_origin": name, "ref": ref, "partner_id": partner,
        "partner_shipping_id": shipping, "currency_id": currency, "invoice_user_id": user, "journal_id": journal,
        "invoice_line_ids": [[0, 0, _line(place, *line)] for place, line in enumerate(lines)],
    }  # fmt: skip


def _line(place: int, one: int, name: str, product: int | None, unit: int | None, quantity: Any, price: Any, discount: Any,
          taxes: list[int]) -> Values:  # fmt: skip
    return {
        "sequence": place, "name": name, "product_id": product, "product_uom_id": unit, "quantity": quantity,
        "price_unit": price, "discount": discount, "tax_ids": [[6, 0, taxes]], "sale_line_ids": [[4, one, 0]],
    }  # fmt: skip


class Reversal(PublicModel):
    name = "account.move.reversal"
    label = "Account Move Reversal"
    shown_as = "'account.move.reversal,' || {t}.id"

    def default_values(self, env: Env) -> Values:
        return {"date": env.now.date()}

    def complete(self, env: Env, rows: list[Values]) -> None:
        for row in rows:
            row["company_id"] = 1

    @api_records
    def refund_moves(self, env: Env, ids: list[int]) -> Values:
        """A draft credit note for each invoice, with the invoice's lines."""
        [(one, journal, day, reason)] = env.rows(
            "SELECT id, journal_id, date, reason FROM account_move_reversal WHERE id = ANY(%s::int[])", [ids]
        )
        moves = env.ids("SELECT move_id FROM account_move_reversal_move WHERE reversal_id = %s", [one])
        lines: dict[int, list[Values]] = {}
        for move, sold, taxes, *copied in env.rows(_CREDITED_LINES, [moves]):
            values = dict(zip(_COPIED, copied, strict=True))
            links = {"sale_line_ids": [[6, 0, sold]], "tax_ids": [[6, 0, taxes]]}
            lines.setdefault(move, []).append(values | links)
        rows = env.rows(_CREDITED, [moves])
        if any(row[8] != "posted" for row in rows):
            raise UserError("You can only reverse posted moves.")
        notes = [_note(row, journal, day, reason, lines.get(row[0], [])) for row in rows]
        made = writing.create(env.model("account.move"), env, notes)
        writing.write(self, env, {one: {"new_move_ids": [[6, 0, made]]}})
        return _shown("Reverse Moves", made, "out_refund")


def _note(move: tuple[Any, ...], journal: int, day: Any, reason: str | None, lines: list[Values]) -> Values:
    one, name, partner, shipping, currency, origin, user, kind, _ = move
    return {
        "move_type": kind, "ref": f"Reversal of: {name}, {reason}" if reason else f"Reversal of: {name}", "date": day,
        "invoice_date": day, "invoice_date_due": day, "journal_id": journal, "reversed_entry_id": one,
        "partner_id": partner, "partner_shipping_id": shipping, "currency_id": currency, "invoice_origin": origin,
        "invoice_user_id": user, "invoice_line_ids": [[0, 0, line] for line in lines],
    }  # fmt: skip


def _shown(name: str, moves: list[int], kind: str) -> Values:
    return {
        "name": name, "type": "ir.actions.act_window", "res_model": "account.move", "domain": [["id", "in", moves]],
        "context": {"default_move_type": kind},
    }  # fmt: skip


MODELS: tuple[type[Model], ...] = (AdvancePayment, Reversal)
