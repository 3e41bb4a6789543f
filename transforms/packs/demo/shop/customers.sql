-- mapping: shop_customers
-- entity: customer
-- source: shop
-- table: public.customers
-- version: 1
-- The portal sells to companies only; their addresses are records of their own (shop_addresses).
SELECT
    id            AS source_key,
    company_name  AS name,
    email         AS email,
    vat_number    AS vat,
    phone         AS phone,
    true          AS is_company,
    'contact'     AS kind,
    active        AS active
FROM public.customers
