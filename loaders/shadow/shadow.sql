-- Quantities of goods by order record and SKU, as the channel says.
-- name: ordered
SELECT l.aggregate_id, coalesce(p.payload ->> 'sku', p.payload ->> 'channel_sku', l.payload ->> 'product_channel_sku'),
       sum((l.payload ->> 'quantity')::numeric)
FROM outbox l
LEFT JOIN outbox p ON p.record_id = 'product:' || l.source || ':' || (l.payload ->> 'product_key')
WHERE l.entity = 'sales_order_line' AND l.aggregate_id = ANY(%s) AND l.operation = 'upsert'
  AND l.error_kind IS DISTINCT FROM 'invalid_record' AND l.payload ->> 'kind' = 'product'
  AND coalesce(p.payload ->> 'kind', 'goods') = 'goods'
GROUP BY 1, 2

-- name: orders_of_shipments
SELECT record_id, payload ->> 'order_number' FROM outbox WHERE record_id = ANY(%s) AND entity = 'shipment'

-- What has left by order number and SKU.
-- name: shipped
SELECT s.payload ->> 'order_number', l.payload ->> 'product_sku', sum((l.payload ->> 'quantity')::numeric)
FROM outbox s JOIN outbox l ON l.entity = 'shipment_line' AND l.aggregate_id = s.record_id
WHERE s.entity = 'shipment' AND s.payload ->> 'order_number' = ANY(%s) AND s.payload ->> 'status' = 'shipped'
  AND s.operation = 'upsert' AND l.operation = 'upsert' AND l.error_kind IS DISTINCT FROM 'invalid_record'
GROUP BY 1, 2

-- name: store
INSERT INTO shadow (record_id, entity, model, odoo_id, matched_by, verdict, differences, compared_at)
SELECT t.*, now() FROM unnest(%s::text[], %s::text[], %s::text[], %s::int[], %s::text[], %s::text[], %s::jsonb[])
    t(record_id, entity, model, odoo_id, matched_by, verdict, differences)
ON CONFLICT (record_id) DO UPDATE
SET model = excluded.model, odoo_id = excluded.odoo_id, matched_by = excluded.matched_by, verdict = excluded.verdict,
    differences = excluded.differences, compared_at = excluded.compared_at

-- The domain has gone live, or is compared no more.
-- name: go_live
UPDATE outbox SET status = 'pending', stage = 'load', updated_at = now() WHERE status = 'shadowed' AND entity = ANY(%s)

-- name: any
SELECT EXISTS (SELECT 1 FROM shadow)

-- What Odoo holds under a name that is not ours.
-- name: unadopted
SELECT s.record_id, s.model, s.odoo_id, s.matched_by
FROM shadow s JOIN outbox o USING (record_id) LEFT JOIN crosswalk c USING (canonical_id)
WHERE s.record_id = ANY(%s) AND (s.odoo_id IS NOT NULL OR s.verdict = 'ambiguous') AND c.canonical_id IS NULL
  AND s.entity IN ('customer', 'product', 'sales_order')

-- name: to_adopt
SELECT DISTINCT ON (o.canonical_id) o.canonical_id, s.entity, s.model, s.odoo_id
FROM shadow s JOIN outbox o USING (record_id) LEFT JOIN crosswalk c USING (canonical_id)
WHERE s.entity = %s AND s.odoo_id IS NOT NULL AND s.verdict IN ('same', 'differs') AND c.canonical_id IS NULL
ORDER BY o.canonical_id, o.arrival

-- name: release_adopted
UPDATE outbox o SET status = 'pending', error_kind = NULL, error = NULL, attempts = 0, updated_at = now()
FROM shadow s WHERE s.record_id = o.record_id AND o.status = 'dead' AND o.canonical_id = ANY(%s)

-- name: list
SELECT s.record_id, s.verdict, s.model, s.odoo_id, s.matched_by, s.differences, s.compared_at
FROM shadow s
WHERE (%(entities)s::text[] IS NULL OR s.entity = ANY(%(entities)s)) AND (%(verdict)s::text IS NULL OR s.verdict = %(verdict)s)
ORDER BY s.entity, s.record_id LIMIT %(limit)s

-- name: summary
SELECT entity, verdict, count(*) FROM shadow GROUP BY entity, verdict ORDER BY entity, verdict
