"""Reserving: what a move has of what it demands. Goods that are not tracked in stock are always there in full.

A storable product's moves take, in order, what the quants at their source hold and nobody has reserved.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sandbox.odoo.flows import lots
from sandbox.odoo.orm.environment import Env

OPEN = "('confirmed', 'waiting', 'partially_available', 'assigned')"

_UNTRACKED = f"""
UPDATE stock_move m SET quantity = m.product_uom_qty, state = 'assigned', write_uid = %(uid)s, write_date = %(now)s
FROM product_product v JOIN product_template t ON t.id = v.product_tmpl_id, stock_location s
WHERE m.id = ANY(%(ids)s::int[]) AND m.state IN {OPEN} AND v.id = m.product_id AND s.id = m.location_id
    AND (NOT coalesce(t.is_storable, false) OR s.usage NOT IN ('internal', 'transit'))
    AND (m.quantity < m.product_uom_qty OR m.state <> 'assigned')
"""

_STORABLE = f"""
WITH wanted AS (
    SELECT m.id, m.product_id, m.location_id, m.product_uom_qty - m.quantity AS missing,
        sum(m.product_uom_qty - m.quantity) OVER (PARTITION BY m.product_id, m.location_id
            ORDER BY m.priority DESC, m.date, m.id) AS upto
    FROM stock_move m
    JOIN product_product v ON v.id = m.product_id
    JOIN product_template t ON t.id = v.product_tmpl_id
    JOIN stock_location s ON s.id = m.location_id
    WHERE m.id = ANY(%(ids)s::int[]) AND m.state IN {OPEN} AND t.is_storable AND s.usage IN ('internal', 'transit')
), free AS (
    SELECT product_id, location_id, greatest(sum(quantity - reserved_quantity), 0) AS quantity
    FROM stock_quant GROUP BY product_id, location_id
), taken AS (
    SELECT w.id, w.product_id, w.location_id,
        greatest(least(w.missing, coalesce(f.quantity, 0) - (w.upto - w.missing)), 0) AS quantity
    FROM wanted w LEFT JOIN free f USING (product_id, location_id)
), reserved AS (
    UPDATE stock_quant q SET reserved_quantity = q.reserved_quantity + s.quantity, write_date = %(now)s
    FROM (SELECT product_id, location_id, sum(quantity) AS quantity FROM taken GROUP BY 1, 2) s
    WHERE q.id = (SELECT min(id) FROM stock_quant o WHERE o.product_id = s.product_id AND o.location_id = s.location_id)
        AND s.quantity > 0
)
UPDATE stock_move m SET quantity = m.quantity + t.quantity, write_uid = %(uid)s, write_date = %(now)s,
    state = CASE WHEN m.quantity + t.quantity >= m.product_uom_qty THEN 'assigned'
                 WHEN m.quantity + t.quantity > 0 THEN 'partially_available' ELSE 'confirmed' END
FROM taken t WHERE m.id = t.id
"""

_RELEASE = """
UPDATE stock_quant q SET reserved_quantity = q.reserved_quantity - s.quantity, write_date = %(now)s
FROM (
    SELECT m.product_id, m.location_id, sum(given.quantity) AS quantity
    FROM unnest(%(ids)s::int[], %(quantities)s::numeric[]) AS given (move, quantity)
    JOIN stock_move m ON m.id = given.move
    JOIN stock_location l ON l.id = m.location_id AND l.usage IN ('internal', 'transit')
    JOIN product_product v ON v.id = m.product_id
    JOIN product_template t ON t.id = v.product_tmpl_id AND t.is_storable
    GROUP BY 1, 2
) s
WHERE q.id = (SELECT min(id) FROM stock_quant o WHERE o.product_id = s.product_id AND o.location_id = s.location_id)
"""

_STATES = """
UPDATE stock_picking p SET state = s.state, scheduled_date = coalesce(s.scheduled, p.scheduled_date),
    date_deadline = coalesce(s.deadline, p.date_deadline), write_uid = %(uid)s, write_date = %(now)s
