-- mapping: odoo_sale_order
-- entity: sales_order
-- source: odoo
-- table: public.sale_order
-- version: 1
-- Odoo keeps instants as UTC without saying so, and its currency as an id: the demo's company has one currency.
SELECT
    id                                           AS source_key,
    name                                         AS order_number,
    partner_id                                   AS customer_key,
    partner_shipping_id                          AS delivery_address_key,
    map_status('sales_order.status', state)      AS status,
    date_order AT TIME ZONE 'UTC'                AS ordered_at,
    'GBP'                                        AS currency,
    client_order_ref                             AS client_reference,
    amount_untaxed                               AS amount_total,
    amount_tax                                   AS amount_tax,
    note                                         AS note
FROM public.sale_order
