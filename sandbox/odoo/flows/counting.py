"""Applying counts: a move from or to inventory loss for each difference; what is reserved beyond what is there is given back."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.odoo.flows import reservation
from sandbox.odoo.orm.environment import Env

_LOSS = 14

_MOVES = """
INSERT INTO stock_move (name, sequence, priority, date, company_id, product_id, product_qty, product_uom_qty, quantity,
    product_uom, location_id, location_dest_id, state, procure_method, scrapped, propagate_cancel, additional, picked,
    is_inventory, weight, create_uid, create_date, write_uid, write_date)
SELECT coalesce(%(name)s, 'Product Quantity Updated'), 10, '0', %(second)s, q.company_id, q.product_id, abs(d.diff),
    abs(d.diff), abs(d.diff), t.uom_id, CASE WHEN d.diff > 0 THEN %(loss)s ELSE q.location_id END,
    CASE WHEN d.diff > 0 THEN q.location_id ELSE %(loss)s END, 'done', 'make_to_stock', false, true, false, true, true, 0,
    %(uid)s, %(now)s, %(uid)s, %(now)s
FROM stock_quant q
CROSS JOIN LATERAL (SELECT coalesce(q.inventory_quantity, 0) - q.quantity AS diff) d
JOIN product_product v ON v.id = q.product_id
JOIN product_template t ON t.id = v.product_tmpl_id
WHERE q.id = ANY(%(ids)s::int[]) AND q.inventory_quantity_set ORDER BY q.id
"""

_APPLY = """
UPDATE stock_quant SET quantity = coalesce(inventory_quantity, 0), inventory_quantity = 0, inventory_diff_quantity = 0,
    inventory_quantity_set = false, user_id = NULL, write_uid = %(uid)s, write_date = %(now)s
WHERE id = ANY(%(ids)s::int[]) AND inventory_quantity_set
"""

_MERGE = """
UPDATE stock_quant q SET reserved_quantity = s.reserved
FROM (SELECT min(id) AS keeper, sum(reserved_quantity) AS reserved, product_id, location_id, lot_id FROM stock_quant
      GROUP BY product_id, location_id, lot_id HAVING count(*) > 1) s
WHERE q.id = s.keeper
"""

_RESERVED = """
SELECT m.id, least(m.quantity, q.reserved_quantity - greatest(q.quantity, 0))
FROM stock_quant q JOIN stock_move m ON m.product_id = q.product_id AND m.location_id = q.location_id
WHERE q.id = %s AND q.reserved_quantity > greatest(q.quantity, 0) AND m.quantity > 0
    AND m.state IN ('confirmed', 'waiting', 'partially_available', 'assigned')
ORDER BY m.id DESC LIMIT 1
"""


def apply(env: Env, quant_ids: Sequence[int]) -> None:
    """What was counted is on hand."""
    params = {
        "ids": list(quant_ids),
        "loss": _LOSS,
        "name": env.context.get("inventory_name"),
        "uid": env.uid,
        "now": env.now,
        "second": env.second,
    }
    env.rows(_MOVES, params)
    env.rows(_APPLY, params)
    env.rows(_MERGE)
    for one in quant_ids:
        _free(env, one)


def _free(env: Env, quant_id: int) -> None:
    """The newest moves give back what is no longer there."""
    while found := env.pairs(_RESERVED, [quant_id]):
        reservation.release(env, found)
        [(move, quantity)] = found.items()
        env.rows(
            "UPDATE stock_move SET quantity = quantity - %s, state = CASE WHEN quantity > %s THEN 'partially_available'"
            " ELSE 'confirmed' END WHERE id = %s",
            [quantity, quantity, move],
        )
        reservation.refresh_pickings(env, env.ids("SELECT picking_id FROM stock_move WHERE id = %s", [move]))
