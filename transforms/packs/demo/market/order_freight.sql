-- mapping: market_order_freight
-- entity: sales_order_line
-- source: market
-- table: public.orders
-- version: 1
-- The marketplace keeps shipping on the order; here it is a line, numbered behind all items.
SELECT
    order_id || '-freight'       AS source_key,
    order_id                     AS order_key,
    9001                         AS line_number,
    'freight'                    AS kind,
    'Shipping'                   AS description,
    1                            AS quantity,
    shipping_cents / 100.0       AS unit_price,
    0                            AS discount_percent
FROM public.orders
WHERE shipping_cents > 0
