-- mart.fulfilment
-- Answers: what of each order has left the warehouses, what is still open, and how long it took.
-- Grain: one row for each order of a channel. Key: source, order_key.
-- ordered: goods only; services, bundles' own lines (their components ship), freight, discounts and fees are not things to pick.
-- open: nothing after a shipment marked final, and nothing of a cancelled order.
-- days_to_ship: from the order to its last shipment, once nothing is open; days with two decimals.
CREATE OR REPLACE VIEW mart.fulfilment AS
WITH products AS (
    SELECT source, source_key, channel_sku, kind FROM canonical.product
), goods AS (
    SELECT l.source, l.order_key, sum(l.quantity) AS ordered
    FROM canonical.sales_order_line AS l
    LEFT JOIN products AS p ON p.source = l.source AND p.source_key = l.product_key
    LEFT JOIN products AS c ON c.source = l.source AND c.channel_sku = l.product_channel_sku AND l.product_key IS NULL
    WHERE l.kind = 'product' AND coalesce(p.kind, c.kind, 'goods') = 'goods'
    GROUP BY ALL
), boxes AS (
    SELECT source, shipment_key, sum(quantity) AS quantity, bool_or(substitutes_sku IS NOT NULL) AS has_substitute
    FROM canonical.shipment_line GROUP BY ALL
), sent AS (
    SELECT s.order_source AS source, s.order_number, count(*) AS shipments, sum(b.quantity) AS shipped,
        min(s.shipped_at) AS first_shipped_at, max(s.shipped_at) AS last_shipped_at,
        bool_or(s.is_final) AS is_final, bool_or(coalesce(b.has_substitute, false)) AS has_substitute
    FROM canonical.shipment AS s LEFT JOIN boxes AS b ON b.source = s.source AND b.shipment_key = s.source_key
    WHERE s.status = 'shipped'
    GROUP BY ALL
), orders AS (
    SELECT o.source, o.source_key AS order_key, o.order_number, o.canonical_id, o.status, o.ordered_at,
        coalesce(g.ordered, 0) AS ordered, coalesce(s.shipped, 0) AS shipped, coalesce(s.shipments, 0) AS shipments,
        s.first_shipped_at, s.last_shipped_at,
        coalesce(s.is_final, false) AS is_final, coalesce(s.has_substitute, false) AS has_substitute,
        CASE WHEN o.status = 'cancelled' OR s.is_final THEN 0
            ELSE greatest(coalesce(g.ordered, 0) - coalesce(s.shipped, 0), 0) END AS open
    FROM canonical.sales_order AS o
    LEFT JOIN goods AS g ON g.source = o.source AND g.order_key = o.source_key
    LEFT JOIN sent AS s ON s.source = o.source AND s.order_number = o.order_number
    WHERE o.source <> 'odoo'
)
SELECT source, order_key, order_number, canonical_id, status, ordered_at, ordered, shipped, open, shipments,
    first_shipped_at, last_shipped_at,
    CASE WHEN open = 0 AND last_shipped_at IS NOT NULL
        THEN CAST((epoch(last_shipped_at) - epoch(ordered_at)) / 86400 AS DECIMAL(12, 2)) END AS days_to_ship,
    is_final, has_substitute
FROM orders;
