"""Shipping: what is picked leaves, what is not goes to a backorder or is cancelled.

A move that ships in part is split: it keeps what ships, a new move takes the rest. A move of which nothing ships keeps
its id and moves to the backorder. Without a backorder the moves keep their demand, and what does not ship is cancelled.
"""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.odoo.flows import lots, order_figures, reservation
from sandbox.odoo.orm.environment import Env

_SPLIT = """
INSERT INTO stock_move (name, sequence, priority, date, date_deadline, company_id, product_id, description_picking,
    product_qty, product_uom_qty, quantity, product_uom, location_id, location_dest_id, location_final_id, partner_id,
    picking_id, state, origin, procure_method, scrapped, group_id, propagate_cancel, picking_type_id, warehouse_id,
    additional, reference, picked, is_inventory, price_unit, to_refund, sale_line_id, weight, reservation_date, origin_returned_move_id,
    create_uid, create_date, write_uid, write_date)
SELECT name, sequence, priority, date, date_deadline, company_id, product_id, description_picking,
    product_uom_qty - quantity, product_uom_qty - quantity, 0, product_uom, location_id, location_dest_id,
    location_final_id, partner_id, picking_id, 'confirmed', origin, procure_method, scrapped, group_id,
    propagate_cancel, picking_type_id, warehouse_id, additional, reference, false, is_inventory, price_unit, to_refund,
    sale_line_id, 0, reservation_date, origin_returned_move_id, %(uid)s, %(now)s, %(uid)s, %(now)s
FROM (SELECT * FROM stock_move WHERE id = ANY(%(ids)s::int[]) AND quantity < product_uom_qty ORDER BY id) m
"""

_QUANTS = """
WITH shipped AS (
    SELECT m.product_id, m.location_id, m.location_dest_id, m.company_id, l.lot_id,
        sum(coalesce(l.quantity, m.quantity)) AS quantity,
        sum(coalesce(l.quantity, m.quantity)) FILTER (WHERE NOT coalesce(m.scrapped, false)) AS reserved
    FROM stock_move m
    JOIN product_product v ON v.id = m.product_id
    JOIN product_template t ON t.id = v.product_tmpl_id AND t.is_storable
    LEFT JOIN stock_move_line l ON l.move_id = m.id
    WHERE m.id = ANY(%(ids)s::int[]) GROUP BY 1, 2, 3, 4, 5
), change AS (
    SELECT product_id, location_id, company_id, lot_id, sum(quantity) AS quantity, sum(reserved) AS reserved
    FROM (SELECT product_id, location_id, company_id, lot_id, -quantity AS quantity, -coalesce(reserved, 0) AS reserved FROM shipped
          UNION ALL SELECT product_id, location_dest_id, company_id, lot_id, quantity, 0 FROM shipped) c GROUP BY 1, 2, 3, 4
), changed AS (
    UPDATE stock_quant q SET quantity = q.quantity + c.quantity,
        reserved_quantity = greatest(q.reserved_quantity + c.reserved, 0), write_date = %(now)s, write_uid = %(uid)s
    FROM change c
    WHERE q.id = (SELECT min(id) FROM stock_quant o WHERE o.product_id = c.product_id AND o.location_id = c.location_id
                  AND o.lot_id IS NOT DISTINCT FROM c.lot_id)
    RETURNING q.product_id, q.location_id, q.lot_id
)
INSERT INTO stock_quant (product_id, location_id, company_id, lot_id, quantity, reserved_quantity, in_date,
    create_uid, create_date, write_uid, write_date)
SELECT product_id, location_id, company_id, lot_id, quantity, 0, %(now)s, %(uid)s, %(now)s, %(uid)s, %(now)s
FROM change c WHERE NOT EXISTS (SELECT 1 FROM changed d WHERE d.product_id = c.product_id
    AND d.location_id = c.location_id AND d.lot_id IS NOT DISTINCT FROM c.lot_id)
"""

_BACKORDERS = """
INSERT INTO stock_picking (name, origin, note, partner_id, picking_type_id, location_id, location_dest_id, move_type,
    state, priority, scheduled_date, date_deadline, date, group_id, sale_id, company_id, is_locked,
    has_deadline_issue, weight, backorder_id, create_uid, create_date, write_uid, write_date)
SELECT w.code || '/' || t.sequence_code || '/'
        || lpad(nextval('ir_sequence_picking_' || t.id)::text, 5, '0'),
    p.origin, p.note, p.partner_id, p.picking_type_id, p.location_id, p.location_dest_id, p.move_type,
    'confirmed', p.priority, p.scheduled_date, p.date_deadline, %(second)s, p.group_id, p.sale_id, p.company_id, true,
    false, 0.00, p.id, %(uid)s, %(now)s, %(uid)s, %(now)s
FROM (
    SELECT * FROM stock_picking q WHERE q.id = ANY(%(ids)s::int[]) AND EXISTS (
        SELECT 1 FROM stock_move m WHERE m.picking_id = q.id AND m.state NOT IN ('done', 'cancel')) ORDER BY id
) p
JOIN stock_picking_type t ON t.id = p.picking_type_id
JOIN stock_warehouse w ON w.id = t.warehouse_id
RETURNING id, backorder_id
"""

