"""Transfers: reserve, ship in full or in part, cancel."""

from __future__ import annotations

from typing import Any

from sandbox.odoo.errors import UserError
from sandbox.odoo.flows import delivery, lots, reservation
from sandbox.odoo.orm.environment import Env
from sandbox.odoo.orm.fields import Field
from sandbox.odoo.orm.model import Changes, Values, api_records
from sandbox.odoo.orm.public import PublicModel

_EMPTY = "You can’t validate an empty transfer. Please add some products to move before proceeding."
_NOTHING = "You cannot validate a transfer if no quantities are reserved. To force the transfer, encode quantities."


class Picking(PublicModel):
    name = "stock.picking"
    label = "Transfer"
    order = "priority desc, scheduled_date asc, id desc"
    defaults = {
        "company_id": 1,
        "move_type": "direct",
        "priority": "0",
        "state": "draft",
        "is_locked": True,
        "picking_type_id": 2,
        "location_id": 8,
        "location_dest_id": 5,
    }
    computed = (
        Field(
            model="stock.picking", name="picking_type_code", kind="selection", label="Type of Operation",
            expression="SELECT y.code FROM stock_picking_type y WHERE y.id = {t}.picking_type_id",
        ),
    )  # fmt: skip

    def default_values(self, env: Env) -> Values:
        return {**self.defaults, "scheduled_date": env.second, "date": env.second}

    def created(self, env: Env, ids: list[int], rows: list[Values]) -> None:
        env.rows(
            "UPDATE stock_picking p SET name = w.code || '/' || t.sequence_code || '/'"
            " || lpad(nextval('ir_sequence_picking_' || t.id)::text, 5, '0')"
            " FROM stock_picking_type t JOIN stock_warehouse w ON w.id = t.warehouse_id"
            " WHERE t.id = p.picking_type_id AND p.id = ANY(%s::int[])",
            [ids],
        )

    def after_write(self, env: Env, changes: Changes) -> None:
        """Goods that are to leave from another place are reserved there."""
        for one, values in changes.items():
            if values.get("location_id"):
                reservation.move_to(env, one, int(values["location_id"]))
                reservation.refresh_pickings(env, [one])

    @api_records
    def action_confirm(self, env: Env, ids: list[int]) -> bool:
        """Draft moves become real and are reserved."""
        self.require(env, ids)
        moves = env.ids(
            "UPDATE stock_move SET state = 'confirmed' WHERE picking_id = ANY(%s::int[]) AND state = 'draft'"
            " RETURNING id",
            [ids],
        )
        reservation.assign(env, moves)
        reservation.refresh_pickings(env, ids)
        return True

    @api_records
    def action_assign(self, env: Env, ids: list[int]) -> bool:
        """Reserve what the moves still miss."""
        self.require(env, ids)
        self.action_confirm(env, ids)
        moves = env.ids(
            "SELECT id FROM stock_move WHERE picking_id = ANY(%s::int[]) AND state NOT IN ('draft', 'cancel', 'done')",
            [ids],
        )
        if not moves:
            raise UserError("Nothing to check the availability for.")
        reservation.assign(env, moves)
        reservation.refresh_pickings(env, ids)
        return True

    @api_records
    def do_unreserve(self, env: Env, ids: list[int]) -> None:
        """Give back what is reserved."""
        self.require(env, ids)
        reservation.unreserve(env, env.ids("SELECT id FROM stock_move WHERE picking_id = ANY(%s::int[])", [ids]))
        reservation.refresh_pickings(env, ids)

    @api_records
    def action_cancel(self, env: Env, ids: list[int]) -> bool:
        """Cancel transfers; a done move refuses."""
        self.require(env, ids)
        if env.count("SELECT count(*) FROM stock_move WHERE picking_id = ANY(%s::int[]) AND state = 'done'", [ids]):
            raise UserError(
                "You cannot cancel a stock move that has been set to 'Done'."
                " Create a return in order to reverse the moves which took place."
            )
        delivery.cancel(env, ids)
        delivery.refresh_sales(env, ids)
        return True

    @api_records
    def button_validate(self, env: Env, ids: list[int]) -> bool | Values:
        """Ship. Where less than the demand is picked: the backorder wizard's action, and nothing has happened, unless
        the context says `skip_backorder`; with `picking_ids_not_to_backorder` too, the rest is cancelled.
        """
        self.require(env, ids)
        drafts = env.ids("SELECT id FROM stock_picking WHERE id = ANY(%s::int[]) AND state = 'draft'", [ids])
        if drafts:
            self.action_confirm(env, drafts)
        self._check_something_moves(env, ids)
        _pick_all_where_none_is(env, ids)
        if nameless := lots.without(env, ids):
            raise UserError(f"You need to supply a Lot/Serial number for products {', '.join(nameless)}.")
        partial = [] if env.context.get("skip_backorder") else _partial(env, ids)
        if partial:
            return _backorder_wizard(env, ids, partial)
        delivery.ship(env, ids, without_backorder=env.context.get("picking_ids_not_to_backorder") or ())
        return True

    def _check_something_moves(self, env: Env, ids: list[int]) -> None:
        rows = env.rows(
            "SELECT p.name, count(m.id), coalesce(sum(m.quantity) FILTER (WHERE m.state NOT IN ('done', 'cancel')), 0)"
            " FROM stock_picking p LEFT JOIN stock_move m ON m.picking_id = p.id"
            " WHERE p.id = ANY(%s::int[]) GROUP BY p.id ORDER BY p.id",
            [ids],
        )
        without = [row[0] for row in rows if not row[1]]
        if without:
            several = f"Transfers {', '.join(without)}: Please add some items to move."
            raise UserError(several if len(ids) > 1 else _EMPTY)
        if len(ids) == 1 and not rows[0][2]:
            raise UserError(_NOTHING)


def _pick_all_where_none_is(env: Env, ids: list[int]) -> None:
    env.rows(
        "UPDATE stock_move m SET picked = true FROM (SELECT picking_id FROM stock_move"
        " WHERE picking_id = ANY(%s::int[]) GROUP BY picking_id"
        " HAVING sum(quantity) > 0 AND NOT bool_or(coalesce(picked, false) AND NOT coalesce(scrapped, false))) n"
        " WHERE m.picking_id = n.picking_id AND m.state NOT IN ('done', 'cancel')",
        [ids],
    )


def _partial(env: Env, ids: list[int]) -> list[int]:
    return env.ids(
        "SELECT DISTINCT picking_id FROM stock_move WHERE picking_id = ANY(%s::int[]) AND state <> 'cancel'"
        " AND ((product_uom_qty <> 0 AND NOT coalesce(picked, false)) OR quantity < product_uom_qty) ORDER BY 1",
        [ids],
    )


def _backorder_wizard(env: Env, ids: list[int], partial: list[int]) -> dict[str, Any]:
    return {
        "name": "Create Backorder?",
        "type": "ir.actions.act_window",
        "view_mode": "form",
        "res_model": "stock.backorder.confirmation",
        "views": [[False, "form"]],
        "view_id": False,
        "target": "new",
        "context": {
            **env.context,
            "button_validate_picking_ids": ids,
            "default_show_transfers": len(partial) > 1,
            "default_pick_ids": [[4, one] for one in partial],
        },
    }
