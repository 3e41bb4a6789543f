-- mapping: wms_warehouses
-- entity: location
-- source: wms
-- table: public.warehouses
-- version: 1
SELECT
    code           AS source_key,
    code           AS code,
    name           AS name,
    'warehouse'    AS kind,
    city           AS city,
    country        AS country_code
FROM public.warehouses
