-- name: others
SELECT canonical_id, record_id, source, payload FROM outbox
WHERE canonical_id = ANY(%s) AND status = 'linked' AND operation = 'upsert' AND record_id <> canonical_id ORDER BY arrival

-- What is as it was keeps the time at which it was seen first.
-- name: forget
DELETE FROM value_differences d
WHERE d.thing = ANY(%s) AND NOT EXISTS (
    SELECT 1 FROM unnest(%s::text[], %s::text[], %s::text[]) n(thing, field, record_id)
    WHERE (n.thing, n.field, n.record_id) = (d.thing, d.field, d.record_id))

-- name: note
INSERT INTO value_differences AS d (thing, field, record_id, value, written, owner)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
ON CONFLICT (thing, field, record_id) DO UPDATE
SET value = excluded.value, written = excluded.written, owner = excluded.owner, noted_at = now()
WHERE (d.value, d.written, d.owner) IS DISTINCT FROM (excluded.value, excluded.written, excluded.owner)
