"""Lots, and the lines by which moves of tracked products ship them."""

from __future__ import annotations

from sandbox.odoo.errors import ValidationError
from sandbox.odoo.flows import lots, reservation
from sandbox.odoo.orm.environment import Env
from sandbox.odoo.orm.model import Model, Values
from sandbox.odoo.orm.public import PublicModel

_REFRESH = """
UPDATE stock_move m SET quantity = s.quantity, picked = s.picked, state = CASE WHEN s.quantity >= m.product_uom_qty THEN 'assigned'
    WHEN s.quantity > 0 THEN 'partially_available' ELSE 'confirmed' END
FROM (SELECT m.id, coalesce(sum(l.quantity), 0) AS quantity, coalesce(bool_or(l.picked), false) AS picked
      FROM stock_move m LEFT JOIN stock_move_line l ON l.move_id = m.id WHERE m.id = ANY(%s::int[]) GROUP BY m.id) s
WHERE m.id = s.id AND m.state NOT IN ('done', 'cancel')
RETURNING m.picking_id
"""


class Lot(PublicModel):
    name = "stock.lot"
    label = "Lot/Serial"
    order = "name, id"

    def created(self, env: Env, ids: list[int], rows: list[Values]) -> None:
        if env.count(
            "SELECT count(*) FROM stock_lot a JOIN stock_lot b ON b.name = a.name AND b.product_id = a.product_id"
            " AND b.company_id IS NOT DISTINCT FROM a.company_id AND b.id <> a.id WHERE a.id = ANY(%s::int[])",
            [ids],
        ):
            raise ValidationError("The combination of serial number and product must be unique within a company.")


class MoveLine(PublicModel):
    name = "stock.move.line"
    label = "Product Moves (Stock Move Line)"
    shown_as = "{t}.reference"
    defaults = {"quantity": 0, "picked": False}

    def complete(self, env: Env, rows: list[Values]) -> None:
        """What a line does not say is its move's."""
        names = ("picking_id", "company_id", "product_id", "product_uom_id", "location_id", "location_dest_id", "state")
        found = env.rows(
            "SELECT id, picking_id, company_id, product_id, product_uom, location_id, location_dest_id, state"
            " FROM stock_move WHERE id = ANY(%s::int[])",
            [[row["move_id"] for row in rows]],
        )
        moves = {row[0]: row[1:] for row in found}
        for row in rows:
            for name, value in zip(names, moves[row["move_id"]], strict=True):
                row.setdefault(name, value)
            row["date"] = env.second

    def created(self, env: Env, ids: list[int], rows: list[Values]) -> None:
        lots.reserve(env, ids)
        self.after_unlink(env, [row["move_id"] for row in rows])

    def before_unlink(self, env: Env, ids: list[int]) -> None:
        lots.reserve(env, ids, sign=-1)

    def parents(self, env: Env, ids: list[int]) -> list[int]:
        return env.ids("SELECT DISTINCT move_id FROM stock_move_line WHERE id = ANY(%s::int[])", [ids])

    def after_unlink(self, env: Env, parents: list[int]) -> None:
        reservation.refresh_pickings(env, {one for one in env.ids(_REFRESH, [parents]) if one})


MODELS: tuple[type[Model], ...] = (Lot, MoveLine)
