"""Products: a template and its one variant. Either may be created; the other comes with it.

There are no attributes, so a template has exactly one variant, and what Odoo keeps on both (reference, barcode, weight,
volume) is kept on both.
"""

from __future__ import annotations

from sandbox.odoo.errors import ValidationError
from sandbox.odoo.orm import writing
from sandbox.odoo.orm.environment import Env
from sandbox.odoo.orm.fields import Field
from sandbox.odoo.orm.model import Changes, Model, Values
from sandbox.odoo.orm.public import PublicModel

_ON_BOTH = ("default_code", "weight", "volume", "active")
_VARIANT_ONLY = ("barcode", "standard_price")
_VARIANT = "(SELECT v.{column} FROM product_product v WHERE v.product_tmpl_id = {{t}}.id ORDER BY v.id LIMIT 1)"
_NAMED = "(CASE WHEN coalesce({t}.default_code, '') = '' THEN '' ELSE '[' || {t}.default_code || '] ' END || %s)"
_ON_HAND = (
    "(SELECT coalesce(sum(q.quantity), 0) FROM stock_quant q JOIN stock_location l ON l.id = q.location_id"
    " WHERE q.product_id = {t}.id AND l.usage = 'internal')"
)


class Category(PublicModel):
    name = "product.category"
    label = "Product Category"
    order = "complete_name"
    shown_as = "{t}.complete_name"

    def created(self, env: Env, ids: list[int], rows: list[Values]) -> None:
        self._place(env, ids)

    def after_write(self, env: Env, changes: Changes) -> None:
        self._place(env, list(changes))

    def _place(self, env: Env, ids: list[int]) -> None:
        for one in sorted(ids):
            env.rows(
                "UPDATE product_category c SET complete_name = coalesce(p.complete_name || ' / ', '') || c.name,"
                " parent_path = coalesce(p.parent_path, '') || c.id || '/'"
                " FROM (SELECT 1) one LEFT JOIN product_category p"
                " ON p.id = (SELECT parent_id FROM product_category WHERE id = %s) WHERE c.id = %s",
                [one, one],
            )


def _variant_field(name: str, kind: str, label: str, value: str) -> Field:
    return Field(
        model="product.template", name=name, kind=kind, label=label, expression=_VARIANT.format(column=value),
        comodel="product.product" if kind == "many2one" else "",
    )  # fmt: skip


class Template(PublicModel):
    name = "product.template"
    label = "Product"
    order = "is_favorite desc, name"
    shown_as = _NAMED % "({t}.name->>'en_US')"
    defaults = {
        "active": True,
        "categ_id": 1,
        "uom_id": 1,
        "type": "consu",
        "service_tracking": "no",
        "tracking": "none",
        "sale_ok": True,
        "purchase_ok": True,
        "is_storable": False,
        "sale_line_warn": "no-message",
        "expense_policy": "no",
        "invoice_policy": "order",
        "service_type": "manual",
        "list_price": 1.0,
        "sale_delay": 0,
        "sequence": 1,
        "weight": 0,
        "volume": 0,
        "has_configurable_attributes": False,
        "lot_valuated": False,
        "can_image_1024_be_zoomed": False,
    }
    computed = (
        _variant_field("product_variant_id", "many2one", "Product", "id"),
        _variant_field("barcode", "char", "Barcode", "barcode"),
        Field(
            model="product.template", name="standard_price", kind="float", label="Cost",
            expression="SELECT (v.standard_price->>'1')::numeric FROM product_product v"
            " WHERE v.product_tmpl_id = {t}.id ORDER BY v.id LIMIT 1",
        ),
        Field(
            model="product.template", name="product_variant_count", kind="integer", label="# Product Variants",
            expression="SELECT count(*) FROM product_product v WHERE v.product_tmpl_id = {t}.id",
        ),
    )  # fmt: skip

    def complete(self, env: Env, rows: list[Values]) -> None:
        for row in rows:
            if not row.get("uom_po_id"):
                row["uom_po_id"] = row["uom_id"]
            if row["type"] == "service":
                row["is_storable"] = False

    def created(self, env: Env, ids: list[int], rows: list[Values]) -> None:
        if env.context.get("building_variant"):
            return
        shared = (*_ON_BOTH, *_VARIANT_ONLY)
        variants = [
            {"product_tmpl_id": one, **{name: row[name] for name in shared if name in row}}
            for one, row in zip(ids, rows, strict=True)
        ]
        writing.create(env.model("product.product"), env, variants)

    def after_write(self, env: Env, changes: Changes) -> None:
        if env.context.get("building_variant"):
            return
        shared = {*_ON_BOTH, *_VARIANT_ONLY}
        touched = {one: shared.intersection(values) for one, values in changes.items() if shared.intersection(values)}
        rows = env.rows(
            "SELECT id, product_tmpl_id FROM product_product WHERE product_tmpl_id = ANY(%s::int[])", [list(touched)]
        )
        to_variants = {variant: {name: changes[one][name] for name in touched[one]} for variant, one in rows}
        writing.write(env.model("product.product"), env.with_context(building_variant=True), to_variants)


