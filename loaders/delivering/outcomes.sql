-- name: bind
INSERT INTO crosswalk AS c (canonical_id, entity, model, external_id, odoo_id)
SELECT DISTINCT ON (canonical_id) * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::int[])
    b(canonical_id, entity, model, external_id, odoo_id)
ON CONFLICT (canonical_id) DO UPDATE
SET model = excluded.model, external_id = excluded.external_id, odoo_id = excluded.odoo_id, bound_at = now()
WHERE (c.model, c.external_id, c.odoo_id) IS DISTINCT FROM (excluded.model, excluded.external_id, excluded.odoo_id)

-- A record that changed while it was delivered stays as the change left it: due again.
-- name: settle
UPDATE outbox o
SET status = t.status, stage = t.stage, waits_for = t.waits_for, error_kind = t.error_kind, error = t.error,
    parked_at = CASE WHEN t.status = 'parked' THEN coalesce(o.parked_at, now()) ELSE o.parked_at END,
    attempts = t.attempts, next_attempt_at = now() + make_interval(secs => t.wait_s),
    delivered_at = CASE WHEN t.status = 'delivered' THEN now() ELSE o.delivered_at END, updated_at = now()
FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
            %s::int[], %s::float8[])
    t(record_id, content_hash, operation, status, stage, waits_for, error_kind, error, attempts, wait_s)
WHERE o.record_id = t.record_id AND o.content_hash = t.content_hash AND o.operation = t.operation

-- name: sent
UPDATE outbox o SET delivered_hash = t.digest
FROM unnest(%s::text[], %s::text[]) t(record_id, digest)
WHERE o.record_id = t.record_id AND o.delivered_hash IS DISTINCT FROM nullif(t.digest, '')

-- name: log
INSERT INTO deliveries (record_id, outcome, model, odoo_id, error, started_at, expected, finished_at, age_s, committed_at, arrived_at)
SELECT t.record_id, t.outcome, t.model, t.odoo_id, t.error, t.started_at, t.expected, clock_timestamp(),
       extract(epoch FROM clock_timestamp() - o.committed_at)::float8,
       CASE WHEN o.content_hash = t.content_hash THEN o.committed_at END, CASE WHEN o.content_hash = t.content_hash THEN o.arrived_at END
FROM unnest(%s::text[], %s::text[], %s::text[], %s::int[], %s::text[], %s::timestamptz[], %s::jsonb[], %s::text[])
    t(record_id, outcome, model, odoo_id, error, started_at, expected, content_hash)
LEFT JOIN outbox o USING (record_id)
RETURNING split_part(record_id, ':', 1), CASE WHEN outcome IN ('delivered', 'cancelled') THEN age_s END

-- name: release
UPDATE outbox SET status = 'pending', waits_for = NULL, updated_at = now()
WHERE status = 'parked' AND waits_for = ANY(%s)

-- Booked payments of orders that have got another invoice or credit note: what is open of them may be set off.
-- name: payments_again
UPDATE outbox SET status = 'pending', stage = 'load', updated_at = now()
WHERE entity = 'payment' AND aggregate_id = ANY(%s) AND status = 'delivered' AND operation = 'upsert'

-- The invoicing of the orders that these records are or belong to is due, where their channel has its orders invoiced. The hash tells
-- a settling deliverer that it was made due again meanwhile.
-- name: invoicing
WITH touched AS (
    SELECT CASE d.entity WHEN 'sales_order' THEN d.record_id WHEN 'return_line' THEN w.aggregate_id ELSE d.aggregate_id END AS order_id,
           d.committed_at, d.origin
    FROM outbox d LEFT JOIN outbox w ON w.record_id = d.aggregate_id
    WHERE d.record_id = ANY(%(records)s) AND d.entity IN ('sales_order', 'sales_order_line', 'return', 'return_line')
    UNION ALL
    SELECT o.record_id, d.committed_at, d.origin
    FROM outbox d
    JOIN outbox w ON w.record_id = d.aggregate_id
    JOIN outbox o ON o.entity = 'sales_order' AND o.source = w.payload ->> 'order_source'
                 AND o.payload ->> 'order_number' = w.payload ->> 'order_number'
    WHERE d.record_id = ANY(%(records)s) AND d.entity IN ('shipment', 'shipment_line')
)
INSERT INTO outbox AS i (record_id, entity, source, source_key, canonical_id, aggregate_id, operation, payload, content_hash,
                         mapping_version, source_lsn, committed_at, status, origin)
SELECT DISTINCT ON (o.record_id) 'invoicing:' || o.source || ':' || o.source_key, 'invoicing', o.source, o.source_key,
       'invoicing:' || o.source || ':' || o.source_key, o.record_id, 'upsert',
       jsonb_build_object('order_key', o.source_key, 'order_number', o.payload ->> 'order_number'), '1', 0, o.source_lsn,
       t.committed_at, 'pending', t.origin
FROM touched t JOIN outbox o ON o.record_id = t.order_id
WHERE o.entity = 'sales_order' AND o.source = ANY(%(sources)s)
ORDER BY o.record_id, t.committed_at DESC NULLS LAST
ON CONFLICT (record_id) DO UPDATE
SET status = CASE i.status WHEN 'waived' THEN i.status ELSE 'pending' END,
    content_hash = (i.content_hash::bigint + 1)::text, committed_at = excluded.committed_at, waits_for = NULL, error_kind = NULL,
    error = NULL, attempts = 0, next_attempt_at = NULL, updated_at = now()

-- name: look_at_final_shipments
UPDATE outbox s SET status = 'pending', updated_at = now()
FROM outbox o
WHERE o.record_id = ANY(%s) AND s.entity = 'shipment' AND s.payload ->> 'order_source' = o.source
  AND s.payload ->> 'order_number' = o.payload ->> 'order_number' AND (s.payload ->> 'is_final')::boolean
  AND s.status = 'delivered' AND s.operation = 'upsert'

-- A batch that another deliverer took for left behind stays: both may have worked on its records.
-- name: ended
DELETE FROM calls_under_way WHERE batch_id = %s AND left_at IS NULL

-- The thing lives on in another source's record: that one is written from now on.
-- name: promote
UPDATE outbox o SET status = 'pending', stage = 'load', updated_at = now()
FROM (
    SELECT DISTINCT ON (canonical_id) record_id FROM outbox
    WHERE canonical_id = ANY(%s) AND status = 'linked' AND operation = 'upsert' ORDER BY canonical_id, arrival
) heir
WHERE o.record_id = heir.record_id
RETURNING o.canonical_id
