"""An order's and its lines' derived columns: amounts, delivered and invoiceable quantities, statuses.

Amounts are rounded to the currency per line, half away from zero, and summed. A tax is a percentage, rounded per line and
tax: on top of the subtotal, or taken out of the price that includes it. Rows that would not change are not written.
"""

from __future__ import annotations

from collections.abc import Iterable

from sandbox.odoo.orm.environment import Env

_DELIVERED = """
UPDATE sale_order_line l SET qty_delivered = d.delivered, write_uid = %(uid)s, write_date = %(now)s
FROM (
    SELECT l.id, coalesce(round(sum(
        CASE WHEN dest.usage = 'customer' THEN m.quantity WHEN src.usage = 'customer' AND m.to_refund THEN -m.quantity
             ELSE 0 END / mu.factor * lu.factor), 2), 0) AS delivered
    FROM sale_order_line l
    JOIN uom_uom lu ON lu.id = l.product_uom
    LEFT JOIN (stock_move m
        JOIN uom_uom mu ON mu.id = m.product_uom
        JOIN stock_location src ON src.id = m.location_id
        JOIN stock_location dest ON dest.id = m.location_dest_id)
    ON m.sale_line_id = l.id AND m.state = 'done' AND m.product_id = l.product_id
    WHERE l.id = ANY(%(ids)s::int[]) AND l.qty_delivered_method = 'stock_move'
    GROUP BY l.id
) d
WHERE l.id = d.id AND l.qty_delivered IS DISTINCT FROM d.delivered
"""

# Drafts count as invoiced, money only once it is posted (sale/models/sale_order_line.py, _compute_qty_invoiced and below).
_INVOICED = """
UPDATE sale_order_line l SET qty_invoiced = d.quantity, untaxed_amount_invoiced = d.untaxed, write_uid = %(uid)s, write_date = %(now)s
FROM (
    SELECT l.id, coalesce(sum(s.sign * a.quantity) FILTER (WHERE m.state <> 'cancel'), 0) AS quantity,
        coalesce(sum(s.sign * a.price_subtotal) FILTER (WHERE m.state = 'posted'), 0) AS untaxed
    FROM sale_order_line l
    LEFT JOIN (sale_order_line_invoice_rel r
        JOIN account_move_line a ON a.id = r.invoice_line_id AND a.display_type = 'product'
        JOIN account_move m ON m.id = a.move_id
        CROSS JOIN LATERAL (SELECT CASE m.move_type WHEN 'out_invoice' THEN 1 WHEN 'out_refund' THEN -1 ELSE 0 END AS sign) s)
    ON r.order_line_id = l.id
    WHERE l.id = ANY(%(ids)s::int[]) GROUP BY l.id
) d
WHERE l.id = d.id AND (l.qty_invoiced, l.untaxed_amount_invoiced) IS DISTINCT FROM (d.quantity, d.untaxed)
"""

_LINES = """
WITH priced AS (
    SELECT l.*, o.state AS order_state, t.invoice_policy, k.decimal_places AS places,
        round(l.product_uom_qty * l.price_unit * (1 - coalesce(l.discount, 0) / 100), k.decimal_places) AS amount,
        (SELECT sum(x.amount) FROM account_tax_sale_order_line_rel r JOIN account_tax x ON x.id = r.account_tax_id
         WHERE r.sale_order_line_id = l.id AND x.price_include_override = 'tax_included') AS included
    FROM sale_order_line l
    JOIN sale_order o ON o.id = l.order_id
    JOIN res_currency k ON k.id = o.currency_id
    LEFT JOIN product_product v ON v.id = l.product_id
    LEFT JOIN product_template t ON t.id = v.product_tmpl_id
    WHERE l.id = ANY(%(ids)s::int[])
), bare AS (
    SELECT p.*, p.amount - round(p.amount * coalesce(p.included, 0) / (100 + coalesce(p.included, 0)), p.places) AS subtotal
    FROM priced p
), taxed AS (
    SELECT p.*, p.amount - p.subtotal + coalesce((SELECT sum(round(p.subtotal * x.amount / 100, p.places))
            FROM account_tax_sale_order_line_rel r JOIN account_tax x ON x.id = r.account_tax_id
            WHERE r.sale_order_line_id = p.id AND x.price_include_override IS DISTINCT FROM 'tax_included'), 0) AS tax,
        CASE WHEN p.order_state = 'sale' AND p.display_type IS NULL
            THEN CASE WHEN p.invoice_policy = 'delivery' THEN p.qty_delivered ELSE p.product_uom_qty END
                 - p.qty_invoiced
            ELSE 0 END AS to_invoice
    FROM bare p
), figured AS (
    SELECT x.id, x.order_state AS state, x.subtotal AS price_subtotal, x.tax::float AS price_tax,
        x.subtotal + x.tax AS price_total,
        coalesce(round(x.subtotal / nullif(x.product_uom_qty, 0), x.places), 0) AS price_reduce_taxexcl,
        coalesce(round((x.subtotal + x.tax) / nullif(x.product_uom_qty, 0), x.places), 0) AS price_reduce_taxinc,
        x.to_invoice AS qty_to_invoice,
        CASE WHEN x.order_state <> 'sale' THEN 'no' WHEN x.to_invoice <> 0 THEN 'to invoice'
             WHEN x.invoice_policy = 'order' AND x.product_uom_qty >= 0 AND x.qty_delivered > x.product_uom_qty
             THEN 'upselling'
             WHEN x.qty_invoiced >= x.product_uom_qty THEN 'invoiced' ELSE 'no' END AS invoice_status,
        CASE WHEN x.order_state <> 'sale' THEN 0 ELSE round(coalesce(x.subtotal / nullif(x.product_uom_qty, 0), 0)
             * CASE WHEN x.invoice_policy = 'delivery' THEN x.qty_delivered ELSE x.product_uom_qty END, x.places)
             - coalesce(x.untaxed_amount_invoiced, 0) END AS untaxed_amount_to_invoice
    FROM taxed x
)
UPDATE sale_order_line l SET state = f.state, price_subtotal = f.price_subtotal, price_tax = f.price_tax,
    price_total = f.price_total, price_reduce_taxexcl = f.price_reduce_taxexcl,
    price_reduce_taxinc = f.price_reduce_taxinc, qty_to_invoice = f.qty_to_invoice,
    invoice_status = f.invoice_status, untaxed_amount_to_invoice = f.untaxed_amount_to_invoice,
    write_uid = %(uid)s, write_date = %(now)s
FROM figured f
WHERE l.id = f.id AND (l.state, l.price_subtotal, l.price_tax, l.qty_to_invoice, l.invoice_status,
        l.untaxed_amount_to_invoice, l.price_reduce_taxexcl)
    IS DISTINCT FROM (f.state, f.price_subtotal, f.price_tax, f.qty_to_invoice, f.invoice_status,
        f.untaxed_amount_to_invoice, f.price_reduce_taxexcl)
"""

