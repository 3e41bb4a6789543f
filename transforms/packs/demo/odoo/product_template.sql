-- mapping: odoo_product_template
-- entity: product
-- source: odoo
-- table: public.product_template
-- version: 1
-- Names are jsonb by language; en_US is always there. The unit of measure is an id of another table.
SELECT
    id                                     AS source_key,
    default_code                           AS sku,
    name ->> 'en_US'                       AS name,
    description_sale ->> 'en_US'           AS description,
    map_status('product.kind', type)       AS kind,
    'unit'                                 AS unit,
    list_price                             AS list_price,
    coalesce(active, false)                AS active,
    create_date AT TIME ZONE 'UTC'         AS created_at
FROM public.product_template
