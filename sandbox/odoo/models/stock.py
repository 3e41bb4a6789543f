"""Warehouses, locations, kinds of transfers, procurement groups, and quantities on hand.

A storable product has one quant a location. Counting (`inventory_quantity`, `action_apply_inventory`) sets it.
"""

from __future__ import annotations

from sandbox.odoo.orm.environment import Env
from sandbox.odoo.orm.fields import Field
from sandbox.odoo.orm.model import Changes, Model, Values, api_records
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

    @api_records
    def action_apply_inventory(self, env: Env, ids: list[int]) -> None:
        """What was counted is on hand; quants of one product and place become one."""
        self.require(env, ids)
        env.rows(
            "UPDATE stock_quant SET quantity = coalesce(inventory_quantity, 0), inventory_quantity = 0,"
            " inventory_diff_quantity = 0, inventory_quantity_set = false, user_id = NULL, write_date = %s"
            " WHERE id = ANY(%s::int[]) AND inventory_quantity_set",
            [env.now, ids],
        )
        env.rows(
            "UPDATE stock_quant q SET reserved_quantity = s.reserved FROM (SELECT min(id) AS keeper,"
            " sum(reserved_quantity) AS reserved, product_id, location_id FROM stock_quant"
            " GROUP BY product_id, location_id HAVING count(*) > 1) s WHERE q.id = s.keeper",
        )


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
