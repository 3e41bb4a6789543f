"""Sales orders: quotation, confirmed (`sale`), cancelled; and the price lists (their currency only) and teams that they name."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sandbox.odoo.errors import UserError
from sandbox.odoo.flows import delivery, order_figures, procurement
from sandbox.odoo.orm.environment import Env
from sandbox.odoo.orm.fields import Field
from sandbox.odoo.orm.model import Changes, Values, api_records
from sandbox.odoo.orm.public import PublicModel

_ADDRESSES = """
SELECT p.id,
    coalesce((SELECT min(c.id) FROM res_partner c WHERE c.parent_id = p.id AND c.type = 'invoice' AND c.active), p.id),
    coalesce((SELECT min(c.id) FROM res_partner c WHERE c.parent_id = p.id AND c.type = 'delivery' AND c.active), p.id)
FROM res_partner p WHERE p.id = ANY(%s::int[])
"""
_INVOICES = (
    "ARRAY(SELECT DISTINCT a.move_id FROM sale_order_line_invoice_rel r"
    " JOIN sale_order_line l ON l.id = r.order_line_id JOIN account_move_line a ON a.id = r.invoice_line_id"
    " WHERE l.order_id = {t}.id ORDER BY 1)"
)

_CURRENCY = "SELECT currency_id FROM product_pricelist WHERE id = %s"


class PriceList(PublicModel):
    name = "product.pricelist"
    label = "Pricelist"
    order = "sequence, id, name"
    shown_as = (
        "(({t}.name->>'en_US') || ' (' || (SELECT k.name FROM res_currency k WHERE k.id = {t}.currency_id) || ')')"
    )
    defaults = {"sequence": 16, "active": True, "company_id": 1}


class Team(PublicModel):
    name = "crm.team"
    label = "Sales Team"
    order = "sequence ASC, create_date DESC, id DESC"
    shown_as = "({t}.name->>'en_US')"
    defaults = {"sequence": 10, "active": True}


class Order(PublicModel):
    name = "sale.order"
    label = "Sales Order"
    order = "date_order desc, id desc"
    defaults = {
        "company_id": 1,
        "state": "draft",
        "locked": False,
        "warehouse_id": 1,
        "picking_policy": "direct",
        "require_signature": True,
        "require_payment": False,
        "prepayment_percent": 1.0,
        "currency_rate": 1.0,
        "shipping_weight": 0,
        "invoice_status": "no",
    }
    computed = (
        Field(
            model="sale.order", name="delivery_count", kind="integer", label="Delivery Orders",
            expression="SELECT count(*) FROM stock_picking p WHERE p.sale_id = {t}.id",
        ),
        Field(
            model="sale.order", name="invoice_ids", kind="many2many", label="Invoices", comodel="account.move",
            expression=_INVOICES,
        ),
    )  # fmt: skip

    def default_values(self, env: Env) -> Values:
        valid_until = env.now.date() + dt.timedelta(days=30)
        return {**self.defaults, "date_order": env.second, "user_id": env.uid, "validity_date": valid_until}

    def complete(self, env: Env, rows: list[Values]) -> None:
        names = iter(
            env.ids(
                "SELECT 'S' || lpad(nextval('ir_sequence_sale_order')::text, 5, '0') FROM generate_series(1, %s)",
                [len(rows)],
            )
        )
        currency = env.count("SELECT currency_id FROM res_company WHERE id = 1")
        for row in rows:
            if row.get("name", "New") == "New":
                row["name"] = next(names)
            # A currency that is given is ignored without a word: only a pricelist sets it.
            row["currency_id"] = currency
        for row in rows:
            if row.get("pricelist_id"):
                row["currency_id"] = env.count(_CURRENCY, [row["pricelist_id"]])
        self._address(env, rows)

    def _address(self, env: Env, rows: list[Values]) -> None:
        """Invoice and delivery addresses follow from the customer where they are not given."""
        found = {row[0]: row for row in env.rows(_ADDRESSES, [[r["partner_id"] for r in rows if r.get("partner_id")]])}
        for row in rows:
            _, invoice, shipping = found.get(row.get("partner_id"), (0, None, None))
            row.setdefault("partner_invoice_id", invoice)
            row.setdefault("partner_shipping_id", shipping)

    def created(self, env: Env, ids: list[int], rows: list[Values]) -> None:
        order_figures.refresh_orders(env, ids)

    def before_write(self, env: Env, changes: Changes) -> None:
        priced = [one for one, values in changes.items() if "pricelist_id" in values]
        if env.count("SELECT count(*) FROM sale_order WHERE id = ANY(%s::int[]) AND state = 'sale'", [priced]):
            raise UserError("You cannot change the pricelist of a confirmed order !")
        for values in changes.values():
            values.pop("currency_id", None)
            if values.get("pricelist_id"):
                values["currency_id"] = env.count(_CURRENCY, [values["pricelist_id"]])
        moved = {one: values for one, values in changes.items() if values.get("partner_id")}
        before = env.pairs("SELECT id, partner_id FROM sale_order WHERE id = ANY(%s::int[])", [list(moved)])
        self._address(env, [values for one, values in moved.items() if before.get(one) != values["partner_id"]])

    def after_write(self, env: Env, changes: Changes) -> None:
        ids = list(changes)
        if any({"partner_id", "warehouse_id", "user_id"} & set(values) for values in changes.values()):
            env.rows(
                "UPDATE sale_order_line l SET order_partner_id = o.partner_id, warehouse_id = o.warehouse_id,"
                " salesman_id = o.user_id FROM sale_order o"
                " WHERE o.id = l.order_id AND o.id = ANY(%s::int[]) AND (l.order_partner_id, l.warehouse_id,"
                " l.salesman_id) IS DISTINCT FROM (o.partner_id, o.warehouse_id, o.user_id)",
                [ids],
            )
        if any("commitment_date" in values for values in changes.values()):
            env.rows(
                "UPDATE stock_move m SET date_deadline = coalesce(o.commitment_date, o.date_order)"
                " FROM sale_order_line l JOIN sale_order o ON o.id = l.order_id"
                " WHERE m.sale_line_id = l.id AND o.id = ANY(%s::int[])",
                [ids],
            )

    def before_unlink(self, env: Env, ids: list[int]) -> None:
        if env.count("SELECT count(*) FROM sale_order WHERE id = ANY(%s::int[]) AND state IN ('sent', 'sale')", [ids]):
            raise UserError("You can not delete a sent quotation or a confirmed sales order. You must first cancel it.")

    @api_records
    def action_confirm(self, env: Env, ids: list[int]) -> bool:
        """Confirm quotations: `date_order` becomes now, goods get their transfers. One refused refuses all."""
        self.require(env, ids)
        if env.count(
            "SELECT count(*) FROM sale_order WHERE id = ANY(%s::int[]) AND state NOT IN ('draft', 'sent')", [ids]
        ):
            raise UserError("Some orders are not in a state requiring confirmation.")
        if env.count(
            "SELECT count(*) FROM sale_order_line WHERE order_id = ANY(%s::int[]) AND display_type IS NULL"
            " AND is_downpayment IS NOT TRUE AND product_id IS NULL",
            [ids],
        ):
            raise UserError("A line on these orders missing a product, you cannot confirm it.")
        self._set(env, ids, state="sale", date_order=env.second)
        procurement.launch(env, env.ids("SELECT id FROM sale_order_line WHERE order_id = ANY(%s::int[])", [ids]))
        order_figures.refresh_whole_orders(env, ids)
        return True

    @api_records
    def action_cancel(self, env: Env, ids: list[int]) -> bool | dict[str, Any]:
        """Cancel orders and their open transfers; what is done stays. Without `disable_cancel_warning` in the context
        an order that is no draft answers with the wizard's action, and nothing has happened.
        """
        self.require(env, ids)
        if env.count("SELECT count(*) FROM sale_order WHERE id = ANY(%s::int[]) AND locked", [ids]):
            raise UserError("You cannot cancel a locked order. Please unlock it first.")
        asks = env.count("SELECT count(*) FROM sale_order WHERE id = ANY(%s::int[]) AND state <> 'draft'", [ids])
        if asks and not env.context.get("disable_cancel_warning"):
            return self._cancel_wizard(env, ids)
        pickings = env.ids(
            "SELECT id FROM stock_picking WHERE sale_id = ANY(%s::int[]) AND state NOT IN ('done', 'cancel')", [ids]
        )
        delivery.cancel(env, pickings)
        self._set(env, ids, state="cancel")
        order_figures.refresh_whole_orders(env, ids)
        return True

    def _cancel_wizard(self, env: Env, ids: list[int]) -> dict[str, Any]:
        if len(ids) > 1:
            raise ValueError(f"Expected singleton: {self.name}({', '.join(map(str, ids))})")
        state = env.rows("SELECT state FROM sale_order WHERE id = %s", [ids[0]])[0][0]
        return {
            "name": f"Cancel {'Sales Order' if state == 'sale' else 'Quotation'}",
            "view_mode": "form",
            "res_model": "sale.order.cancel",
            "view_id": False,
            "type": "ir.actions.act_window",
            "context": {"default_order_id": ids[0], "mark_so_as_canceled": True},
            "target": "new",
        }

    @api_records
    def action_draft(self, env: Env, ids: list[int]) -> bool:
        """A cancelled order becomes a quotation again."""
        rows = env.ids("SELECT id FROM sale_order WHERE id = ANY(%s::int[]) AND state IN ('cancel', 'sent')", [ids])
        self._set(env, rows, state="draft")
        order_figures.refresh_whole_orders(env, rows)
        return True

    @api_records
    def action_lock(self, env: Env, ids: list[int]) -> None:
        """Locked orders refuse changes."""
        self._set(env, ids, locked=True)

    @api_records
    def action_unlock(self, env: Env, ids: list[int]) -> None:
        """Open a locked order again."""
        self._set(env, ids, locked=False)

    def _set(self, env: Env, ids: list[int], **columns: Any) -> None:
        settings = "".join(f"{name} = %s, " for name in columns)
        env.rows(
            f"UPDATE sale_order SET {settings}write_uid = %s, write_date = %s WHERE id = ANY(%s::int[])",
            [*columns.values(), env.uid, env.now, ids],
        )
