"""A stand-in for Odoo 18: an HTTP server that OdooRPC and a web session talk to, with its records in Postgres.

What it is: the part of Odoo's external API that a loader of partners, products, orders, transfers and invoices uses.
`/jsonrpc`, `/web/session/*` and `/web/dataset/call_kw`; `load` with external ids, messages and all-or-nothing; create,
write, search, read; confirm and cancel of orders; deliveries in full and in part; invoices of orders, payments, credit
notes, and what they settle. Tables, columns and types are Odoo's own, so that its WAL can be captured as Odoo's. The same
contract tests run against it and against a real Odoo.

What it is NOT: Odoo. It contains none of its code. It has no access rights, companies other than one, languages,
rules of pricelists, currency rates, fiscal positions, attributes, lots, packages, routes, multi-step deliveries, returns wizard,
bank statements, down payments, chatter, attachments or views. Taxes are those given on a line (nothing puts one there by
itself) and only percentages, on top of the price or in it. `stock.move.quantity` is kept on the move: there are
no move lines. Moves are counted in the product's unit. Amounts and statuses follow from what callers do, not from editing tables by hand. The retries
after a serialization failure wait a hundredth of what Odoo waits.
It says nothing about Odoo's speed, which is some hundred times lower.
"""

from __future__ import annotations

from sandbox.odoo.faults import Fault, Faults
from sandbox.odoo.schema import create_schema
from sandbox.odoo.server import StandInOdoo

__all__ = ["Fault", "Faults", "StandInOdoo", "create_schema"]
