"""The wizard that returns what a done transfer has shipped, and scrapping."""

from __future__ import annotations

from typing import Any

from sandbox.odoo.errors import UserError
from sandbox.odoo.flows import delivery, reservation
from sandbox.odoo.orm import writing
from sandbox.odoo.orm.environment import Env
from sandbox.odoo.orm.model import Model, Values, api_records
from sandbox.odoo.orm.public import PublicModel

_OFFERED = """
SELECT picking_id, id, product_id FROM stock_move
WHERE picking_id = ANY(%s::int[]) AND state <> 'cancel' AND NOT coalesce(scrapped, false) ORDER BY sequence, id
"""

_PICKING = """
INSERT INTO stock_picking (name, origin, note, partner_id, picking_type_id, location_id, location_dest_id, move_type,
    state, priority, scheduled_date, date_deadline, date, group_id, sale_id, company_id, is_locked, return_id,
    has_deadline_issue, weight, carrier_tracking_ref, create_uid, create_date, write_uid, write_date)
SELECT w.code || '/' || t.sequence_code || '/' || lpad(nextval('ir_sequence_picking_' || t.id)::text, 5, '0'),
    'Return of ' || p.name, p.note, p.partner_id, t.id, p.location_dest_id, t.default_location_dest_id, p.move_type,
    'confirmed', p.priority, %(second)s, NULL, %(second)s, p.group_id, p.sale_id, p.company_id, true, p.id,
    false, 0.00, %(reference)s, %(uid)s, %(now)s, %(uid)s, %(now)s
FROM stock_return_picking r
JOIN stock_picking p ON p.id = r.picking_id
JOIN stock_picking_type o ON o.id = p.picking_type_id
JOIN stock_picking_type t ON t.id = o.return_picking_type_id
JOIN stock_warehouse w ON w.id = t.warehouse_id
WHERE r.id = %(wizard)s
RETURNING id, name
"""

_MOVES = """
INSERT INTO stock_move (name, sequence, priority, date, company_id, product_id, description_picking,
    product_qty, product_uom_qty, quantity, product_uom, location_id, location_dest_id, partner_id,
    picking_id, state, origin, procure_method, scrapped, group_id, propagate_cancel, picking_type_id, warehouse_id,
    additional, reference, picked, is_inventory, price_unit, to_refund, sale_line_id, weight, origin_returned_move_id,
    create_uid, create_date, write_uid, write_date)
SELECT p.name, m.sequence, m.priority, %(second)s, m.company_id, l.product_id, m.description_picking,
    l.quantity, l.quantity, 0, m.product_uom, p.location_id, p.location_dest_id, m.partner_id,
    p.id, 'confirmed', m.origin, 'make_to_stock', false, p.group_id, m.propagate_cancel, p.picking_type_id, m.warehouse_id,
    m.additional, p.name, false, false, m.price_unit, l.to_refund, m.sale_line_id, 0, m.id,
    %(uid)s, %(now)s, %(uid)s, %(now)s
FROM stock_return_picking_line l
JOIN stock_move m ON m.id = l.move_id
JOIN stock_picking p ON p.id = %(picking)s
WHERE l.wizard_id = %(wizard)s AND l.quantity <> 0 ORDER BY l.id
RETURNING id
"""

# Those that return what a wizard is about to return again.
_OPEN_RETURNS = f"""
SELECT id, picking_id FROM stock_move WHERE state IN {reservation.OPEN} AND origin_returned_move_id IN (
    SELECT move_id FROM stock_return_picking_line WHERE wizard_id = %s)
"""

_SCRAP_MOVES = """
INSERT INTO stock_move (name, sequence, priority, date, company_id, product_id, product_qty, product_uom_qty, quantity,
    product_uom, location_id, location_dest_id, picking_id, state, origin, procure_method, scrapped, scrap_id,
    propagate_cancel, additional, reference, picked, is_inventory, weight, create_uid, create_date, write_uid, write_date)
SELECT s.name, 10, '0', %(second)s, s.company_id, s.product_id, s.scrap_qty, s.scrap_qty, s.scrap_qty,
    s.product_uom_id, s.location_id, s.scrap_location_id, s.picking_id, 'assigned', coalesce(s.origin, p.name, s.name),
    'make_to_stock', true, s.id, true, false, coalesce(p.name, s.name), true, false, 0, %(uid)s, %(now)s, %(uid)s, %(now)s
FROM stock_scrap s LEFT JOIN stock_picking p ON p.id = s.picking_id WHERE s.id = %(scrap)s
RETURNING id
"""

