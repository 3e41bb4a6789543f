"""Customers, products and orders in Odoo."""
