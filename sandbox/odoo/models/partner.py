"""Contacts. Their complete name, commercial partner and normalized address are kept as Odoo keeps them."""

from __future__ import annotations

from sandbox.odoo.errors import UserError, ValidationError
from sandbox.odoo.orm import writing
from sandbox.odoo.orm.environment import Env
from sandbox.odoo.orm.model import Changes, Values
from sandbox.odoo.orm.public import PublicModel

_DERIVED = frozenset({"name", "parent_id", "is_company", "type", "company_name"})

_DERIVE = """
UPDATE res_partner p
SET complete_name = d.complete_name,
    commercial_partner_id = d.commercial_id,
    commercial_company_name = d.company,
    email_normalized = CASE WHEN p.email LIKE '%%@%%' THEN lower(btrim(p.email)) END
FROM (
    SELECT c.id,
        CASE WHEN NOT coalesce(c.is_company, false) AND coalesce(up.name, c.company_name) IS NOT NULL
            THEN coalesce(up.name, c.company_name) || ', ' || coalesce(c.name, initcap(c.type || ' address'))
            ELSE c.name END AS complete_name,
        CASE WHEN c.is_company OR up.id IS NULL THEN c.id ELSE coalesce(up.commercial_partner_id, up.id) END
            AS commercial_id,
        CASE WHEN c.is_company THEN c.name ELSE coalesce(up.name, c.company_name) END AS company
    FROM res_partner c LEFT JOIN res_partner up ON up.id = c.parent_id
    WHERE c.id = ANY(%(ids)s::int[]) OR c.parent_id = ANY(%(ids)s::int[])
) d
WHERE p.id = d.id AND (p.complete_name, p.commercial_partner_id, p.commercial_company_name)
    IS DISTINCT FROM (d.complete_name, d.commercial_id, d.company)
"""

# Odoo deletes quotations and cancelled orders with their customer.
_UNBOUND_ORDERS = """
SELECT id FROM sale_order WHERE state IN ('draft', 'cancel') AND (partner_id = ANY(%(ids)s::int[])
    OR partner_invoice_id = ANY(%(ids)s::int[]) OR partner_shipping_id = ANY(%(ids)s::int[]))
"""

_LOOP = """
WITH RECURSIVE above AS (
    SELECT id AS start, parent_id FROM res_partner WHERE id = ANY(%s::int[])
    UNION SELECT a.start, p.parent_id FROM above a JOIN res_partner p ON p.id = a.parent_id
)
SELECT count(*) FROM above WHERE start = parent_id
"""


class Partner(PublicModel):
    name = "res.partner"
    label = "Contact"
    order = "complete_name asc, id desc"
    shown_as = "coalesce({t}.complete_name, '')"
    searched = ("complete_name", "email", "ref", "vat", "company_registry")
    defaults = {
        "active": True,
        "type": "contact",
        "is_company": False,
        "autopost_bills": "ask",
        "partner_share": True,
        "customer_rank": 0,
        "supplier_rank": 0,
        "lang": "en_US",
        "color": 0,
        "message_bounce": 0,
        "invoice_warn": "no-message",
        "picking_warn": "no-message",
        "sale_warn": "no-message",
    }

    def complete(self, env: Env, rows: list[Values]) -> None:
        """Whether it is a company may come as `company_type` would have it: an empty type is a contact's."""
        for row in rows:
            row["type"] = row["type"] or None

    def created(self, env: Env, ids: list[int], rows: list[Values]) -> None:
        self._derive(env, ids)

    def after_write(self, env: Env, changes: Changes) -> None:
        if any("parent_id" in values for values in changes.values()) and env.count(_LOOP, [list(changes)]):
            raise ValidationError("You cannot create recursive Partner hierarchies.")
        if any(_DERIVED.intersection(values) or "email" in values for values in changes.values()):
            self._derive(env, list(changes))

    def _derive(self, env: Env, ids: list[int]) -> None:
        env.rows(_DERIVE, {"ids": ids})

    def before_unlink(self, env: Env, ids: list[int]) -> None:
        if env.count("SELECT count(*) FROM res_users WHERE active AND partner_id = ANY(%s::int[])", [ids]):
            raise UserError(
                "You cannot delete contacts linked to an active user.\n"
                "Ask an administrator to archive their associated user first."
            )
        orders = env.model("sale.order")
        writing.unlink(orders, env, env.ids(_UNBOUND_ORDERS, {"ids": ids}))
