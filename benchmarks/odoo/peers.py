"""What the delivery is measured against: Odoo's create() by 500 over a quiet web session, and plain OdooRPC, a record a call."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

import odoorpc

from benchmarks.odoo import records
from config.settings import OdooSettings
from loaders.odoo.client import OdooClient

BATCH = 500


def create_by_500(client: OdooClient, model: str, values: Sequence[dict[str, Any]]) -> tuple[float, list[int]]:
    """Seconds, and the ids."""
    ids: list[int] = []
    began = time.perf_counter()
    for start in range(0, len(values), BATCH):
        ids += client.call(model, "create", [list(values[start : start + BATCH])])
    return time.perf_counter() - began, ids


class PlainOdooRPC:
    """OdooRPC as its documentation shows it."""

    def __init__(self, settings: OdooSettings) -> None:
        parts = urlsplit(settings.url)
        self._odoo = odoorpc.ODOO(parts.hostname, port=parts.port or 80, timeout=120)
        self._odoo.login(settings.database, settings.user, settings.password.get_secret_value())

    def call(self, model: str, method: str, *args: Any, **named: Any) -> Any:
        return self._odoo.execute_kw(model, method, list(args), named)

    def per_s(self, count: int, act: Callable[[int], Any]) -> float:
        """Records a second."""
        began = time.perf_counter()
        for number in range(count):
            act(number)
        return count / (time.perf_counter() - began)

    def product(self, prefix: str, number: int) -> None:
        self.call("product.product", "create", records.product_values(f"{prefix}plain", number))

    def order_of_the_day(self, partner_ids: list[int], product_ids: list[int], journal_id: int, number: int) -> None:
        """Create, confirm, deliver, invoice, post, pay: the documented chain."""
        order = self.call("sale.order", "create", records.order_values(partner_ids, product_ids, number))
        self.call("sale.order", "action_confirm", [order])
        pickings = self.call("sale.order", "read", [order], ["picking_ids"])[0]["picking_ids"]
        for move in self.call("stock.move", "search_read", [["picking_id", "in", pickings]], ["product_uom_qty"]):
            self.call("stock.move", "write", [move["id"]], {"quantity": move["product_uom_qty"], "picked": True})
        self.call("stock.picking", "button_validate", pickings, context={"skip_sms": True})
        context = {"active_model": "sale.order", "active_ids": [order], "active_id": order}
        wizard = self.call(
            "sale.advance.payment.inv", "create", {"advance_payment_method": "delivered"}, context=context
        )
        self.call("sale.advance.payment.inv", "create_invoices", [wizard], context=context)
        invoices = self.call("sale.order", "read", [order], ["invoice_ids"])[0]["invoice_ids"]
        self.call("account.move", "write", invoices, {"invoice_date": "2026-03-02"})
        self.call("account.move", "action_post", invoices)
        paying = {"active_model": "account.move", "active_ids": invoices}
        register = self.call("account.payment.register", "create", {"journal_id": journal_id}, context=paying)
        self.call("account.payment.register", "action_create_payments", [register], context=paying)
