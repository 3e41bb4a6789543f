"""What stands in for the outside world on a fresh machine.

An embedded PostgreSQL, the databases of two sales channels and a warehouse with a business day to play in them, and a
stand-in Odoo. Only the demo and the tests import this package, and it imports none of the bridge's packages: the bridge
meets it over the wire, as it meets the real systems.
"""
