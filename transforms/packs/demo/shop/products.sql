-- mapping: shop_products
-- entity: product
-- source: shop
-- table: public.products
-- version: 1
SELECT
    id                                         AS source_key,
    sku                                        AS sku,
    ean                                        AS barcode,
    name                                       AS name,
    description                                AS description,
    kind                                       AS kind,
    map_status('product.unit', unit)           AS unit,
    list_price                                 AS list_price,
    cost_price                                 AS cost,
    active                                     AS active,
    created_at AT TIME ZONE 'Europe/London'    AS created_at
FROM public.products
