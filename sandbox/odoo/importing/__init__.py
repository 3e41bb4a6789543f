"""load(): a matrix of text cells to records, with Odoo's external ids, messages and all-or-nothing.

`columns` groups rows into records, `cells` converts text to values, `references` finds what external ids and names
stand for, `load` writes the result and reports.
"""
