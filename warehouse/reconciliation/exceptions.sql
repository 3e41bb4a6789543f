-- One run's recon.exceptions, one SELECT a kind. Parameter: run_id. Runs behind facts.sql and orders.sql of the same run.
INSERT INTO recon.exceptions
WITH run AS (
    SELECT * FROM recon.orders WHERE run_id = $run_id
), lines AS (
    SELECT * FROM canonical.sales_order_line WHERE source <> 'odoo'
), listed AS (
    SELECT source, channel_sku, min(created_at) AS created_at FROM canonical.product WHERE channel_sku IS NOT NULL GROUP BY ALL
), linked AS (
    -- Records of one source that are known to be another source's thing.
    SELECT entity, source, source_key, canonical_id, matched_by FROM causeway.identity
    WHERE canonical_id <> entity || ':' || source || ':' || source_key AND split_part(canonical_id, ':', 2) <> source
), found AS (
    SELECT 'sales_order' AS entity, source, order_key AS source_key, 'price_override' AS kind,
        'line ' || min(line_number) || ': ' || arg_min(unit_price, line_number) || ' instead of '
            || arg_min(list_price, line_number) AS detail
    FROM lines
    WHERE kind = 'product' AND unit_price <> list_price AND discount_percent = 0 AND bundle_line_key IS NULL
    GROUP BY ALL
    UNION ALL
    SELECT 'sales_order', source, order_key, 'order_discount', CAST(sum(quantity * unit_price) AS VARCHAR)
    FROM lines WHERE kind = 'discount' GROUP BY ALL
    UNION ALL
    SELECT 'sales_order', source, order_key, 'freight', CAST(sum(quantity * unit_price) AS VARCHAR)
    FROM lines WHERE kind = 'freight' GROUP BY ALL
    UNION ALL
    SELECT 'sales_order', l.source, l.order_key, 'bundle', string_agg(DISTINCT p.sku, ', ')
    FROM lines AS l JOIN canonical.product AS p ON p.source = l.source AND p.source_key = l.product_key
    WHERE p.kind = 'bundle' GROUP BY ALL
    UNION ALL
    SELECT 'sales_order', source, order_key, 'partial_then_completed', shipments || ' shipments'
    FROM fulfilment WHERE shipments > 1 AND shipped >= ordered
    UNION ALL
    SELECT 'sales_order', source, order_key, 'partial_rest_cancelled', shipped || ' of ' || ordered || ' shipped'
    FROM fulfilment WHERE is_final AND shipped < ordered
    UNION ALL
    SELECT DISTINCT 'sales_order', source, order_key, 'substitution', 'another product was sent'
    FROM fulfilment WHERE has_substitute
    UNION ALL
    SELECT 'sales_order', source, order_key, 'cancelled_before_shipping', 'cancelled by the channel'
    FROM fulfilment WHERE status = 'cancelled' AND shipments = 0
    UNION ALL
    SELECT 'sales_order', p.source, p.order_key, 'captured_not_refunded',
        CAST(sum(p.amount) FILTER (p.status = 'captured') AS VARCHAR)
    FROM canonical.payment AS p
    JOIN channel_orders AS o ON o.source = p.source AND o.order_key = p.order_key AND o.status = 'cancelled'
    GROUP BY ALL HAVING bool_or(p.status = 'captured') AND NOT bool_or(p.status = 'refunded')
    UNION ALL
    SELECT 'sales_order', source, order_key, 'returned', string_agg(DISTINCT reason, ', ')
    FROM canonical."return" GROUP BY ALL
    UNION ALL
    SELECT 'customer', source, source_key, 'same_customer', 'is ' || canonical_id || ', by its ' || matched_by
    FROM linked WHERE entity = 'customer'
    UNION ALL
    SELECT 'product', l.source, l.source_key, 'product_two_skus', p.channel_sku || ' is ' || own.sku
    FROM linked AS l
    JOIN canonical.product AS p ON p.source = l.source AND p.source_key = l.source_key
    JOIN canonical.product AS own ON own.record_id = l.canonical_id
    WHERE l.entity = 'product' AND p.channel_sku <> own.sku
    UNION ALL
    SELECT 'sales_order', source, order_key, 'duplicate_order', reason FROM run WHERE status = 'duplicate'
    UNION ALL
    SELECT 'sales_order', l.source, l.order_key, 'late_sku', string_agg(DISTINCT l.product_channel_sku, ', ')
    FROM lines AS l
    JOIN channel_orders AS o ON o.source = l.source AND o.order_key = l.order_key
    JOIN listed AS p ON p.source = l.source AND p.channel_sku = l.product_channel_sku
    WHERE p.created_at > o.ordered_at GROUP BY ALL
    UNION ALL
    SELECT 'sales_order', l.source, l.order_key, 'unknown_sku', string_agg(DISTINCT l.product_channel_sku, ', ')
    FROM lines AS l
    WHERE l.product_key IS NULL AND l.product_channel_sku IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM listed AS p WHERE p.source = l.source AND p.channel_sku = l.product_channel_sku)
    GROUP BY ALL
    UNION ALL
    SELECT 'sales_order', source, order_key, 'refused_by_odoo', dead_letter_error
    FROM run WHERE status = 'missing_in_odoo' AND dead_letter_error IS NOT NULL
    UNION ALL
    SELECT 'sales_order', source, order_key, 'deleted_order', reason
    FROM run WHERE status = 'missing_in_source' AND canonical_id IS NOT NULL
), explained AS (
    SELECT DISTINCT source, source_key FROM found
    WHERE kind IN ('duplicate_order', 'unknown_sku', 'refused_by_odoo', 'deleted_order')
)
SELECT $run_id, * FROM found
UNION ALL
-- A break that nothing above explains is an exception by itself.
SELECT $run_id, 'sales_order', source, order_key, status, reason FROM run
WHERE status IN ('amount_break', 'quantity_break', 'status_break', 'missing_in_odoo', 'missing_in_source')
    AND NOT EXISTS (SELECT 1 FROM explained AS e WHERE e.source = run.source AND e.source_key = run.order_key);
