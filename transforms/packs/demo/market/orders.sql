-- mapping: market_orders
-- entity: sales_order
-- source: market
-- table: public.orders
-- version: 1
SELECT
    order_id                                     AS source_key,
    order_id                                     AS order_number,
    buyer_id                                     AS customer_key,
    map_status('sales_order.status', state)      AS status,
    purchased_at                                 AS ordered_at,
    currency                                     AS currency,
    idempotency_key                              AS duplicate_key,
    total_cents / 100.0                          AS amount_total,
    tax_cents / 100.0                            AS amount_tax
FROM public.orders
