-- A session's advisory lock shows that its deliverer lives; Postgres lets go of it when the session ends, however it ends.
-- name: announce
SELECT pg_advisory_lock(hashtextextended(current_schema(), %s)),
       pg_advisory_lock_shared(hashtext('causeway deliverers'), hashtext(current_schema()))

-- name: begin
INSERT INTO calls_under_way (deliverer, record_ids) VALUES (%s, %s) RETURNING batch_id

-- name: withdraw
DELETE FROM calls_under_way WHERE batch_id = %s

-- name: left_behind
UPDATE calls_under_way SET left_at = clock_timestamp()
WHERE left_at IS NULL AND deliverer <> %(deliverer)s
  AND pg_try_advisory_xact_lock(hashtextextended(current_schema(), deliverer))

-- A deliverer's last call may have begun just before it was found to be gone, but no later.
-- name: over
SELECT batch_id FROM calls_under_way
WHERE left_at + make_interval(secs => %(grace_s)s) <= clock_timestamp() ORDER BY batch_id

-- name: take
SELECT record_ids FROM calls_under_way WHERE batch_id = %s FOR UPDATE SKIP LOCKED

-- All records of the things that the batch was about: another source's may have become the one that is delivered. Shipments and
-- returns are claimed by their order (claims.sql).
-- name: touched
SELECT o.record_id, o.entity, o.canonical_id, c.external_id, coalesce(orders.record_id, returned.aggregate_id, o.aggregate_id)
FROM outbox o
LEFT JOIN crosswalk c ON c.canonical_id = o.canonical_id
LEFT JOIN outbox s ON o.entity IN ('shipment', 'shipment_line') AND s.entity = 'shipment'
    AND s.record_id = CASE o.entity WHEN 'shipment' THEN o.record_id ELSE o.aggregate_id END
LEFT JOIN outbox orders ON orders.entity = 'sales_order' AND orders.source = s.payload ->> 'order_source'
    AND orders.payload ->> 'order_number' = s.payload ->> 'order_number'
LEFT JOIN outbox returned ON o.entity = 'return_line' AND returned.record_id = o.aggregate_id
WHERE o.canonical_id IN (SELECT canonical_id FROM outbox WHERE record_id = ANY(%s))

-- name: claimable
SELECT aggregate_id FROM aggregates WHERE aggregate_id = ANY(%(aggregates)s)

-- name: claim
SELECT aggregate_id FROM aggregates WHERE aggregate_id = ANY(%(aggregates)s) FOR UPDATE SKIP LOCKED

-- What waits or is dead stays so, without its memory of what Odoo has. Where another source's record has become the thing's, a
-- deleted one must not archive it.
-- name: make_due
UPDATE outbox o
SET status = CASE o.status WHEN 'delivered' THEN 'pending' ELSE o.status END, stage = 'load', delivered_hash = NULL,
    updated_at = now()
WHERE o.record_id = ANY(%s) AND o.status IN ('pending', 'parked', 'dead', 'delivered')
  AND NOT (o.operation = 'delete' AND EXISTS (
        SELECT 1 FROM outbox heir WHERE heir.canonical_id = o.canonical_id AND heir.operation = 'upsert'
        AND heir.status <> 'linked'))

-- name: keep
UPDATE calls_under_way SET record_ids = %s WHERE batch_id = %s

-- name: forget
DELETE FROM calls_under_way WHERE batch_id = %s AND record_ids = '{}'
