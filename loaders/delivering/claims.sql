-- One look instead of one a step, for a deliverer that has nothing to do.
-- name: anything
SELECT EXISTS (SELECT 1 FROM outbox WHERE status = 'pending') OR EXISTS (SELECT 1 FROM calls_under_way)

-- The sessions that have announced themselves as deliverers (rechecks.sql, announce).
-- name: deliverers
SELECT count(*) FROM pg_locks
WHERE locktype = 'advisory' AND objsubid = 2 AND mode = 'ShareLock'
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND classid = (hashtext('causeway deliverers')::bigint & 4294967295)::oid
  AND objid = (hashtext(current_schema())::bigint & 4294967295)::oid

-- name: how_many_are_due
SELECT count(*) FROM (
    SELECT 1 FROM outbox o WHERE o.status = 'pending' AND o.entity = %(entity)s AND o.stage = %(stage)s
      AND (%(addresses)s::boolean IS NULL OR (o.payload ->> 'kind' <> 'contact') = %(addresses)s::boolean)
    LIMIT %(at_most)s) due

-- name: claim
SELECT o.record_id
FROM outbox o JOIN aggregates a USING (aggregate_id)
WHERE o.status = 'pending' AND o.entity = %(entity)s AND o.stage = %(stage)s
  AND (o.next_attempt_at IS NULL OR o.next_attempt_at <= clock_timestamp())
  AND o.source IN (SELECT source FROM positions WHERE lane = 'operational' AND snapshot IS NULL)
  AND (%(addresses)s::boolean IS NULL OR (o.payload ->> 'kind' <> 'contact') = %(addresses)s::boolean)
  -- A line waits its turn behind its order's header, which is due as well.
  AND (o.entity <> 'sales_order_line' OR NOT EXISTS (
        SELECT 1 FROM outbox h WHERE h.record_id = o.aggregate_id AND h.status = 'pending' AND h.stage = 'load'))
  -- A count is compared with an Odoo that knows what its warehouse has shipped.
  AND (o.entity <> 'stock_level' OR NOT EXISTS (
        SELECT 1 FROM outbox m WHERE m.source = o.source AND m.entity IN ('shipment', 'shipment_line') AND m.status = 'pending'))
  -- An order's money waits until the order is as it should be.
  AND (o.entity NOT IN ('invoicing', 'payment') OR NOT EXISTS (
        SELECT 1 FROM outbox h WHERE h.record_id = o.aggregate_id AND h.status = 'pending'))
ORDER BY o.arrival LIMIT %(limit)s
FOR UPDATE OF a SKIP LOCKED

-- What was locked may have been settled by another deliverer between the claim's snapshot and its lock: read it again.
-- name: claimed
SELECT record_id, entity, source, source_key, canonical_id, aggregate_id, operation, payload, content_hash,
       delivered_hash, attempts, stage, source_lsn::text, mapping_version
FROM outbox WHERE record_id = ANY(%(record_ids)s) AND status = 'pending' AND stage = %(stage)s ORDER BY arrival

-- The lock on the order's aggregate is its lines', too.
-- name: lines_of_new_orders
SELECT l.record_id, l.entity, l.source, l.source_key, l.canonical_id, l.aggregate_id, l.operation, l.payload, l.content_hash,
       l.delivered_hash, l.attempts, l.stage, l.source_lsn::text, l.mapping_version
FROM outbox l JOIN outbox h ON h.record_id = l.aggregate_id
WHERE l.aggregate_id = ANY(%(orders)s) AND l.entity = 'sales_order_line' AND l.operation = 'upsert'
  AND l.status = 'pending' AND l.stage = 'load' AND l.attempts = 0
  AND NOT EXISTS (SELECT 1 FROM crosswalk c WHERE c.canonical_id IN (l.canonical_id, h.canonical_id))
ORDER BY l.arrival

-- Shipments and their lines are worked off together, by order: the order is what must not be worked on twice at a time.
-- They wait their turn behind an order that is due itself. Eight rows a shipment: enough to fill a batch with shipments, without reading all that is due each time.
-- name: due_shipments
WITH due AS (
    SELECT CASE entity WHEN 'shipment' THEN record_id ELSE aggregate_id END AS shipment_id, min(arrival) AS arrival
    FROM (
        SELECT d.entity, d.record_id, d.aggregate_id, d.arrival
        FROM outbox d LEFT JOIN outbox s ON s.record_id = d.aggregate_id
        WHERE d.status = 'pending' AND d.entity IN ('shipment', 'shipment_line')
          AND (d.next_attempt_at IS NULL OR d.next_attempt_at <= clock_timestamp())
          AND d.source IN (SELECT source FROM positions WHERE lane = 'operational' AND snapshot IS NULL)
          AND NOT EXISTS (
                SELECT 1 FROM outbox o
                WHERE o.entity = 'sales_order' AND o.source = s.payload ->> 'order_source'
                  AND o.payload ->> 'order_number' = s.payload ->> 'order_number' AND o.status = 'pending')
        ORDER BY d.arrival LIMIT 8 * %(limit)s
    ) first
    GROUP BY 1 ORDER BY 2 LIMIT %(limit)s
)
SELECT due.shipment_id, o.record_id
FROM due
LEFT JOIN outbox s ON s.record_id = due.shipment_id
LEFT JOIN outbox o ON o.entity = 'sales_order' AND o.source = s.payload ->> 'order_source'
                  AND o.payload ->> 'order_number' = s.payload ->> 'order_number'