_ORDERS = """
WITH summed AS (
    SELECT o.id, coalesce(sum(l.price_subtotal), 0) AS untaxed, coalesce(sum(l.price_tax), 0)::numeric AS tax,
        bool_or(l.qty_delivered <> 0) AS any_delivered,
        array_agg(DISTINCT l.invoice_status) FILTER (WHERE l.display_type IS NULL AND l.is_downpayment IS NOT TRUE) AS statuses
    FROM sale_order o LEFT JOIN sale_order_line l ON l.order_id = o.id
    WHERE o.id = ANY(%(ids)s::int[]) GROUP BY o.id
), shipped AS (
    SELECT p.sale_id AS id, bool_and(p.state = 'cancel') AS all_cancelled,
        bool_and(p.state IN ('done', 'cancel')) AS all_over, bool_or(p.state = 'done') AS any_done,
        min(p.date_done) FILTER (WHERE p.state = 'done' AND d.usage = 'customer') AS first_done
    FROM stock_picking p JOIN stock_location d ON d.id = p.location_dest_id
    WHERE p.sale_id = ANY(%(ids)s::int[]) GROUP BY p.sale_id
), figured AS (
    SELECT o.id, s.untaxed, s.tax, s.untaxed + s.tax AS total, h.first_done,
        CASE WHEN h.id IS NULL OR h.all_cancelled THEN NULL WHEN h.all_over THEN 'full'
             WHEN h.any_done AND s.any_delivered THEN 'partial' WHEN h.any_done THEN 'started'
             ELSE 'pending' END AS delivery_status,
        CASE WHEN o.state <> 'sale' OR s.statuses IS NULL THEN 'no'
             WHEN 'to invoice' = ANY(s.statuses) THEN 'to invoice'
             WHEN s.statuses <@ '{invoiced}' THEN 'invoiced'
             WHEN s.statuses <@ '{invoiced,upselling}' THEN 'upselling' ELSE 'no' END AS invoice_status
    FROM sale_order o JOIN summed s ON s.id = o.id LEFT JOIN shipped h ON h.id = o.id
)
UPDATE sale_order o SET amount_untaxed = f.untaxed, amount_tax = f.tax, amount_total = f.total,
    delivery_status = f.delivery_status, invoice_status = f.invoice_status, effective_date = f.first_done,
    write_uid = %(uid)s, write_date = %(now)s
FROM figured f
WHERE o.id = f.id AND (o.amount_untaxed, o.amount_tax, o.amount_total, o.delivery_status, o.invoice_status,
        o.effective_date)
    IS DISTINCT FROM (f.untaxed, f.tax, f.total, f.delivery_status, f.invoice_status, f.first_done)
"""


def refresh_lines(env: Env, line_ids: Iterable[int]) -> None:
    """Prices, quantities to invoice and states of lines."""
    _run(env, _LINES, line_ids)


def refresh_delivered(env: Env, line_ids: Iterable[int]) -> None:
    """Delivered quantities from done moves, then what depends on them."""
    ids = list(line_ids)
    _run(env, _DELIVERED, ids)
    refresh_lines(env, ids)


def refresh_invoiced(env: Env, line_ids: Iterable[int]) -> None:
    """Invoiced quantities and amounts from the invoices' lines, then what depends on them."""
    ids = list(line_ids)
    _run(env, _INVOICED, ids)
    refresh_lines(env, ids)
    refresh_orders(env, env.ids("SELECT DISTINCT order_id FROM sale_order_line WHERE id = ANY(%s::int[])", [ids]))


def refresh_orders(env: Env, order_ids: Iterable[int]) -> None:
    """Amounts and statuses of orders, from their lines and transfers as they now are."""
    _run(env, _ORDERS, order_ids)


def refresh_whole_orders(env: Env, order_ids: Iterable[int]) -> None:
    """All lines of the orders, then the orders."""
    ids = list(order_ids)
    refresh_delivered(env, env.ids("SELECT id FROM sale_order_line WHERE order_id = ANY(%s::int[])", [ids]))
    refresh_orders(env, ids)


def _run(env: Env, statement: str, ids: Iterable[int]) -> None:
    env.rows(statement, {"ids": list(ids), "uid": env.uid, "now": env.now})
