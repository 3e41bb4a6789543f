-- mapping: market_buyers
-- entity: customer
-- source: market
-- table: public.buyers
-- version: 1
-- A buyer with a tax number buys for a company.
SELECT
    buyer_id                                                    AS source_key,
    full_name                                                   AS name,
    email                                                       AS email,
    tax_id                                                      AS vat,
    coalesce(tax_id, '') <> ''                                  AS is_company,
    'contact'                                                   AS kind,
    shipping_address ->> 'street'                               AS street,
    shipping_address ->> 'city'                                 AS city,
    shipping_address ->> 'zip'                                  AS postcode,
    nullif(upper(shipping_address ->> 'country'), '')           AS country_code,
    true                                                        AS active
FROM public.buyers
