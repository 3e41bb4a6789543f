-- name: staged_candidates
SELECT s.record_id, s.entity, s.source, s.source_key, s.payload, i.canonical_id
FROM staged s LEFT JOIN identity i USING (entity, source, source_key)
WHERE s.kind = 'upsert' AND s.entity IN ('product', 'customer') ORDER BY s.seq

-- name: forget_keys
DELETE FROM identity_keys k USING staged s
WHERE s.entity IN ('product', 'customer') AND s.kind IN ('upsert', 'delete')
  AND k.entity = s.entity AND k.source = s.source AND k.source_key = s.source_key

-- name: store_keys
INSERT INTO identity_keys (entity, source, source_key, kind, value)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[]) ON CONFLICT DO NOTHING

-- name: things_of
SELECT i.entity || ':' || i.source || ':' || i.source_key, i.canonical_id
FROM unnest(%(sources)s::text[], %(keys)s::text[]) w(source, source_key)
JOIN identity i ON i.entity = %(entity)s AND i.source = w.source AND i.source_key = w.source_key

-- The records of every thing that has one of these key values under any kind: a channel's code may be our own.
-- name: neighbours
SELECT i.canonical_id, i.source, k.kind, k.value
FROM (
    SELECT DISTINCT i.canonical_id
    FROM identity_keys k JOIN identity i USING (entity, source, source_key)
    WHERE k.entity = %(entity)s AND (k.kind, k.value) IN (SELECT * FROM unnest(%(kinds)s::text[], %(values)s::text[]))
    UNION SELECT unnest(%(things)s::text[])
) things
JOIN identity i ON i.canonical_id = things.canonical_id AND i.entity = %(entity)s
LEFT JOIN identity_keys k ON k.entity = i.entity AND k.source = i.source AND k.source_key = i.source_key

-- name: store_identity
INSERT INTO identity (entity, source, source_key, canonical_id, matched_by, confidence)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::real[])
ON CONFLICT (entity, source, source_key) DO UPDATE
SET canonical_id = excluded.canonical_id, matched_by = excluded.matched_by, confidence = excluded.confidence

-- name: store_doubts
INSERT INTO identity_doubts (entity, source, source_key, canonical_id, matched_by, confidence, why, differs_in)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::real[], %s::text[], %s::text[])
ON CONFLICT (entity, source, source_key, canonical_id, matched_by) DO UPDATE
SET confidence = excluded.confidence, why = excluded.why, differs_in = excluded.differs_in, noted_at = now()

-- name: link
UPDATE outbox o SET canonical_id = l.canonical_id, updated_at = now(),
    status = CASE WHEN l.canonical_id = o.record_id THEN o.status ELSE 'linked' END
FROM unnest(%s::text[], %s::text[]) l(record_id, canonical_id)
WHERE o.record_id = l.record_id AND o.canonical_id <> l.canonical_id

-- A better source's record takes a thing over: it keeps its records and its place in Odoo under the new name.
-- name: take_over_identity
UPDATE identity SET canonical_id = %(new)s,
    matched_by = CASE WHEN entity || ':' || source || ':' || source_key = %(old)s THEN %(matched_by)s ELSE matched_by END,
    confidence = CASE WHEN entity || ':' || source || ':' || source_key = %(old)s THEN %(confidence)s ELSE confidence END
WHERE canonical_id = %(old)s

-- name: take_over_outbox
UPDATE outbox SET canonical_id = %(new)s, updated_at = now(),
    status = CASE WHEN record_id = %(new)s THEN status ELSE 'linked' END
WHERE canonical_id = %(old)s

-- name: take_over_crosswalk
UPDATE crosswalk SET canonical_id = %(new)s WHERE canonical_id = %(old)s

-- name: take_over_waiting
UPDATE outbox SET status = 'pending', waits_for = NULL WHERE status = 'parked' AND waits_for = %(old)s

-- name: take_over_doubts
UPDATE identity_doubts SET canonical_id = %(new)s WHERE canonical_id = %(old)s
