"""Order lines. Their prices, once given, are kept; see `_forget_prices` for the exception that Odoo makes."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from sandbox.odoo.errors import UserError
from sandbox.odoo.flows import order_figures, procurement
from sandbox.odoo.orm.environment import Env
from sandbox.odoo.orm.fields import Field
from sandbox.odoo.orm.model import Changes, Values
from sandbox.odoo.orm.public import PublicModel

_PRODUCTS = """
SELECT v.id, t.list_price, t.uom_id, t.type, coalesce(t.sale_delay, 0),
    CASE WHEN coalesce(v.default_code, '') = '' THEN '' ELSE '[' || v.default_code || '] ' END || (t.name->>'en_US')
        || coalesce(E'\n' || (t.description_sale->>'en_US'), ''), u.factor
FROM product_product v JOIN product_template t ON t.id = v.product_tmpl_id JOIN uom_uom u ON u.id = t.uom_id
WHERE v.id = ANY(%s::int[])
"""
_UNITS = "SELECT id, factor, category_id, name->>'en_US' FROM uom_uom"
_ORDERS = """
SELECT id, state, company_id, currency_id, partner_id, user_id, warehouse_id FROM sale_order WHERE id = ANY(%s::int[])
"""
_PROTECTED = {
    "product_id": "Product",
    "name": "Description",
    "price_unit": "Unit Price",
    "product_uom": "Unit of Measure",
    "product_uom_qty": "Quantity",
    "tax_id": "Taxes",
}
_DERIVING = frozenset(
    {"price_unit", "discount", "product_uom_qty", "tax_id", "product_id", "product_uom", "qty_delivered"}
)


class Line(PublicModel):
    name = "sale.order.line"
    label = "Sales Order Line"
    order = "order_id, sequence, id"
    shown_as = (
        "((SELECT o.name FROM sale_order o WHERE o.id = {t}.order_id) || ' - ' || split_part({t}.name, E'\\n', 1))"
    )
    defaults = {
        "sequence": 10,
        "product_uom_qty": 1.0,
        "discount": 0,
        "qty_delivered": 0,
        "qty_invoiced": 0,
        "qty_to_invoice": 0,
        "untaxed_amount_invoiced": 0,
        "is_delivery": False,
        "product_packaging_qty": 0,
    }
    computed = (
        Field(
            model="sale.order.line", name="product_template_id", kind="many2one", label="Product Template",
            comodel="product.template",
            expression="SELECT v.product_tmpl_id FROM product_product v WHERE v.id = {t}.product_id",
        ),
    )  # fmt: skip

    def complete(self, env: Env, rows: list[Values]) -> None:
        products = _by_id(env, _PRODUCTS, (row.get("product_id") for row in rows))
        orders = _by_id(env, _ORDERS, (row.get("order_id") for row in rows))
        units = _by_id(env, _UNITS, None)
        for row in rows:
            self._from_product(row, products.get(row.get("product_id")), units)
            self._from_order(row, orders.get(row.get("order_id")))
            row.setdefault("technical_price_unit", row.get("price_unit", 0))

    def _from_product(self, row: Values, product: tuple[Any, ...] | None, units: dict[Any, tuple[Any, ...]]) -> None:
        if row.get("display_type") or product is None:
            row.setdefault("price_unit", 0)
            row.setdefault("customer_lead", 0)
            row["product_uom_qty"] = 0 if row.get("display_type") else row["product_uom_qty"]
            return
        _, _, unit, kind, delay, described, _ = product
        row.setdefault("product_uom", unit)
        sold_in = units.get(row["product_uom"], units[unit])
        _check_category(sold_in, units[unit])
        if "price_unit" not in row:
            if not row.get("order_id"):
                # The price depends on the order's pricelist, and Odoo stumbles over there being none.
                raise ValueError("Expected singleton: sale.order()")
            row["price_unit"] = _list_price(product, sold_in[1])
        row.setdefault("name", described)
        row.setdefault("customer_lead", delay)
        row.setdefault("qty_delivered_method", "stock_move" if kind == "consu" else "manual")

    def _from_order(self, row: Values, order: tuple[Any, ...] | None) -> None:
        if order is not None:
            names = ("state", "company_id", "currency_id", "order_partner_id", "salesman_id", "warehouse_id")
            row.update(zip(names, order[1:], strict=True))

    def created(self, env: Env, ids: list[int], rows: list[Values]) -> None:
        order_figures.refresh_lines(env, ids)
        if any(row.get("state") == "sale" for row in rows):
            procurement.launch(env, ids)
        order_figures.refresh_orders(env, {row["order_id"] for row in rows})

    def before_write(self, env: Env, changes: Changes) -> None:
        rows = env.rows(
            "SELECT l.id, l.state, l.product_id, l.qty_delivered, o.locked, l.qty_delivered_method, l.price_unit,"
            " l.technical_price_unit, l.qty_invoiced, l.display_type FROM sale_order_line l"
            " JOIN sale_order o ON o.id = l.order_id WHERE l.id = ANY(%s::int[])",
            [list(changes)],
        )
        moving = set(
            env.ids(
                "SELECT DISTINCT sale_line_id FROM stock_move WHERE sale_line_id = ANY(%s::int[]) AND state <> 'cancel'",
                [[one for one, values in changes.items() if "product_id" in values]],
            )
        )
        for row in rows:
            _check_change(changes[row[0]], row, has_moves=row[0] in moving)
        self._forget_prices(
            env, changes, [row for row in rows if float(row[6]) == row[7] and not row[8] and not row[9]]
        )

    def _forget_prices(self, env: Env, changes: Changes, unchanged: list[tuple[Any, ...]]) -> None:
        """A quantity, unit or product written without a price brings the list price back, where the price was given
        only when the line was created: Odoo takes such a price for its own.
        """
        again = [
            row for row in unchanged
            if {"product_uom_qty", "product_uom", "product_id"} & set(changes[row[0]])
            and "price_unit" not in changes[row[0]]
        ]  # fmt: skip
        if not again:
            return
        wanted = {row[0]: changes[row[0]].get("product_id") or row[2] for row in again}
        products = _by_id(env, _PRODUCTS, wanted.values())
        units = env.pairs(
            "SELECT l.id, u.factor FROM sale_order_line l JOIN uom_uom u ON u.id = l.product_uom"
            " WHERE l.id = ANY(%s::int[])",
            [list(wanted)],
        )
        for one, product in wanted.items():
            price = _list_price(products[product], units[one])
            changes[one] |= {"price_unit": price, "technical_price_unit": price}

    def after_write(self, env: Env, changes: Changes) -> None:
        ids = [one for one, values in changes.items() if _DERIVING & set(values)]
        if not ids:
            return
        if any("product_uom_qty" in values for values in changes.values()):
            procurement.launch(env, ids)
        order_figures.refresh_lines(env, ids)
        orders = env.ids("SELECT DISTINCT order_id FROM sale_order_line WHERE id = ANY(%s::int[])", [ids])
        order_figures.refresh_orders(env, orders)

    def before_unlink(self, env: Env, ids: list[int]) -> None:
        if env.count(
            "SELECT count(*) FROM sale_order_line WHERE id = ANY(%s::int[]) AND state = 'sale'"
            " AND is_downpayment IS NOT TRUE AND display_type IS NULL",
            [ids],
        ):
            raise UserError(
                "Once a sales order is confirmed, you can't remove one of its lines (we need to track if something"
                " gets invoiced or delivered).\n                Set the quantity to 0 instead."
            )

    def parents(self, env: Env, ids: list[int]) -> list[int]:
        return env.ids("SELECT DISTINCT order_id FROM sale_order_line WHERE id = ANY(%s::int[])", [ids])

    def after_unlink(self, env: Env, parents: list[int]) -> None:
        order_figures.refresh_orders(env, parents)


def _by_id(env: Env, statement: str, ids: Iterable[Any] | None) -> dict[Any, tuple[Any, ...]]:
    params = [] if ids is None else [sorted({one for one in ids if one})]
    return {row[0]: row for row in env.rows(statement, params)}


def _check_category(sold_in: tuple[Any, ...], unit: tuple[Any, ...]) -> None:
    if sold_in[2] != unit[2]:
        raise UserError(
            f"The unit of measure {sold_in[3]} defined on the order line doesn't belong to the same category as the"
            f" unit of measure {unit[3]} defined on the product. Please correct the unit of measure defined on the"
            " order line or on the product. They should belong to the same category."
        )


def _list_price(product: tuple[Any, ...], unit_factor: Decimal) -> Decimal:
    """The product's price in the line's unit."""
    price, factor = Decimal(product[1] or 0), Decimal(product[6])
    return price * factor / unit_factor


def _check_change(values: Values, row: tuple[Any, ...], *, has_moves: bool) -> None:
    _, state, product, delivered, locked, method, *_ = row
    if "product_id" in values and values["product_id"] != product and has_moves:
        raise UserError("You cannot modify the product of this order line.")
    counted = state == "sale" and method == "stock_move" and delivered and "product_uom_qty" in values
    if counted and Decimal(str(values["product_uom_qty"] or 0)) < delivered:
        raise UserError(
            "The ordered quantity of a sale order line cannot be decreased below the amount already delivered."
            " Instead, create a return in your inventory."
        )
    touched = [_PROTECTED[name] for name in sorted(_PROTECTED) if name in values]
    if locked and touched:
        listed = "\n".join(touched)
        raise UserError(f"It is forbidden to modify the following fields in a locked order:\n{listed}")
