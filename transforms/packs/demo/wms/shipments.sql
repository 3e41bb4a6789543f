-- mapping: wms_shipments
-- entity: shipment
-- source: wms
-- table: public.shipments
-- version: 1
-- The WMS knows a channel by a code and its order by the number that the channel prints.
SELECT
    shipment_no                                                         AS source_key,
    shipment_no                                                         AS shipment_number,
    CASE channel WHEN 'B2B' THEN 'shop' WHEN 'MKT' THEN 'market' END    AS order_source,
    order_ref                                                           AS order_number,
    map_status('shipment.status', status)                               AS status,
    warehouse_code                                                      AS location_key,
    carrier                                                             AS carrier,
    tracking_no                                                         AS tracking_number,
    dispatched_at                                                       AS shipped_at,
    is_final                                                            AS is_final
FROM public.shipments