class Product(PublicModel):
    name = "product.product"
    label = "Product Variant"
    order = "is_favorite desc, default_code, name, id"
    delegate = "product_tmpl_id"
    shown_as = _NAMED % "(SELECT p.name->>'en_US' FROM product_template p WHERE p.id = {t}.product_tmpl_id)"
    searched = ("display_name", "default_code", "barcode")
    defaults = {"active": True, "combination_indices": ""}
    computed = (
        Field(
            model="product.product", name="lst_price", kind="float", label="Sales Price",
            expression="SELECT p.list_price FROM product_template p WHERE p.id = {t}.product_tmpl_id",
        ),
        Field(
            model="product.product", name="qty_available", kind="float", label="Quantity On Hand", expression=_ON_HAND
        ),
    )  # fmt: skip

    def complete(self, env: Env, rows: list[Values]) -> None:
        """`lst_price` is the template's price under another name."""
        for row in rows:
            if "lst_price" in row:
                price = row.pop("lst_price")
                writing.write(env.model("product.template"), env, {row["product_tmpl_id"]: {"list_price": price}})

    def created(self, env: Env, ids: list[int], rows: list[Values]) -> None:
        self._check_barcodes(env, ids)
        if any(name in row for row in rows for name in _ON_BOTH):
            self._tell_templates(env, ids)

    def before_write(self, env: Env, changes: Changes) -> None:
        for values in changes.values():
            if "lst_price" in values:
                values["list_price"] = values.pop("lst_price")

    def after_write(self, env: Env, changes: Changes) -> None:
        if any("barcode" in values for values in changes.values()):
            self._check_barcodes(env, list(changes))
        if any(name in values for values in changes.values() for name in _ON_BOTH):
            self._tell_templates(env, list(changes))

    def _tell_templates(self, env: Env, ids: list[int]) -> None:
        env.rows(
            "UPDATE product_template t SET default_code = v.default_code, weight = coalesce(v.weight, 0),"
            " volume = coalesce(v.volume, 0),"
            " active = v.active FROM product_product v WHERE v.product_tmpl_id = t.id AND v.id = ANY(%s::int[])"
            " AND (t.default_code, t.weight, t.volume, t.active)"
            " IS DISTINCT FROM (v.default_code, coalesce(v.weight, 0), coalesce(v.volume, 0), v.active)",
            [ids],
        )

    def _check_barcodes(self, env: Env, ids: list[int]) -> None:
        rows = env.rows(
            "SELECT v.barcode, string_agg(t.name->>'en_US', ', ' ORDER BY v.id) FROM product_product v"
            " JOIN product_template t ON t.id = v.product_tmpl_id WHERE v.barcode IN"
            " (SELECT barcode FROM product_product WHERE id = ANY(%s::int[])) GROUP BY 1 HAVING count(*) > 1",
            [ids],
        )
        if rows:
            taken = "\n".join(f'- Barcode "{code}" already assigned to product(s): {names}' for code, names in rows)
            raise ValidationError(f"Barcode(s) already assigned:\n\n{taken}")


MODELS: tuple[type[Model], ...] = (Category, Template, Product)
