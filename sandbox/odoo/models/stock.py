"""Warehouses, locations, kinds of transfers, procurement groups, and quantities on hand.

A storable product has one quant a location. Counting (`inventory_quantity`, `action_apply_inventory`) sets it.
"""

from __future__ import annotations

from sandbox.odoo.errors import ValidationError
from sandbox.odoo.flows import counting
from sandbox.odoo.orm import writing
from sandbox.odoo.orm.environment import Env
from sandbox.odoo.orm.fields import Field
from sandbox.odoo.orm.model import Changes, Model, Values, api_model, api_records
from sandbox.odoo.orm.public import PublicModel


class Location(PublicModel):
    name = "stock.location"
    label = "Inventory Locations"
    order = "complete_name, id"
    parent = "location_id"
    shown_as = "{t}.complete_name"
    defaults = {"active": True, "usage": "internal", "company_id": 1}

    def created(self, env: Env, ids: list[int], rows: list[Values]) -> None:
        for one in ids:
            env.rows(
                "UPDATE stock_location l SET complete_name ="
                " CASE WHEN p.usage <> 'view' OR p.location_id IS NOT NULL"
                " THEN coalesce(p.complete_name || '/', '') ELSE '' END || l.name,"
                " parent_path = coalesce(p.parent_path, '') || l.id || '/', warehouse_id = p.warehouse_id"
                " FROM (SELECT 1) one LEFT JOIN stock_location p"
                " ON p.id = (SELECT location_id FROM stock_location WHERE id = %s) WHERE l.id = %s",
                [one, one],
            )


class Warehouse(PublicModel):
    name = "stock.warehouse"
    label = "Warehouse"
    order = "sequence, id"


class PickingType(PublicModel):
    name = "stock.picking.type"
    label = "Picking Type"
    order = "sequence, id"
    shown_as = (
        "coalesce((SELECT w.name || ': ' FROM stock_warehouse w WHERE w.id = {t}.warehouse_id), '')"
        " || ({t}.name->>'en_US')"
    )


class ProcurementGroup(PublicModel):
    name = "procurement.group"
    label = "Procurement Group"
    defaults = {"move_type": "direct"}


class Quant(PublicModel):
    name = "stock.quant"
    label = "Quants"
    shown_as = "(SELECT l.complete_name FROM stock_location l WHERE l.id = {t}.location_id)"
    defaults = {"company_id": 1, "reserved_quantity": 0, "quantity": 0, "inventory_quantity_set": False}
    computed = (
        Field(
            model="stock.quant", name="available_quantity", kind="float", label="Available Quantity",
            expression="{t}.quantity - {t}.reserved_quantity",
        ),
    )  # fmt: skip

    def default_values(self, env: Env) -> Values:
        return {**self.defaults, "in_date": env.second, "inventory_date": env.now.date()}

    def complete(self, env: Env, rows: list[Values]) -> None:
        for row in rows:
            if "inventory_quantity" in row:
                row["inventory_quantity_set"] = True
                row["inventory_diff_quantity"] = float(row["inventory_quantity"]) - float(row["quantity"])

    def before_write(self, env: Env, changes: Changes) -> None:
        for values in changes.values():
            if "inventory_quantity" in values:
                values["inventory_quantity_set"] = True

    def after_write(self, env: Env, changes: Changes) -> None:
        counted = [one for one, values in changes.items() if "inventory_quantity" in values]
        env.rows(
            "UPDATE stock_quant SET inventory_diff_quantity = inventory_quantity - quantity WHERE id = ANY(%s::int[])",
            [counted],
        )

    @api_model
    def create(self, env: Env, vals_list: Values | list[Values]) -> int | list[int]:
        """New quants. In inventory mode a count is written to the quant that is there already."""
        rows = [vals_list] if isinstance(vals_list, dict) else vals_list
        self._check_storable(env, [row["product_id"] for row in rows])
        ids = [self._counted(env, row) or writing.create(self, env, [row])[0] for row in rows]
        return ids[0] if isinstance(vals_list, dict) else ids

    def _check_storable(self, env: Env, products: list[int]) -> None:
        if env.count(
            "SELECT count(*) FROM product_product v JOIN product_template t ON t.id = v.product_tmpl_id"
            " WHERE v.id = ANY(%s::int[]) AND NOT coalesce(t.is_storable, false)",
            [products],
        ):
            raise ValidationError("Quants cannot be created for consumables or services.")

    def _counted(self, env: Env, row: Values) -> int | None:
        if not (env.context.get("inventory_mode") and "inventory_quantity" in row):
            return None
        found = env.ids(
            "SELECT id FROM stock_quant WHERE product_id = %s AND location_id = %s AND lot_id IS NOT DISTINCT FROM %s"
            " ORDER BY id LIMIT 1",
            [row["product_id"], row["location_id"], row.get("lot_id") or None],
        )
        if found:
            writing.write(self, env, {found[0]: {"inventory_quantity": row["inventory_quantity"]}})
        return found[0] if found else None

    @api_records
    def action_apply_inventory(self, env: Env, ids: list[int]) -> Values | None:
        """What was counted is on hand, by a move; quants of one product and place become one. Where stock has moved since it was
        counted: the action that asks a person, and nothing has happened.
        """
        self.require(env, ids)
        outdated = env.ids(
            "SELECT id FROM stock_quant WHERE id = ANY(%s::int[]) AND inventory_quantity_set"
            " AND inventory_quantity - inventory_diff_quantity <> quantity",
            [ids],
        )
        if outdated:
            return {
                "name": "Conflict in Inventory Adjustment",
                "type": "ir.actions.act_window",
                "view_mode": "form",
                "views": [[False, "form"]],
                "res_model": "stock.inventory.conflict",
                "target": "new",
                "context": {**env.context, "default_quant_ids": ids, "default_quant_to_fix_ids": outdated},
            }
        counting.apply(env, ids)
        return None


class Carrier(PublicModel):
    name = "delivery.carrier"
    label = "Shipping Methods"
    order = "sequence, id"
    shown_as = "({t}.name->>'en_US')"
    defaults = {
        "active": True,
        "sequence": 10,
        "delivery_type": "fixed",
        "integration_level": "rate_and_ship",
        "invoice_policy": "estimated",
        "fixed_price": 0,
    }


MODELS: tuple[type[Model], ...] = (Location, Warehouse, PickingType, ProcurementGroup, Quant, Carrier)
