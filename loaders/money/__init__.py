"""Orders' money in Odoo: invoices and credit notes (`invoices`, `credit_notes`), payments and refunds (`payments`).

Contract: works by order. What should be invoiced, credited and paid follows from the order, its returns and its payments as they
are known (`known`); what is follows from Odoo's documents (`books`); only the difference is carried out, so that a lost reply or
a kill repeats nothing. That an order's invoicing is due is a record of the outbox's own, `invoicing`, made and renewed in the
transaction that writes what became of the order, its lines and its shipments, or takes in a return or a payment (outcomes.sql,
merge.sql).
"""