ORDER BY due.arrival

-- name: lock_aggregates
SELECT aggregate_id FROM aggregates WHERE aggregate_id = ANY(%(aggregates)s) FOR UPDATE SKIP LOCKED

-- name: claimed_shipments
SELECT record_id, entity, source, source_key, canonical_id, aggregate_id, operation, payload, content_hash,
       delivered_hash, attempts, stage, source_lsn::text, mapping_version
FROM outbox
WHERE status = 'pending' AND entity IN ('shipment', 'shipment_line')
  AND (record_id = ANY(%(shipments)s) OR (entity = 'shipment_line' AND aggregate_id = ANY(%(shipments)s)))
ORDER BY arrival

-- Returns and their lines likewise. They wait their turn behind an order that is due itself, whose row is locked whether it has
-- arrived or not: the return names it.
-- name: due_returns
WITH due AS (
    SELECT return_id, order_id, min(arrival) AS arrival
    FROM (
        SELECT coalesce(r.record_id, d.aggregate_id) AS return_id, r.aggregate_id AS order_id, d.arrival
        FROM outbox d
        LEFT JOIN outbox r ON r.record_id = CASE d.entity WHEN 'return' THEN d.record_id ELSE d.aggregate_id END
        WHERE d.status = 'pending' AND d.entity IN ('return', 'return_line')
          AND (d.next_attempt_at IS NULL OR d.next_attempt_at <= clock_timestamp())
          AND d.source IN (SELECT source FROM positions WHERE lane = 'operational' AND snapshot IS NULL)
          AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.record_id = r.aggregate_id AND o.status = 'pending')
        ORDER BY d.arrival LIMIT 8 * %(limit)s
    ) first
    GROUP BY 1, 2 ORDER BY 3 LIMIT %(limit)s
)
SELECT return_id, order_id FROM due ORDER BY arrival

-- name: claimed_returns
SELECT record_id, entity, source, source_key, canonical_id, aggregate_id, operation, payload, content_hash,
       delivered_hash, attempts, stage, source_lsn::text, mapping_version
FROM outbox
WHERE status = 'pending' AND entity IN ('return', 'return_line')
  AND (record_id = ANY(%(returns)s) OR (entity = 'return_line' AND aggregate_id = ANY(%(returns)s)))
ORDER BY arrival

-- name: try_policies_again
UPDATE outbox SET status = 'pending', error_kind = NULL, error = NULL, attempts = 0, next_attempt_at = NULL, updated_at = now()
WHERE status = 'dead' AND error_kind = 'policy'

-- A record that arrived or was delivered while another was being parked for it is found here. Of what people keep in Odoo nobody
-- tells us: it is looked for again every minute.
-- name: release_satisfied
UPDATE outbox p SET status = 'pending', waits_for = NULL, updated_at = now()
WHERE p.status = 'parked' AND (
    (p.waits_for LIKE 'odoo#%%' AND p.updated_at < now() - interval '1 minute') OR
    EXISTS (SELECT 1 FROM outbox o WHERE o.record_id = regexp_replace(p.waits_for, '#driven$', '')
            AND o.status = 'delivered' AND o.operation = 'upsert')
    OR (p.waits_for LIKE 'product#sku=%%' AND EXISTS (
        SELECT 1 FROM identity_keys k WHERE k.entity = 'product' AND k.kind IN ('sku', 'channel_sku')
        AND k.value = substr(p.waits_for, length('product#sku=') + 1)))
    OR (p.waits_for LIKE 'product#channel_sku=%%' AND EXISTS (
        SELECT 1 FROM identity_keys k WHERE k.entity = 'product' AND k.kind = 'channel_sku'
        AND 'product#channel_sku=' || k.source || ':' || k.value = p.waits_for
        AND k.value = split_part(p.waits_for, ':', 2)))
    OR (p.waits_for LIKE 'sales_order#order_number=%%' AND EXISTS (
        SELECT 1 FROM outbox o WHERE o.entity = 'sales_order' AND o.source = split_part(substr(p.waits_for, 26), ':', 1)
        AND 'sales_order#order_number=' || o.source || ':' || (o.payload ->> 'order_number') = p.waits_for))
    OR (p.waits_for LIKE 'sales_order_line#of=%%' AND EXISTS (
        SELECT 1 FROM outbox o WHERE o.entity = 'sales_order_line' AND o.aggregate_id = substr(p.waits_for, 21)))
)

-- name: take_up_settlements
WITH due AS (
    UPDATE outbox SET status = 'pending', stage = 'load', updated_at = now()
    WHERE entity = 'settlement_line' AND status = 'recorded' AND operation = 'upsert' AND source = ANY(%(sources)s)
      AND payload ->> 'settlement_key' IS NOT NULL
    RETURNING aggregate_id
)
INSERT INTO aggregates (aggregate_id) SELECT DISTINCT aggregate_id FROM due ON CONFLICT DO NOTHING
