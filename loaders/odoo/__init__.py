"""Odoo, called: one client over several protocols, errors by kind, versions, names, external ids."""