_ENOUGH = """
SELECT NOT coalesce(t.is_storable, false) OR s.scrap_qty <= coalesce((
    SELECT sum(q.quantity) FROM stock_quant q WHERE q.product_id = s.product_id AND q.location_id = s.location_id), 0)
FROM stock_scrap s JOIN product_product v ON v.id = s.product_id JOIN product_template t ON t.id = v.product_tmpl_id
WHERE s.id = %s
"""


class ReturnLine(PublicModel):
    name = "stock.return.picking.line"
    label = "Return Picking Line"
    shown_as = "{t}.id::text"
    defaults = {"quantity": 1, "to_refund": True}


class ReturnWizard(PublicModel):
    name = "stock.return.picking"
    label = "Return Picking"
    shown_as = "{t}.id::text"

    def created(self, env: Env, ids: list[int], rows: list[Values]) -> None:
        """Whoever names no lines is offered the transfer's moves, nothing of each."""
        bare = {row["picking_id"]: one for one, row in zip(ids, rows, strict=True) if "product_return_moves" not in row}
        lines = [
            {"wizard_id": bare[picking], "move_id": move, "product_id": product, "quantity": 0}
            for picking, move, product in env.rows(_OFFERED, [list(bare)])
        ]
        writing.create(env.model("stock.return.picking.line"), env, lines)

    @api_records
    def action_create_returns(self, env: Env, ids: list[int]) -> dict[str, Any]:
        """A receipt of what the lines say, ready to be validated; the action that shows it."""
        self.require(env, ids)
        params = {
            "wizard": ids[0],
            "reference": env.context.get("default_carrier_tracking_ref"),
            "uid": env.uid,
            "now": env.now,
            "second": env.second,
        }
        before = env.pairs(_OPEN_RETURNS, [ids[0]])
        reservation.unreserve(env, list(before))
        reservation.refresh_pickings(env, before.values())
        made = env.rows(_PICKING, params)[0][0]
        moves = env.ids(_MOVES, {**params, "picking": made})
        if not moves:
            raise UserError("Please specify at least one non-zero quantity.")
        reservation.assign(env, moves)
        reservation.refresh_pickings(env, [made])
        return {
            "name": "Returned Picking",
            "view_mode": "form",
            "res_model": "stock.picking",
            "res_id": made,
            "type": "ir.actions.act_window",
            "context": dict(env.context),
        }


class Scrap(PublicModel):
    name = "stock.scrap"
    label = "Scrap"
    order = "id desc"
    defaults = {
        "name": "New",
        "company_id": 1,
        "state": "draft",
        "scrap_qty": 1,
        "location_id": 8,
        "scrap_location_id": 16,
    }

    def complete(self, env: Env, rows: list[Values]) -> None:
        units = env.pairs(
            "SELECT v.id, t.uom_id FROM product_product v JOIN product_template t ON t.id = v.product_tmpl_id"
            " WHERE v.id = ANY(%s::int[])",
            [[row["product_id"] for row in rows]],
        )
        for row in rows:
            row.setdefault("product_uom_id", units.get(row["product_id"]))

    @api_records
    def action_validate(self, env: Env, ids: list[int]) -> bool | dict[str, Any]:
        """Move one scrap's goods out of stock; where there are too few, the action that asks a person."""
        self.require(env, ids)
        [one] = ids
        if not env.rows(_ENOUGH, [one])[0][0]:
            return {
                "name": f"{self._product(env, one)}: Insufficient Quantity To Scrap",
                "view_mode": "form",
                "res_model": "stock.warn.insufficient.qty.scrap",
                "type": "ir.actions.act_window",
                "context": {**env.context, "default_scrap_id": one},
                "target": "new",
            }
        params = {"scrap": one, "uid": env.uid, "now": env.now, "second": env.second}
        env.rows(
            "UPDATE stock_scrap SET name = 'SP/' || lpad(nextval('ir_sequence_stock_scrap')::text, 5, '0'), state = 'done',"
            " date_done = %(second)s, write_uid = %(uid)s, write_date = %(now)s WHERE id = %(scrap)s",
            params,
        )
        delivery.finish(env, env.ids(_SCRAP_MOVES, params))
        return True

    def _product(self, env: Env, one: int) -> str:
        products = env.model("product.product")
        shown = products.fields["display_name"].sql("v")
        name: str = env.rows(
            f"SELECT {shown} FROM stock_scrap s JOIN product_product v ON v.id = s.product_id WHERE s.id = %s", [one]
        )[0][0]
        return name


MODELS: tuple[type[Model], ...] = (ReturnLine, ReturnWizard, Scrap)
