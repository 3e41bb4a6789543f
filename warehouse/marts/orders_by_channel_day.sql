-- mart.orders_by_channel_day
-- Answers: what each channel sold on a day, and what is left of it after discounts and the channel's fees.
-- Grain: one row for each channel and day (UTC) of the order. Key: channel, day, currency.
-- Counts confirmed and fulfilled orders; one that the channel sent twice counts once, by its first.
-- gross: product and manual lines at their agreed price, before the line's discount. discount: line discounts and discount lines,
-- negative. freight: freight lines. fees: fee lines of the order, and the channel's fees as charged for it (negative); the
-- statement's, where the channel does not say what it charges. net: gross + discount + freight + fees, without tax.
-- tax: as the channel says, else from the lines' rates. Amounts of a line are rounded to cents before they are added.
CREATE OR REPLACE VIEW mart.orders_by_channel_day AS
WITH orders AS (
    SELECT source, source_key, ordered_at, currency, amount_tax FROM canonical.sales_order
    WHERE source <> 'odoo' AND status IN ('confirmed', 'fulfilled')
    QUALIFY duplicate_key IS NULL
        OR row_number() OVER (PARTITION BY source, duplicate_key ORDER BY ordered_at, source_key) = 1
), priced AS (
    SELECT source, order_key, kind, tax_rate,
        round(CAST(quantity * unit_price AS DECIMAL(38, 6)), 2) AS full_amount,
        round(CAST(quantity * unit_price AS DECIMAL(38, 6)) * CAST(1 - discount_percent / 100 AS DECIMAL(12, 6)), 2) AS amount
    FROM canonical.sales_order_line
), lines AS (
    SELECT source, order_key,
        sum(full_amount) FILTER (kind IN ('product', 'manual')) AS gross,
        sum(amount - full_amount) FILTER (kind IN ('product', 'manual')) AS line_discount,
        sum(amount) FILTER (kind = 'discount') AS discount,
        sum(amount) FILTER (kind = 'freight') AS freight,
        sum(amount) FILTER (kind = 'fee') AS fees,
        sum(round(CAST(amount * coalesce(tax_rate, 0) / 100 AS DECIMAL(38, 6)), 2)) AS tax
    FROM priced GROUP BY ALL
), charged AS (
    SELECT source, order_key,
        coalesce(sum(amount) FILTER (settlement_key IS NULL), sum(amount)) AS fees
    FROM canonical.settlement_line WHERE kind = 'fee' AND order_key IS NOT NULL GROUP BY ALL
), each AS (
    SELECT o.source AS channel, CAST(o.ordered_at AT TIME ZONE 'UTC' AS DATE) AS day, o.currency,
        coalesce(l.gross, 0) AS gross, coalesce(l.line_discount, 0) + coalesce(l.discount, 0) AS discount,
        coalesce(l.freight, 0) AS freight, coalesce(o.amount_tax, l.tax, 0) AS tax,
        coalesce(l.fees, 0) + coalesce(c.fees, 0) AS fees
    FROM orders AS o
    LEFT JOIN lines AS l ON l.source = o.source AND l.order_key = o.source_key
    LEFT JOIN charged AS c ON c.source = o.source AND c.order_key = o.source_key
)
SELECT channel, day, currency, count(*) AS orders,
    CAST(sum(gross) AS DECIMAL(18, 2)) AS gross, CAST(sum(discount) AS DECIMAL(18, 2)) AS discount,
    CAST(sum(freight) AS DECIMAL(18, 2)) AS freight, CAST(sum(tax) AS DECIMAL(18, 2)) AS tax,
    CAST(sum(fees) AS DECIMAL(18, 2)) AS fees, CAST(sum(gross + discount + freight + fees) AS DECIMAL(18, 2)) AS net
FROM each GROUP BY ALL;
