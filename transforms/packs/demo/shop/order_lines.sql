-- mapping: shop_order_lines
-- entity: sales_order_line
-- source: shop
-- table: public.order_lines
-- version: 1
SELECT
    order_id || '-' || line_no                    AS source_key,
    order_id                                      AS order_key,
    line_no                                       AS line_number,
    map_status('sales_order_line.kind', kind)     AS kind,
    product_id                                    AS product_key,
    description                                   AS description,
    qty                                           AS quantity,
    unit_price                                    AS unit_price,
    list_price                                    AS list_price,
    discount_pct                                  AS discount_percent,
    tax_rate                                      AS tax_rate,
    order_id || '-' || bundle_line_no             AS bundle_line_key
FROM public.order_lines
