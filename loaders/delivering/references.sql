-- name: records
SELECT o.record_id, o.canonical_id, o.status, o.operation, c.external_id, c.odoo_id, o.payload ->> 'name'
FROM outbox o LEFT JOIN crosswalk c USING (canonical_id) WHERE o.record_id = ANY(%s)

-- name: products_by_channel_sku
SELECT w.source, w.sku, o.canonical_id, o.status, o.operation, c.external_id, c.odoo_id, o.payload ->> 'name'
FROM unnest(%s::text[], %s::text[]) w(source, sku)
JOIN identity_keys k ON k.entity = 'product' AND k.kind = 'channel_sku' AND k.value = w.sku AND k.source = w.source
JOIN outbox o ON o.record_id = 'product:' || k.source || ':' || k.source_key AND o.operation = 'upsert'
LEFT JOIN crosswalk c USING (canonical_id)
ORDER BY c.odoo_id IS NULL DESC, o.arrival DESC

-- name: products_by_sku
SELECT w.sku, o.canonical_id, o.status, o.operation, c.external_id, c.odoo_id, o.payload ->> 'name'
FROM unnest(%s::text[]) w(sku)
JOIN identity_keys k ON k.entity = 'product' AND k.kind IN ('sku', 'channel_sku') AND k.value = w.sku
JOIN outbox o ON o.record_id = 'product:' || k.source || ':' || k.source_key AND o.operation = 'upsert'
LEFT JOIN crosswalk c USING (canonical_id)
ORDER BY c.odoo_id IS NULL DESC, k.kind = 'sku', o.arrival DESC

-- Without the lines that people have closed before Odoo had them.
-- name: order_lines
SELECT aggregate_id, record_id, source, status, waits_for, payload FROM outbox o
WHERE entity = 'sales_order_line' AND aggregate_id = ANY(%s) AND operation = 'upsert'
  AND (status NOT IN ('resolved', 'waived') OR EXISTS (SELECT 1 FROM crosswalk c WHERE c.canonical_id = o.canonical_id))
ORDER BY aggregate_id, arrival

-- name: orders_by_number
SELECT w.source, w.number, o.record_id, o.canonical_id, o.status, o.operation, c.external_id, c.odoo_id
FROM unnest(%s::text[], %s::text[]) w(source, number)
JOIN outbox o ON o.entity = 'sales_order' AND o.source = w.source AND o.payload ->> 'order_number' = w.number
LEFT JOIN crosswalk c USING (canonical_id)
ORDER BY o.status = 'duplicate' DESC, o.operation = 'delete' DESC, o.arrival DESC

-- What has been carried out comes first, in that order: a shipment that arrives late takes no other's place.
-- name: shipments_of_orders
SELECT w.source, w.number, s.record_id, s.source, s.payload, c.odoo_id
FROM unnest(%s::text[], %s::text[]) w(source, number)
JOIN outbox s ON s.entity = 'shipment' AND s.payload ->> 'order_source' = w.source
             AND s.payload ->> 'order_number' = w.number AND s.operation = 'upsert' AND s.error_kind IS DISTINCT FROM 'invalid_record'
LEFT JOIN crosswalk c USING (canonical_id)
ORDER BY c.odoo_id NULLS LAST, (s.payload ->> 'shipped_at')::timestamptz NULLS LAST, s.payload ->> 'shipment_number', s.record_id

-- name: shipment_lines
SELECT aggregate_id, record_id, payload FROM outbox
WHERE entity = 'shipment_line' AND aggregate_id = ANY(%s) AND operation = 'upsert' AND error_kind IS DISTINCT FROM 'invalid_record'

-- How much of each line was replaced by a substitute that Odoo has a line for.
-- name: substituted
SELECT l.record_id, sum((sl.payload ->> 'quantity')::numeric)
FROM outbox l
JOIN outbox o ON o.record_id = l.aggregate_id
JOIN outbox s ON s.entity = 'shipment' AND s.payload ->> 'order_source' = o.source
             AND s.payload ->> 'order_number' = o.payload ->> 'order_number'
             AND s.payload ->> 'status' = 'shipped' AND s.operation = 'upsert'
JOIN outbox sl ON sl.entity = 'shipment_line' AND sl.aggregate_id = s.record_id AND sl.operation = 'upsert'
              AND sl.payload ->> 'substitutes_sku' IS NOT NULL
              AND sl.payload ->> 'order_line_number' = l.payload ->> 'line_number'
JOIN crosswalk c ON c.canonical_id = l.record_id || '_sub:' || (sl.payload ->> 'product_sku')
WHERE l.record_id = ANY(%s)
GROUP BY l.record_id

-- name: payloads
SELECT record_id, payload FROM outbox WHERE record_id = ANY(%s)

-- name: returns
SELECT record_id, canonical_id, source, aggregate_id, operation, payload FROM outbox
WHERE entity = 'return' AND record_id = ANY(%s) AND error_kind IS DISTINCT FROM 'invalid_record'

-- name: return_lines
SELECT aggregate_id, payload FROM outbox
WHERE entity = 'return_line' AND aggregate_id = ANY(%s) AND operation = 'upsert' AND error_kind IS DISTINCT FROM 'invalid_record'
ORDER BY arrival

-- name: substitute_lines
SELECT l.record_id, c.canonical_id, c.odoo_id
FROM outbox l
JOIN outbox o ON o.record_id = l.aggregate_id
JOIN outbox s ON s.entity = 'shipment' AND s.payload ->> 'order_source' = o.source
             AND s.payload ->> 'order_number' = o.payload ->> 'order_number'
JOIN outbox sl ON sl.entity = 'shipment_line' AND sl.aggregate_id = s.record_id
              AND sl.payload ->> 'substitutes_sku' IS NOT NULL
              AND sl.payload ->> 'order_line_number' = l.payload ->> 'line_number'
JOIN crosswalk c ON c.canonical_id = l.record_id || '_sub:' || (sl.payload ->> 'product_sku')
WHERE l.record_id = ANY(%s)
GROUP BY 1, 2, 3 ORDER BY 2

-- name: settlement_lines
SELECT aggregate_id, payload FROM outbox
WHERE entity = 'settlement_line' AND aggregate_id = ANY(%s) AND operation = 'upsert'
  AND error_kind IS DISTINCT FROM 'invalid_record' AND status <> 'waived'
ORDER BY aggregate_id, (payload ->> 'line_number')::int, record_id
