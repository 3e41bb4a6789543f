"""Moves: what a transfer carries of one product. `quantity` is what is reserved or done, `picked` that it ships."""

from __future__ import annotations

from sandbox.odoo.errors import UserError
from sandbox.odoo.flows import order_figures, reservation
from sandbox.odoo.orm.environment import Env
from sandbox.odoo.orm.model import Changes, Values
from sandbox.odoo.orm.public import PublicModel

_STATE = """
UPDATE stock_move SET state = CASE
    WHEN quantity >= product_uom_qty THEN 'assigned' WHEN quantity > 0 THEN 'partially_available' ELSE 'confirmed' END
WHERE id = ANY(%s::int[]) AND state IN ('confirmed', 'waiting', 'partially_available', 'assigned')
"""

_FROM_PICKING = """
SELECT id, picking_type_id, location_id, location_dest_id, group_id, partner_id, name, origin
FROM stock_picking WHERE id = ANY(%s::int[])
"""


class Move(PublicModel):
    name = "stock.move"
    label = "Stock Move"
    order = "sequence, id"
    shown_as = "coalesce({t}.reference, {t}.name)"
    defaults = {
        "company_id": 1,
        "sequence": 10,
        "priority": "0",
        "state": "draft",
        "procure_method": "make_to_stock",
        "product_uom_qty": 0,
        "quantity": 0,
        "picked": False,
        "scrapped": False,
        "additional": False,
        "propagate_cancel": True,
    }

    def default_values(self, env: Env) -> Values:
        return {**self.defaults, "date": env.second}

    def complete(self, env: Env, rows: list[Values]) -> None:
        """A move in a transfer takes its places and group; it counts in the product's unit unless told otherwise."""
        pickings = {
            row[0]: row
            for row in env.rows(_FROM_PICKING, [[row["picking_id"] for row in rows if row.get("picking_id")]])
        }
        units = env.pairs(
            "SELECT v.id, t.uom_id FROM product_product v JOIN product_template t ON t.id = v.product_tmpl_id"
            " WHERE v.id = ANY(%s::int[])",
            [[row["product_id"] for row in rows if row.get("product_id")]],
        )
        names = ("picking_type_id", "location_id", "location_dest_id", "group_id", "partner_id", "reference", "origin")
        for row in rows:
            for name, value in zip(names, pickings.get(row.get("picking_id"), (0,))[1:], strict=False):
                row.setdefault(name, value)
            row.setdefault("product_uom", units.get(row.get("product_id")))
            row["product_qty"] = row["product_uom_qty"]

    def created(self, env: Env, ids: list[int], rows: list[Values]) -> None:
        pickings = {row["picking_id"] for row in rows if row.get("picking_id")}
        reservation.refresh_pickings(env, pickings)

    def before_write(self, env: Env, changes: Changes) -> None:
        changing = [one for one, values in changes.items() if "product_uom_qty" in values]
        if env.count("SELECT count(*) FROM stock_move WHERE id = ANY(%s::int[]) AND state = 'cancel'", [changing]):
            raise UserError("You cannot change a cancelled stock move, create a new line instead.")
        for values in changes.values():
            if "product_uom_qty" in values:
                values["product_qty"] = values["product_uom_qty"]
        self._release_less(env, {one: v["quantity"] for one, v in changes.items() if "quantity" in v})

    def _release_less(self, env: Env, wanted: dict[int, float]) -> None:
        """Reserve or give back the difference to a quantity that is set by hand."""
        rows = env.rows(
            "SELECT id, quantity FROM stock_move WHERE id = ANY(%s::int[]) AND state <> 'done'", [list(wanted)]
        )
        reservation.release(env, {one: float(have) - float(wanted[one] or 0) for one, have in rows})

    def after_write(self, env: Env, changes: Changes) -> None:
        ids = [one for one, values in changes.items() if {"quantity", "product_uom_qty"} & set(values)]
        if not ids:
            return
        env.rows(_STATE, [ids])
        rows = env.rows("SELECT picking_id, sale_line_id, state FROM stock_move WHERE id = ANY(%s::int[])", [ids])
        reservation.refresh_pickings(env, {row[0] for row in rows if row[0]})
        delivered = [row[1] for row in rows if row[1] and row[2] == "done"]
        if delivered:
            order_figures.refresh_delivered(env, delivered)

    def before_unlink(self, env: Env, ids: list[int]) -> None:
        if env.count(
            "SELECT count(*) FROM stock_move WHERE id = ANY(%s::int[]) AND state NOT IN ('draft', 'cancel')", [ids]
        ):
            raise UserError("You can only delete draft or cancelled moves.")
