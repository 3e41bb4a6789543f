"""From confirmed order lines to stock moves: what a line still needs, as a new move, a larger one or a smaller one.

Moves are counted in the product's own unit. A need joins the order's open transfer to the customer, or opens one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from decimal import Decimal

from sandbox.odoo.flows import reservation
from sandbox.odoo.orm.environment import Env

WAREHOUSE = 1
STOCK, CUSTOMERS = 8, 5


@dataclass(frozen=True, kw_only=True)
class Route:
    """Which way goods go: the kind of transfer, from, to, and whether the order counts them back."""

    type: int
    src: int
    dest: int
    refund: bool


OUTGOING = Route(type=2, src=STOCK, dest=CUSTOMERS, refund=False)
# A line of less than nothing comes back by a receipt.
INCOMING = Route(type=1, src=CUSTOMERS, dest=STOCK, refund=True)

_NEEDS = """
SELECT l.id, l.order_id, round((l.product_uom_qty - coalesce(m.planned, 0)) / lu.factor * pu.factor, 2) AS need
FROM sale_order_line l
JOIN sale_order o ON o.id = l.order_id
JOIN product_product v ON v.id = l.product_id
JOIN product_template t ON t.id = v.product_tmpl_id
JOIN uom_uom lu ON lu.id = l.product_uom
JOIN uom_uom pu ON pu.id = t.uom_id
LEFT JOIN LATERAL (
    SELECT round(sum(CASE WHEN dest.usage = 'customer' THEN 1 WHEN m.to_refund THEN -1 ELSE 0 END
        * CASE WHEN m.state = 'done' THEN m.quantity ELSE m.product_uom_qty END / mu.factor * lu.factor), 2) AS planned
    FROM stock_move m
    JOIN uom_uom mu ON mu.id = m.product_uom
    JOIN stock_location dest ON dest.id = m.location_dest_id
    WHERE m.sale_line_id = l.id AND m.state <> 'cancel' AND NOT coalesce(m.scrapped, false)
        AND m.product_id = l.product_id
) m ON true
WHERE l.id = ANY(%s::int[]) AND o.state = 'sale' AND NOT coalesce(o.locked, false) AND t.type = 'consu'
    AND l.display_type IS NULL
ORDER BY l.order_id, l.sequence, l.id
"""

_GROUPS = """
WITH added AS (
    INSERT INTO procurement_group (name, partner_id, sale_id, move_type, create_uid, create_date, write_uid, write_date)
    SELECT name, partner_shipping_id, id, picking_policy, %(uid)s, %(now)s, %(uid)s, %(now)s
    FROM sale_order WHERE id = ANY(%(ids)s::int[]) AND procurement_group_id IS NULL ORDER BY id
    RETURNING id, sale_id
)
UPDATE sale_order o SET procurement_group_id = a.id FROM added a WHERE o.id = a.sale_id
"""

_PICKINGS = """
INSERT INTO stock_picking (name, origin, partner_id, picking_type_id, location_id, location_dest_id, move_type, state,
    priority, scheduled_date, date_deadline, date, group_id, sale_id, company_id, is_locked,
    has_deadline_issue, weight, create_uid, create_date, write_uid, write_date)
SELECT w.code || '/' || t.sequence_code || '/' || lpad(nextval('ir_sequence_picking_' || t.id)::text, 5, '0'),
    o.name || coalesce(' - ' || nullif(o.client_order_ref, ''), ''), o.partner_shipping_id, %(type)s, %(src)s, %(dest)s,
    o.picking_policy, 'confirmed', '0', coalesce(o.commitment_date, o.date_order), coalesce(o.commitment_date,
    o.date_order), o.date_order, o.procurement_group_id, o.id, o.company_id, true, false, 0.00,
    %(uid)s, %(now)s, %(uid)s, %(now)s
FROM (SELECT * FROM sale_order WHERE id = ANY(%(ids)s::int[]) ORDER BY id) o
JOIN stock_picking_type t ON t.id = %(type)s
JOIN stock_warehouse w ON w.id = t.warehouse_id
"""

_OPEN_PICKINGS = """
SELECT DISTINCT ON (sale_id) sale_id, id FROM stock_picking
WHERE sale_id = ANY(%s::int[]) AND picking_type_id = %s AND NOT coalesce(printed, false)
    AND state IN ('draft', 'confirmed', 'waiting', 'partially_available', 'assigned')
ORDER BY sale_id, priority DESC, scheduled_date, id DESC
"""

_RAISE = """
UPDATE stock_move m SET product_uom_qty = m.product_uom_qty + n.need, product_qty = m.product_qty + n.need,
    write_uid = %(uid)s, write_date = %(now)s
FROM unnest(%(lines)s::int[], %(needs)s::numeric[], %(pickings)s::int[]) AS n (line, need, picking)
WHERE m.sale_line_id = n.line AND m.picking_id = n.picking AND m.state NOT IN ('done', 'cancel', 'draft')
    AND m.id = (SELECT min(f.id) FROM stock_move f WHERE f.sale_line_id = n.line AND f.picking_id = n.picking
                AND f.state NOT IN ('done', 'cancel', 'draft'))
