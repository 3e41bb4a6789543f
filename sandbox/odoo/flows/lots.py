"""Lots and serial numbers: moves of tracked products reserve and ship by lines, a line a lot; so do their quants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from sandbox.odoo.orm.environment import Env

_INSERT = """
INSERT INTO stock_move_line (picking_id, move_id, company_id, product_id, product_uom_id, lot_id, location_id,
    location_dest_id, state, reference, quantity, quantity_product_uom, picked, date,
    create_uid, create_date, write_uid, write_date)
SELECT picking_id, id, company_id, product_id, product_uom, %(lot)s, location_id, location_dest_id, state, reference,
    %(quantity)s, %(quantity)s, coalesce(picked, false), %(second)s, %(uid)s, %(now)s, %(uid)s, %(now)s
FROM stock_move WHERE id = %(move)s
"""

_FREE = """
SELECT q.lot_id, q.quantity - q.reserved_quantity FROM stock_quant q
JOIN stock_move m ON m.product_id = q.product_id AND m.location_id = q.location_id
WHERE m.id = %s AND q.quantity > q.reserved_quantity ORDER BY q.in_date, q.id
"""

_RESERVE = """
UPDATE stock_quant q SET reserved_quantity = greatest(q.reserved_quantity + s.quantity, 0), write_date = %(now)s
FROM (SELECT product_id, location_id, lot_id, sum(quantity) * %(sign)s AS quantity FROM stock_move_line
      WHERE id = ANY(%(ids)s::int[]) AND state NOT IN ('done', 'cancel') GROUP BY 1, 2, 3) s
WHERE q.product_id = s.product_id AND q.location_id = s.location_id AND q.lot_id IS NOT DISTINCT FROM s.lot_id
"""


def tracked(env: Env, move_ids: Sequence[int]) -> list[int]:
    """Those of the moves whose products are tracked by lot or serial number."""
    return env.ids(
        "SELECT m.id FROM stock_move m JOIN product_product v ON v.id = m.product_id"
        " JOIN product_template t ON t.id = v.product_tmpl_id"
        " WHERE m.id = ANY(%s::int[]) AND coalesce(t.tracking, 'none') <> 'none' ORDER BY m.id",
        [list(move_ids)],
    )


def assign(env: Env, move_ids: Sequence[int]) -> None:
    """Reserve what these moves still miss: lots in stock, oldest first; of a return those that were shipped."""
    rows = env.rows(
        "SELECT m.id, m.product_uom_qty - m.quantity, l.usage IN ('internal', 'transit'), m.origin_returned_move_id"
        " FROM stock_move m JOIN stock_location l ON l.id = m.location_id WHERE m.id = ANY(%s::int[])"
        " AND m.state IN ('confirmed', 'waiting', 'partially_available', 'assigned') AND m.product_uom_qty > m.quantity"
        " ORDER BY m.priority DESC, m.date, m.id",
        [list(move_ids)],
    )
    for move, missing, in_stock, origin in rows:
        offered = env.rows(_FREE, [move]) if in_stock else _shipped(env, origin)
        got = _take(env, move, missing, [(row[0], row[1]) for row in offered])
        if not in_stock and got < missing:
            _insert(env, move, None, missing - got)
            got = missing
        env.rows(
            "UPDATE stock_move SET quantity = quantity + %s, state = CASE WHEN quantity + %s >= product_uom_qty"
            " THEN 'assigned' WHEN quantity + %s > 0 THEN 'partially_available' ELSE 'confirmed' END WHERE id = %s",
            [got, got, got, move],
        )


def release(env: Env, quantities: Mapping[int, object]) -> None:
    """Give back so much of each move's lines, the newest first; below zero it takes more, without a lot if need be."""
    for move, quantity in quantities.items():
        left = Decimal(str(quantity))
        if left < 0:
            left += _take(env, move, -left, [(row[0], row[1]) for row in env.rows(_FREE, [move])])
            if left < 0:
                _insert(env, move, None, -left)
            continue
        lines = env.rows("SELECT id, quantity FROM stock_move_line WHERE move_id = %s ORDER BY id DESC", [move])
        for line, held in lines:
            if left <= 0:
                break
            some = min(left, held)
            reserve(env, [line], sign=-1)
            env.rows("UPDATE stock_move_line SET quantity = quantity - %s WHERE id = %s", [some, line])
            reserve(env, [line])
            left -= some
        env.rows("DELETE FROM stock_move_line WHERE move_id = %s AND quantity <= 0", [move])


def reserve(env: Env, line_ids: Sequence[int], *, sign: int = 1) -> None:
    """Reserve what these lines say; with the sign -1 give it back."""
    env.rows(_RESERVE, {"ids": list(line_ids), "sign": sign, "now": env.now})


def finish(env: Env, move_ids: Sequence[int]) -> None:
    """The lines of moves that are done are done."""
    env.rows(
        "UPDATE stock_move_line SET state = 'done', date = %s WHERE move_id = ANY(%s::int[])",
        [env.second, list(move_ids)],
    )


def without(env: Env, picking_ids: Sequence[int]) -> list[str]:
    """What of these transfers is to ship without the lot that it has to have: names of products."""
    names: list[str] = [
        row[0]
        for row in env.rows(
            "SELECT DISTINCT CASE WHEN coalesce(v.default_code, '') = '' THEN '' ELSE '[' || v.default_code || '] ' END"
            " || (t.name->>'en_US') FROM stock_move_line l JOIN stock_move m ON m.id = l.move_id"
            " JOIN product_product v ON v.id = m.product_id JOIN product_template t ON t.id = v.product_tmpl_id"
            " WHERE m.picking_id = ANY(%s::int[]) AND m.state NOT IN ('done', 'cancel') AND m.picked AND l.quantity > 0"
            " AND l.lot_id IS NULL AND coalesce(l.lot_name, '') = '' AND t.tracking <> 'none'",
            [list(picking_ids)],
        )
    ]
    return names


def _shipped(env: Env, origin: int | None) -> list[tuple[int, Decimal]]:
    rows = env.rows("SELECT lot_id, quantity FROM stock_move_line WHERE move_id = %s ORDER BY id", [origin])
    return [(row[0], row[1]) for row in rows]


def _take(env: Env, move: int, wanted: Decimal, offered: Sequence[tuple[int | None, Decimal]]) -> Decimal:
    left = wanted
    for lot, there in offered:
        some = min(left, there)
        if some > 0:
            _insert(env, move, lot, some)
            left -= some
    return wanted - left


def _insert(env: Env, move: int, lot: int | None, quantity: Decimal) -> None:
    params = {"move": move, "lot": lot, "quantity": quantity, "uid": env.uid, "now": env.now, "second": env.second}
    reserve(env, env.ids(f"{_INSERT} RETURNING id", params))
