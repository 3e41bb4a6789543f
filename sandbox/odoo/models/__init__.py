"""The business models, and the registry of all of them."""

from __future__ import annotations

from sandbox.odoo.models import (
    account,
    base,
    invoicing,
    lot,
    partner,
    payment,
    picking,
    product,
    sale_line,
    sale_order,
    stock,
    stock_move,
    stock_return,
)
from sandbox.odoo.orm.delegation import delegated_fields
from sandbox.odoo.orm.fields import declared_fields
from sandbox.odoo.orm.model import Model, Registry

MODELS: tuple[type[Model], ...] = (
    *base.MODELS,
    partner.Partner,
    *product.MODELS,
    *account.MODELS,
    *payment.MODELS,
    *invoicing.MODELS,
    *stock.MODELS,
    picking.Picking,
    stock_move.Move,
    *lot.MODELS,
    *stock_return.MODELS,
    sale_order.PriceList,
    sale_order.Team,
    sale_order.Order,
    sale_line.Line,
)


def build_registry() -> Registry:
    """Every model with its declared fields, and those that it takes over from the record it builds on."""
    declared = declared_fields()
    registry = Registry()
    for kind in MODELS:
        own = declared[kind.name]
        delegated = delegated_fields(declared[own[kind.delegate].comodel], kind.delegate) if kind.delegate else {}
        registry[kind.name] = kind(own, delegated)
    return registry
