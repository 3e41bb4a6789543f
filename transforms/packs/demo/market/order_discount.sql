-- mapping: market_order_discount
-- entity: sales_order_line
-- source: market
-- table: public.orders
-- version: 1
-- The marketplace keeps its discount on the order; here it is a line with a negative price.
SELECT
    order_id || '-discount'         AS source_key,
    order_id                        AS order_key,
    9002                            AS line_number,
    'discount'                      AS kind,
    'Discount'                      AS description,
    1                               AS quantity,
    - discount_cents / 100.0        AS unit_price,
    0                               AS discount_percent
FROM public.orders
WHERE discount_cents > 0
