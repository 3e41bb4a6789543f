"""Records over Postgres: fields, models, domains, and reading and writing in bulk.

Knows nothing of HTTP or of what a sales order is. Statements are put together from the declared models' own names
only; every value, and every name that a caller sent, is a parameter or is looked up in the declarations first.
"""
