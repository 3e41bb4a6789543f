-- mapping: shop_payments
-- entity: payment
-- source: shop
-- table: public.payments
-- version: 1
SELECT
    id                                          AS source_key,
    order_id                                    AS order_key,
    map_status('payment.status', status)        AS status,
    method                                      AS method,
    amount                                      AS amount,
    currency                                    AS currency,
    captured_at AT TIME ZONE 'Europe/London'    AS captured_at,
    psp_ref                                     AS reference
FROM public.payments
