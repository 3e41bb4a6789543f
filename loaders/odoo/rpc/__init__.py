"""Odoo's two protocols behind one interface (`transport.Transport`): a web session for 16 to 18, JSON-2 from 19 on.

Only `loaders.odoo.client` uses this package. What a reply means is not decided here, but by `loaders.odoo.odoo_errors`.
"""
