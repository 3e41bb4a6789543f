-- mapping: market_listings
-- entity: product
-- source: market
-- table: public.listings
-- version: 1
-- A paused listing is still a product that orders may name; a retired one is not sold any more.
SELECT
    listing_id               AS source_key,
    seller_sku               AS sku,
    external_sku             AS channel_sku,
    gtin                     AS barcode,
    title                    AS name,
    'goods'                  AS kind,
    'unit'                   AS unit,
    price_cents / 100.0      AS list_price,
    status <> 'retired'      AS active,
    created_at               AS created_at
FROM public.listings
