-- mapping: wms_shipment_lines
-- entity: shipment_line
-- source: wms
-- table: public.shipment_lines
-- version: 1
SELECT
    shipment_no || '-' || line_no    AS source_key,
    shipment_no                      AS shipment_key,
    line_no                          AS line_number,
    sku                              AS product_sku,
    qty                              AS quantity,
    order_line_ref::integer          AS order_line_number,
    substitutes_sku                  AS substitutes_sku
FROM public.shipment_lines
