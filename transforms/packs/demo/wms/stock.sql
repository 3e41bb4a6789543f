-- mapping: wms_stock
-- entity: stock_level
-- source: wms
-- table: public.stock
-- version: 1
SELECT
    warehouse_code || '/' || sku    AS source_key,
    warehouse_code                  AS location_key,
    sku                             AS product_sku,
    on_hand                         AS on_hand,
    reserved                        AS reserved,
    counted_at                      AS counted_at
FROM public.stock
