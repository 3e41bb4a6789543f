-- Oldest first: what has waited longest is what somebody should look at.
-- name: list
SELECT record_id, entity, source, source_key, status, operation, waits_for, error_kind, error, attempts,
       first_seen_at, updated_at, closed_by, closed_why, closed_at
FROM outbox
WHERE status = ANY(%(statuses)s) AND (%(entity)s::text IS NULL OR entity = %(entity)s)
  AND (%(source)s::text IS NULL OR source = %(source)s)
ORDER BY first_seen_at, arrival LIMIT %(limit)s

-- name: show
SELECT record_id, entity, source, source_key, status, operation, waits_for, error_kind, error, attempts,
       first_seen_at, updated_at, closed_by, closed_why, closed_at, canonical_id, mapping, mapping_version, source_table,
       coalesce(row_key, jsonb_build_object('source_key', source_key)), source_lsn::text, committed_at, origin, payload
FROM outbox WHERE record_id = %(record_id)s

-- name: attempts
SELECT outcome, error, finished_at FROM deliveries WHERE record_id = %(record_id)s ORDER BY delivery_id DESC LIMIT 20

-- name: waiting_for
SELECT record_id FROM outbox WHERE status = 'parked' AND waits_for = %(record_id)s ORDER BY arrival LIMIT 100

-- name: counts
SELECT status, count(*) FROM outbox GROUP BY status ORDER BY status

-- When a record failed: a parked one the first time, for it is tried again and again.
-- name: failures
SELECT record_id, entity, error_kind, coalesce(error, 'waits for ' || waits_for), CASE status WHEN 'parked' THEN parked_at ELSE updated_at END
FROM outbox
WHERE status IN ('dead', 'parked') AND (%(entity)s::text IS NULL OR entity = %(entity)s)
  AND (%(source)s::text IS NULL OR source = %(source)s)

-- What was named one by one may also be something that people have closed.
-- name: selected
SELECT record_id, entity, error_kind, coalesce(error, ''), updated_at FROM outbox
WHERE (status = 'dead' OR (status IN ('resolved', 'waived') AND record_id = ANY(%(record_ids)s)))
  AND (%(record_ids)s::text[] IS NULL OR record_id = ANY(%(record_ids)s))
  AND (%(entity)s::text IS NULL OR entity = %(entity)s)
  AND (%(error_kind)s::text IS NULL OR error_kind = %(error_kind)s)
  AND (%(source)s::text IS NULL OR source = %(source)s)
  AND (%(since)s::timestamptz IS NULL OR updated_at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR updated_at < %(until)s)
  AND (%(from_lsn)s::pg_lsn IS NULL OR source_lsn >= %(from_lsn)s::pg_lsn)
  AND (%(to_lsn)s::pg_lsn IS NULL OR source_lsn <= %(to_lsn)s::pg_lsn)
ORDER BY arrival

-- A record that does not fit its canonical model stays dead: its row is read again instead. Its payload is none, so what it was
-- closed for is forgotten with it.
-- name: replay
UPDATE outbox
SET status = CASE error_kind WHEN 'invalid_record' THEN 'dead' ELSE 'pending' END,
    error_kind = CASE error_kind WHEN 'invalid_record' THEN error_kind END,
    error = CASE error_kind WHEN 'invalid_record' THEN error END,
    waits_for = NULL, attempts = 0, next_attempt_at = NULL, closed_by = NULL, closed_why = NULL, closed_at = NULL, updated_at = now()
WHERE record_id = ANY(%s)
RETURNING record_id, status, row_key IS NOT NULL

-- A thing with its parts: what is left of an order's lines has nothing to wait for.
-- name: close
UPDATE outbox
SET status = %(status)s, closed_by = %(by)s, closed_why = %(why)s, closed_at = now(), waits_for = NULL, updated_at = now()
WHERE status IN ('dead', 'parked') AND (record_id = ANY(%(record_ids)s) OR aggregate_id = ANY(%(record_ids)s))
RETURNING record_id

-- What waited for a closed record looks again: an order goes without a line that nobody wants.
-- name: release
UPDATE outbox SET status = 'pending', waits_for = NULL, updated_at = now() WHERE status = 'parked' AND waits_for = ANY(%s)

-- name: reopened_parts
SELECT record_id FROM outbox
WHERE aggregate_id = ANY(%s) AND status IN ('resolved', 'waived') AND aggregate_id <> record_id
