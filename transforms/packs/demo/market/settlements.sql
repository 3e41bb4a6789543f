-- mapping: market_settlements
-- entity: settlement_line
-- source: market
-- table: public.settlements
-- version: 2
SELECT
    settlement_id || '-' || line_no                AS source_key,
    settlement_id                                  AS settlement_key,
    line_no                                        AS line_number,
    order_id                                       AS order_key,
    map_status('settlement_line.kind', kind)       AS kind,
    CASE WHEN kind = 'commission' THEN kind END    AS fee_kind,
    amount_cents / 100.0                           AS amount,
    currency                                       AS currency,
    posted_at                                      AS posted_at,
    payout_ref                                     AS payout_reference
FROM public.settlements
