-- mapping: market_items
-- entity: sales_order_line
-- source: market
-- table: public.items
-- version: 1
-- An item names the marketplace's SKU; which product that is, a listing says, perhaps later.
SELECT
    item_id                        AS source_key,
    order_id                       AS order_key,
    line_no                        AS line_number,
    'product'                      AS kind,
    external_sku                   AS product_channel_sku,
    title                          AS description,
    quantity                       AS quantity,
    unit_price_cents / 100.0       AS unit_price,
    list_price_cents / 100.0       AS list_price,
    0                              AS discount_percent
FROM public.items
