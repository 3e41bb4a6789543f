-- mapping: market_return_lines
-- entity: return_line
-- source: market
-- table: public.returns
-- version: 1
-- The marketplace's return is of one item: its only line has the return's key.
SELECT
    return_id                   AS source_key,
    return_id                   AS return_key,
    item_id                     AS order_line_key,
    quantity                    AS quantity,
    refund_cents / 100.0        AS refund_amount
FROM public.returns
