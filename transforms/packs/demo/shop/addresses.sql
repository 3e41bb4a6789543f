-- mapping: shop_addresses
-- entity: customer
-- source: shop
-- table: public.addresses
-- version: 1
-- Customers and addresses count their ids apart: the prefix keeps address 17 from being customer 17.
SELECT
    'address-' || id                                         AS source_key,
    coalesce(nullif(btrim(street), ''), 'Address ' || id)    AS name,
    false                                                    AS is_company,
    kind                                                     AS kind,
    customer_id                                              AS parent_key,
    street                                                   AS street,
    street2                                                  AS street2,
    city                                                     AS city,
    postcode                                                 AS postcode,
    country_code                                             AS country_code,
    true                                                     AS active
FROM public.addresses
