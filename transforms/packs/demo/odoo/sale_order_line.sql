-- mapping: odoo_sale_order_line
-- entity: sales_order_line
-- source: odoo
-- table: public.sale_order_line
-- version: 1
-- Sections and notes (display_type) have neither quantity nor price.
SELECT
    id                                                           AS source_key,
    order_id                                                     AS order_key,
    coalesce(sequence, 10)                                       AS line_number,
    CASE WHEN is_delivery THEN 'freight' ELSE 'product' END      AS kind,
    product_id                                                   AS product_key,
    name                                                         AS description,
    product_uom_qty                                              AS quantity,
    price_unit                                                   AS unit_price,
    coalesce(discount, 0)                                        AS discount_percent
FROM public.sale_order_line
WHERE display_type IS NULL
