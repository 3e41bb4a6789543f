-- mapping: shop_orders
-- entity: sales_order
-- source: shop
-- table: public.orders
-- version: 1
-- A credit is an order with negative quantities, as the portal keeps it.
SELECT
    id                                            AS source_key,
    order_no                                      AS order_number,
    customer_id                                   AS customer_key,
    'address-' || delivery_address_id             AS delivery_address_key,
    map_status('sales_order.status', status)      AS status,
    placed_at AT TIME ZONE 'Europe/London'        AS ordered_at,
    currency                                      AS currency,
    client_ref                                    AS client_reference,
    total                                         AS amount_total,
    note                                          AS note
FROM public.orders
