-- Things that several records are.
-- name: things
SELECT i.entity, i.canonical_id, i.entity || ':' || i.source || ':' || i.source_key, i.matched_by, i.confidence
FROM identity i
WHERE (%(entity)s::text IS NULL OR i.entity = %(entity)s)
  AND i.canonical_id IN (SELECT canonical_id FROM identity GROUP BY 1 HAVING count(*) > 1)
ORDER BY i.canonical_id, i.matched_by <> 'self', i.source, i.source_key LIMIT %(limit)s

-- Doubts that nobody has settled: the record is still not the thing.
-- name: doubts
SELECT d.entity, d.entity || ':' || d.source || ':' || d.source_key, d.canonical_id, d.matched_by, d.confidence, d.why, d.differs_in,
       d.noted_at
FROM identity_doubts d JOIN identity i USING (entity, source, source_key)
WHERE i.canonical_id <> d.canonical_id AND (%(entity)s::text IS NULL OR d.entity = %(entity)s)
  AND (%(thing)s::text IS NULL OR %(thing)s IN (d.canonical_id, i.canonical_id))
ORDER BY d.noted_at LIMIT %(limit)s

-- name: record
SELECT i.entity, i.canonical_id, o.status FROM outbox o JOIN identity i USING (entity, source, source_key) WHERE o.record_id = %s

-- name: members
SELECT i.entity || ':' || i.source || ':' || i.source_key, i.matched_by, i.confidence, o.status, o.operation,
       (SELECT jsonb_object_agg(k.kind, k.value) FROM identity_keys k
        WHERE k.entity = i.entity AND k.source = i.source AND k.source_key = i.source_key)
FROM identity i LEFT JOIN outbox o ON o.record_id = i.entity || ':' || i.source || ':' || i.source_key
WHERE i.canonical_id = %s ORDER BY i.matched_by <> 'self', i.source, i.source_key

-- name: differences
SELECT field, record_id, value, written, owner, noted_at FROM value_differences WHERE thing = %s ORDER BY field, record_id

-- name: place
SELECT model, odoo_id FROM crosswalk WHERE canonical_id = %s

-- A record that owns a thing brings all its records along.
-- name: link_identity
UPDATE identity i SET canonical_id = %(new)s,
    matched_by = CASE WHEN o.record_id = %(record)s THEN 'hand' ELSE i.matched_by END,
    confidence = CASE WHEN o.record_id = %(record)s THEN 1 ELSE i.confidence END
FROM outbox o
WHERE o.entity = i.entity AND o.source = i.source AND o.source_key = i.source_key
  AND (o.record_id = %(record)s OR (i.canonical_id = %(old)s AND %(old)s = %(record)s))

-- name: link_outbox
UPDATE outbox SET canonical_id = %(new)s, status = 'linked', waits_for = NULL, error_kind = NULL, error = NULL, updated_at = now()
WHERE record_id = %(record)s OR (canonical_id = %(old)s AND %(old)s = %(record)s)

-- Whose values are written may have changed with it.
-- name: owner_is_due
UPDATE outbox SET status = 'pending', stage = 'load', updated_at = now() WHERE record_id = %(new)s AND status = 'delivered'

-- name: unlink_identity
UPDATE identity i SET canonical_id = %(record)s, matched_by = 'hand', confidence = NULL
FROM outbox o
WHERE o.record_id = %(record)s AND o.entity = i.entity AND o.source = i.source AND o.source_key = i.source_key

-- name: unlink_outbox
UPDATE outbox SET canonical_id = %(record)s, status = 'pending', stage = 'load', delivered_hash = NULL, attempts = 0,
    next_attempt_at = NULL, updated_at = now()
WHERE record_id = %(record)s

-- name: release
UPDATE outbox SET status = 'pending', waits_for = NULL, updated_at = now()
WHERE status = 'parked' AND waits_for IN (%(old)s, %(record)s, %(new)s)

-- name: settle_doubts
DELETE FROM identity_doubts d USING outbox o
WHERE o.record_id = %(record)s AND o.entity = d.entity AND o.source = d.source AND o.source_key = d.source_key
  AND d.canonical_id = %(new)s