RETURNING m.sale_line_id, m.id
"""

_MOVES = """
INSERT INTO stock_move (name, sequence, priority, date, date_deadline, company_id, product_id, description_picking,
    product_qty, product_uom_qty, quantity, product_uom, location_id, location_dest_id, location_final_id, partner_id,
    picking_id, state, origin, procure_method, scrapped, group_id, propagate_cancel, picking_type_id, warehouse_id,
    additional, reference, picked, to_refund, sale_line_id, weight, reservation_date,
    create_uid, create_date, write_uid, write_date)
SELECT CASE WHEN coalesce(v.default_code, '') = '' THEN '' ELSE '[' || v.default_code || '] ' END || (t.name->>'en_US'),
    l.sequence, '0', due.at, due.at, o.company_id, v.id, t.name->>'en_US', n.need, n.need, 0, t.uom_id, %(src)s,
    %(dest)s, %(dest)s, o.partner_shipping_id, p.id, 'confirmed', p.origin, 'make_to_stock', false, p.group_id, true,
    %(type)s, %(warehouse)s, false, p.name, false, nullif(%(refund)s, false), l.id, n.need * coalesce(v.weight, 0),
    due.at::date,
    %(uid)s, %(now)s, %(uid)s, %(now)s
FROM unnest(%(lines)s::int[], %(needs)s::numeric[], %(pickings)s::int[]) WITH ORDINALITY
    AS n (line, need, picking, place)
JOIN sale_order_line l ON l.id = n.line
JOIN sale_order o ON o.id = l.order_id
JOIN stock_picking p ON p.id = n.picking
JOIN product_product v ON v.id = l.product_id
JOIN product_template t ON t.id = v.product_tmpl_id
CROSS JOIN LATERAL (
    SELECT coalesce(o.commitment_date, o.date_order + l.customer_lead * interval '1 day') AS at
) due
ORDER BY n.place
RETURNING id
"""


@dataclass(frozen=True, kw_only=True)
class Need:
    """What a line needs more (or less, below zero) than its moves bring, in the product's unit."""

    line: int
    order: int
    quantity: Decimal


def launch(env: Env, line_ids: Sequence[int]) -> None:
    """Bring the moves of confirmed goods lines in step with the ordered quantities, and reserve."""
    needs = [Need(line=row[0], order=row[1], quantity=row[2]) for row in env.rows(_NEEDS, [list(line_ids)])]
    changed = [need for need in needs if need.quantity]
    if not changed:
        return
    orders = sorted({need.order for need in changed})
    env.rows(_GROUPS, _params(env, OUTGOING, ids=orders))
    back = [_lower(env, need) for need in changed if need.quantity < 0]
    touched = _supply(env, OUTGOING, [need for need in changed if need.quantity > 0])
    touched += _supply(env, INCOMING, [need for need in back if need.quantity])
    reservation.assign(env, touched)
    reservation.refresh_pickings(env, env.ids("SELECT id FROM stock_picking WHERE sale_id = ANY(%s::int[])", [orders]))


def _supply(env: Env, route: Route, needs: Sequence[Need]) -> list[int]:
    """Larger or new moves for `needs`; the moves' ids."""
    if not needs:
        return []
    pickings = _open_pickings(env, route, {need.order for need in needs})
    raised = env.pairs(_RAISE, _needed(env, route, needs, pickings))
    fresh = [need for need in needs if need.line not in raised]
    return [*raised.values(), *env.ids(_MOVES, _needed(env, route, fresh, pickings))]


def _open_pickings(env: Env, route: Route, orders: Iterable[int]) -> dict[int, int]:
    """Order -> its open transfer; orders without one get one."""
    wanted = sorted(orders)
    have = env.pairs(_OPEN_PICKINGS, [wanted, route.type])
    without = [order for order in wanted if order not in have]
    env.rows(_PICKINGS, _params(env, route, ids=without))
    return env.pairs(_OPEN_PICKINGS, [wanted, route.type])


def _needed(env: Env, route: Route, needs: Sequence[Need], pickings: dict[int, int]) -> dict[str, object]:
    return _params(
        env,
        route,
        lines=[need.line for need in needs],
        needs=[need.quantity for need in needs],
        pickings=[pickings[need.order] for need in needs],
    )


def _lower(env: Env, need: Need) -> Need:
    """Take what is too much out of the line's open deliveries; a move left with nothing is cancelled. What is left over
    has to come back.
    """
    excess = -need.quantity
    moves = env.rows(
        "SELECT id, product_uom_qty FROM stock_move WHERE sale_line_id = %s AND state NOT IN ('done', 'cancel')"
        " AND location_dest_id = %s ORDER BY id",
        [need.line, CUSTOMERS],
    )
    for move, quantity in moves:
        taken = min(excess, quantity)
        excess -= taken
        env.rows(
            "UPDATE stock_move SET product_uom_qty = product_uom_qty - %s, product_qty = product_qty - %s,"
            " write_uid = %s, write_date = %s WHERE id = %s",
            [taken, taken, env.uid, env.now, move],
        )
        if taken == quantity:
            reservation.cancel_moves(env, [move])
        else:
            reservation.trim(env, [move])
    return replace(need, quantity=excess)


def _params(env: Env, route: Route, **values: object) -> dict[str, object]:
    return {"uid": env.uid, "now": env.now, "warehouse": WAREHOUSE, **asdict(route), **values}
