"""What an Odoo has of one test's customers and products, in words that two runs of the same day share.

books(end)["orders"]        rows without ids, times of the run, and names that Odoo numbers by itself

What was made twice shows, whoever it hangs on: rows are found by the test's customers and products, not by external ids.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.fixtures.delivery import OdooEnd

Row = tuple[Any, ...]
Books = dict[str, list[Row]]

_MINE = """
    WITH mine AS (SELECT %s::text AS prefix),
    partners AS (SELECT p.* FROM res_partner p, mine WHERE p.name LIKE '%%' || mine.prefix),
    products AS (SELECT p.* FROM product_product p, mine WHERE p.default_code LIKE '%%' || mine.prefix)
"""
_QUERIES = {
    "partners": "SELECT name, type, email, street, active FROM partners",
    "products": "SELECT p.default_code, t.name->>'en_US', t.list_price, p.active FROM products p"
    " JOIN product_template t ON t.id = p.product_tmpl_id",
    "orders": "SELECT o.name, o.state, o.date_order, o.client_order_ref, o.amount_untaxed, o.amount_total,"
    " o.invoice_status, o.delivery_status FROM sale_order o JOIN partners ON partners.id = o.partner_id",
    "lines": "SELECT o.name, l.sequence, p.default_code, l.product_uom_qty, l.qty_delivered, l.qty_invoiced, l.price_unit,"
    " l.discount, l.price_total FROM sale_order_line l JOIN sale_order o ON o.id = l.order_id"
    " JOIN partners ON partners.id = o.partner_id JOIN product_product p ON p.id = l.product_id",
    "transfers": "SELECT o.name, t.code, k.state, k.backorder_id IS NOT NULL, k.carrier_tracking_ref,"
    " array_agg(p.default_code || ' ' || m.product_uom_qty::float || ' ' || m.quantity::float || ' ' || m.state"
    " ORDER BY p.default_code, m.product_uom_qty, m.state)"
    " FROM stock_move m JOIN products p ON p.id = m.product_id JOIN stock_picking k ON k.id = m.picking_id"
    " JOIN stock_picking_type t ON t.id = k.picking_type_id LEFT JOIN sale_order o ON o.id = k.sale_id"
    " GROUP BY k.id, o.name, t.code",
    "other moves": "SELECT p.default_code, m.product_uom_qty, m.quantity, m.state FROM stock_move m"
    " JOIN products p ON p.id = m.product_id WHERE m.picking_id IS NULL AND m.sale_line_id IS NULL",
    "scraps": "SELECT p.default_code, s.scrap_qty, s.state FROM stock_scrap s JOIN products p ON p.id = s.product_id",
    "stock": "SELECT p.default_code, sum(q.quantity), sum(q.reserved_quantity) FROM stock_quant q"
    " JOIN products p ON p.id = q.product_id JOIN stock_location l ON l.id = q.location_id"
    " WHERE l.usage = 'internal' GROUP BY 1",
    "entries": "SELECT v.move_type, v.state, v.payment_state, v.amount_total, v.amount_residual, v.invoice_origin, v.ref,"
    " array_agg(i.balance::float || ' ' || COALESCE(p.default_code, i.display_type) ORDER BY i.balance, p.default_code)"
    " FROM account_move v LEFT JOIN partners ON partners.id = v.partner_id JOIN account_move_line i ON i.move_id = v.id"
    " LEFT JOIN product_product p ON p.id = i.product_id, mine"
    " WHERE partners.id IS NOT NULL OR v.ref LIKE '%%' || mine.prefix || '%%' GROUP BY v.id",
    "payments": "SELECT y.payment_type, y.state, y.amount FROM account_payment y JOIN partners ON partners.id = y.partner_id",
}


def books(end: OdooEnd) -> Books:
    """All of it, by what it is."""
    prefix = end.odoo_settings.prefix
    return {
        what: sorted((_same(row, prefix) for row in end.odoo_rows(_MINE + query, prefix)), key=repr)
        for what, query in _QUERIES.items()
    }


def _same(value: Any, prefix: str) -> Any:
    """Take the test's prefix out, and the ways in which figures may be written."""
    if isinstance(value, str):
        for called in (f"-{prefix}", f" {prefix}", f"{prefix.upper()}-", prefix):
            value = value.replace(called, "")
        return value
    if isinstance(value, tuple | list):
        return tuple(_same(one, prefix) for one in value)
    return float(value) if isinstance(value, Decimal) else value
