"""Odoo's own word: deliveries confirmed from its log or by reading back, the crosswalk kept true, drift."""
