-- Oldest first: what has waited longest is what somebody should look at.
-- name: list
SELECT record_id, entity, source, source_key, status, operation, waits_for, error_kind, error, attempts,
       first_seen_at, updated_at
FROM outbox
WHERE status IN ('dead', 'parked') AND (%(entity)s::text IS NULL OR entity = %(entity)s)
  AND (%(source)s::text IS NULL OR source = %(source)s)
ORDER BY first_seen_at, arrival LIMIT %(limit)s

-- name: show
SELECT record_id, entity, source, source_key, status, operation, waits_for, error_kind, error, attempts,
       first_seen_at, updated_at, canonical_id, mapping_version, source_lsn::text, committed_at, origin, payload
FROM outbox WHERE record_id = %(record_id)s

-- name: attempts
SELECT outcome, error, finished_at FROM deliveries WHERE record_id = %(record_id)s ORDER BY delivery_id DESC LIMIT 20

-- name: waiting_for
SELECT record_id FROM outbox WHERE status = 'parked' AND waits_for = %(record_id)s ORDER BY arrival LIMIT 100

-- name: counts
SELECT status, count(*) FROM outbox GROUP BY status ORDER BY status

-- A record that does not fit its canonical model is mended at its source or in its mapping, and then arrives again.
-- name: replay
UPDATE outbox
SET status = 'pending', error_kind = NULL, error = NULL, attempts = 0, next_attempt_at = NULL, updated_at = now()
WHERE status = 'dead' AND error_kind <> 'invalid_record'
  AND (%(record_ids)s::text[] IS NULL OR record_id = ANY(%(record_ids)s))
  AND (%(entity)s::text IS NULL OR entity = %(entity)s)
  AND (%(error_kind)s::text IS NULL OR error_kind = %(error_kind)s)
