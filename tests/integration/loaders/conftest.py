"""The tests of the operational lane's end."""

from tests.fixtures.delivery import lane, odoo_database, odoo_template

__all__ = ["lane", "odoo_database", "odoo_template"]
