"""What the delivery to a real Odoo can carry, against Odoo's own create() and against plain OdooRPC: `python -m benchmarks.odoo`."""
