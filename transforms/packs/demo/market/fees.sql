-- mapping: market_fees
-- entity: settlement_line
-- source: market
-- table: public.fees
-- version: 2
-- Fees as charged, on no statement yet; positive here at the source, negative from the seller's side.
-- The slash keeps their keys apart from a statement's lines.
SELECT
    'fees/' || fee_id                              AS source_key,
    fee_id                                         AS line_number,
    order_id                                       AS order_key,
    map_status('settlement_line.kind', kind)       AS kind,
    kind                                           AS fee_kind,
    - amount_cents / 100.0                         AS amount,
    'GBP'                                          AS currency,
    charged_at                                     AS posted_at
FROM public.fees
