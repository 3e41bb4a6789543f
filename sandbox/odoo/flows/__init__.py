"""What follows from business actions, for all records of a call at once, in SQL.

`order_figures` derives amounts and statuses, `procurement` turns confirmed lines into moves, `reservation` gives moves
their quantities, `delivery` ships and backorders. Callers check first that the action is allowed.
"""