_TO_BACKORDER = """
UPDATE stock_move m SET picking_id = b.id, picked = false, reference = p.name, write_uid = %(uid)s, write_date = %(now)s
FROM unnest(%(backorders)s::int[], %(pickings)s::int[]) AS b (id, picking) JOIN stock_picking p ON p.id = b.id
WHERE m.picking_id = b.picking AND m.state NOT IN ('done', 'cancel')
RETURNING m.id
"""


def ship(env: Env, picking_ids: Sequence[int], *, without_backorder: Sequence[int] = ()) -> None:
    """Ship what is picked in the transfers; `without_backorder` are those whose rest is cancelled."""
    closing = [one for one in picking_ids if one in set(without_backorder)]
    others = [one for one in picking_ids if one not in set(without_backorder)]
    _cancel_empty(env, picking_ids, closing)
    leaving = _leaving(env, picking_ids)
    _split(env, [move for move, picking in leaving if picking in set(others)])
    finish(env, [move for move, _ in leaving])
    shipped = {picking for _, picking in leaving}
    _backorder(env, [one for one in others if one in shipped])
    reservation.refresh_pickings(env, picking_ids)
    _close(env, picking_ids)
    refresh_sales(env, picking_ids)


def _cancel_empty(env: Env, picking_ids: Sequence[int], closing: Sequence[int]) -> None:
    """Moves that demand nothing, and where no backorder follows all that ship nothing."""
    empty = env.ids(
        "SELECT id FROM stock_move WHERE picking_id = ANY(%s::int[]) AND state NOT IN ('done', 'cancel')"
        " AND (quantity <= 0 OR NOT picked) AND (product_uom_qty = 0 OR picking_id = ANY(%s::int[]))",
        [list(picking_ids), list(closing)],
    )
    reservation.cancel_moves(env, empty)


def _leaving(env: Env, picking_ids: Sequence[int]) -> list[tuple[int, int]]:
    rows = env.rows(
        "SELECT id, picking_id FROM stock_move WHERE picking_id = ANY(%s::int[])"
        " AND state NOT IN ('done', 'cancel') AND quantity > 0 AND picked ORDER BY id",
        [list(picking_ids)],
    )
    return [(row[0], row[1]) for row in rows]


def _split(env: Env, moves: Sequence[int]) -> None:
    params = {"ids": list(moves), "uid": env.uid, "now": env.now}
    env.rows(_SPLIT, params)
    env.rows(
        "UPDATE stock_move SET product_uom_qty = quantity, product_qty = quantity"
        " WHERE id = ANY(%(ids)s::int[]) AND quantity < product_uom_qty",
        params,
    )


def finish(env: Env, moves: Sequence[int]) -> None:
    """Moves are done, and their goods where they went."""
    params = {"ids": list(moves), "uid": env.uid, "now": env.now, "second": env.second}
    env.rows(_QUANTS, params)
    lots.finish(env, moves)
    env.rows(
        "UPDATE stock_move SET state = 'done', date = %(second)s, write_uid = %(uid)s, write_date = %(now)s"
        " WHERE id = ANY(%(ids)s::int[])",
        params,
    )


def _backorder(env: Env, picking_ids: Sequence[int]) -> None:
    params = {"ids": list(picking_ids), "uid": env.uid, "now": env.now, "second": env.second}
    rows = env.rows(_BACKORDERS, params)
    if not rows:
        return
    backorders = [row[0] for row in rows]
    moved = env.ids(_TO_BACKORDER, {**params, "backorders": backorders, "pickings": [row[1] for row in rows]})
    env.rows(
        "UPDATE stock_move_line l SET picking_id = m.picking_id, picked = false FROM stock_move m"
        " WHERE m.id = l.move_id AND m.id = ANY(%s::int[])",
        [moved],
    )
    reservation.assign(env, moved)
    reservation.refresh_pickings(env, backorders)


def _close(env: Env, picking_ids: Sequence[int]) -> None:
    env.rows(
        "UPDATE stock_picking SET date_done = %s, priority = '0' WHERE id = ANY(%s::int[]) AND state = 'done'"
        " AND date_done IS NULL",
        [env.second, list(picking_ids)],
    )


def cancel(env: Env, picking_ids: Sequence[int]) -> None:
    """Open transfers and their moves are cancelled."""
    moves = env.ids(
        "SELECT id FROM stock_move WHERE picking_id = ANY(%s::int[]) AND state NOT IN ('done', 'cancel')",
        [list(picking_ids)],
    )
    reservation.cancel_moves(env, moves)
    reservation.refresh_pickings(env, picking_ids)


def refresh_sales(env: Env, picking_ids: Sequence[int]) -> None:
    """The orders behind the transfers: delivered quantities and statuses."""
    rows = env.rows(
        "SELECT DISTINCT m.sale_line_id, l.order_id FROM stock_move m JOIN sale_order_line l ON l.id = m.sale_line_id"
        " WHERE m.picking_id = ANY(%s::int[])",
        [list(picking_ids)],
    )
    order_figures.refresh_delivered(env, [row[0] for row in rows])
    order_figures.refresh_orders(env, sorted({row[1] for row in rows}))
