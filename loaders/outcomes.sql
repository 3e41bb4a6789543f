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
INSERT INTO deliveries (record_id, outcome, model, odoo_id, error, started_at, finished_at, age_s)
SELECT t.record_id, t.outcome, t.model, t.odoo_id, t.error, t.started_at, clock_timestamp(),
       extract(epoch FROM clock_timestamp() - o.committed_at)::float8
FROM unnest(%s::text[], %s::text[], %s::text[], %s::int[], %s::text[], %s::timestamptz[])
    t(record_id, outcome, model, odoo_id, error, started_at)
LEFT JOIN outbox o USING (record_id)
RETURNING split_part(record_id, ':', 1), CASE WHEN outcome IN ('delivered', 'cancelled') THEN age_s END

-- name: release
UPDATE outbox SET status = 'pending', waits_for = NULL, updated_at = now()
WHERE status = 'parked' AND waits_for = ANY(%s)

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