FROM (
    SELECT m.picking_id AS id, CASE
        WHEN bool_and(m.state = 'cancel') THEN 'cancel'
        WHEN bool_and(m.state IN ('done', 'cancel')) THEN 'done'
        WHEN bool_or(m.state = 'draft') THEN 'draft'
        WHEN min(l.usage) NOT IN ('internal', 'transit') AND bool_and(m.procure_method = 'make_to_stock') THEN 'assigned'
        WHEN bool_and(m.state IN ('done', 'cancel', 'assigned')) THEN 'assigned'
        WHEN min(p.move_type) = 'direct' AND bool_or(m.state IN ('assigned', 'partially_available')) THEN 'assigned'
        ELSE 'confirmed' END AS state,
        min(m.date) FILTER (WHERE m.state NOT IN ('done', 'cancel')) AS scheduled,
        min(m.date_deadline) FILTER (WHERE m.state <> 'cancel') AS deadline
    FROM stock_move m JOIN stock_picking p ON p.id = m.picking_id JOIN stock_location l ON l.id = p.location_id
    WHERE m.picking_id = ANY(%(ids)s::int[]) GROUP BY m.picking_id
) s
WHERE p.id = s.id AND (p.state, p.scheduled_date, p.date_deadline) IS DISTINCT FROM
    (s.state, coalesce(s.scheduled, p.scheduled_date), coalesce(s.deadline, p.date_deadline))
"""


def assign(env: Env, move_ids: Iterable[int]) -> None:
    """Reserve what the moves still miss."""
    ids = list(move_ids)
    tracked = lots.tracked(env, ids)
    params = {"ids": [one for one in ids if one not in set(tracked)], "uid": env.uid, "now": env.now}
    env.rows(_UNTRACKED, params)
    env.rows(_STORABLE, params)
    lots.assign(env, tracked)


def release(env: Env, quantities: dict[int, object]) -> None:
    """Give back reserved `quantities` (move -> how much) to the quants."""
    tracked = lots.tracked(env, list(quantities))
    lots.release(env, {one: quantities[one] for one in tracked})
    others = {one: quantity for one, quantity in quantities.items() if one not in set(tracked)}
    env.rows(_RELEASE, {"ids": list(others), "quantities": list(others.values()), "now": env.now})


def unreserve(env: Env, move_ids: Sequence[int]) -> None:
    """The open moves have nothing reserved any more."""
    held = env.pairs(
        f"SELECT id, quantity FROM stock_move WHERE id = ANY(%s::int[]) AND state IN {OPEN} AND quantity > 0",
        [list(move_ids)],
    )
    release(env, held)
    env.rows(
        "UPDATE stock_move SET quantity = 0, picked = false, state = 'confirmed', write_uid = %s, write_date = %s"
        " WHERE id = ANY(%s::int[])",
        [env.uid, env.now, list(held)],
    )


def move_to(env: Env, picking_id: int, place: int) -> None:
    """A transfer's open moves leave from another place: what was reserved is given back, and reserved there."""
    moves = env.ids(
        f"SELECT id FROM stock_move WHERE picking_id = %s AND state IN {OPEN} AND location_id <> %s AND NOT scrapped",
        [picking_id, place],
    )
    unreserve(env, moves)
    env.rows("UPDATE stock_move SET location_id = %s WHERE id = ANY(%s::int[])", [place, moves])
    assign(env, moves)


def trim(env: Env, move_ids: Sequence[int]) -> None:
    """Moves whose demand sank keep no more than they demand; what is already picked stays picked."""
    excess = env.pairs(
        "SELECT id, quantity - product_uom_qty FROM stock_move WHERE id = ANY(%s::int[]) AND quantity > product_uom_qty"
        " AND NOT coalesce(picked, false)",
        [list(move_ids)],
    )
    release(env, excess)
    env.rows(
        f"UPDATE stock_move SET quantity = CASE WHEN picked THEN quantity ELSE least(quantity, product_uom_qty) END,"
        f" state = CASE WHEN quantity >= product_uom_qty THEN 'assigned' ELSE state END,"
        f" write_uid = %s, write_date = %s WHERE id = ANY(%s::int[]) AND state IN {OPEN}",
        [env.uid, env.now, list(move_ids)],
    )


def cancel_moves(env: Env, move_ids: Sequence[int]) -> None:
    """Open moves are cancelled and hold nothing."""
    unreserve(env, move_ids)
    env.rows(
        "UPDATE stock_move SET state = 'cancel', quantity = 0, picked = false, write_uid = %s, write_date = %s"
        " WHERE id = ANY(%s::int[]) AND state NOT IN ('done', 'cancel')",
        [env.uid, env.now, list(move_ids)],
    )


def refresh_pickings(env: Env, picking_ids: Iterable[int]) -> None:
    """States and dates of transfers, from their moves as they now are."""
    env.rows(_STATES, {"ids": list(picking_ids), "uid": env.uid, "now": env.now})
