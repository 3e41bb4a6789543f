-- mapping: market_returns
-- entity: return
-- source: market
-- table: public.returns
-- version: 1
SELECT
    return_id                                       AS source_key,
    return_id                                       AS return_number,
    order_id                                        AS order_key,
    map_status('return.status', state)              AS status,
    map_status('return.reason', reason_code)        AS reason,
    requested_at                                    AS requested_at,
    received_at                                     AS received_at,
    refund_cents / 100.0                            AS refund_amount
FROM public.returns
