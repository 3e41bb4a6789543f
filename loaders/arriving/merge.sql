-- A batch of changes, staged in a temporary table of the applying connection, becomes the outbox's newest state.

-- name: staging
CREATE TEMPORARY TABLE IF NOT EXISTS staged (
    seq             bigint NOT NULL,
    kind            text NOT NULL,                      -- upsert, delete, invalid, truncate
    record_id       text NOT NULL,
    entity          text NOT NULL,
    source          text NOT NULL,
    source_key      text NOT NULL,                      -- of a truncate: the pattern of the keys that are gone
    aggregate_id    text NOT NULL,
    payload         text,
    content_hash    text,
    mapping_version integer,
    source_lsn      text,
    committed_at    timestamptz,
    status          text,
    error           text,
    answers         text[],
    origin          text,
    begins          boolean NOT NULL,                   -- false: only of a record that is known already
    source_table    text,
    mapping         text,
    mapping_digest  text,
    row_key         text
) ON COMMIT DELETE ROWS

-- name: copy
COPY staged (seq, kind, record_id, entity, source, source_key, aggregate_id, payload, content_hash, mapping_version,
             source_lsn, committed_at, status, error, answers, origin, begins, source_table, mapping, mapping_digest,
             row_key) FROM STDIN

-- name: keep_last_of_each_record
DELETE FROM staged s USING staged newer
WHERE newer.record_id = s.record_id AND newer.seq > s.seq AND s.kind <> 'truncate'

-- A snapshot that is taken again finds what the log has not brought.
-- name: found_again
UPDATE staged SET origin = 'repaired' WHERE origin = 'snapshot'

-- What the backfill policy leaves out: unless the record, or the thing that it is a part of, is known or begins now.
-- name: forget_unbegun
DELETE FROM staged s
WHERE NOT s.begins AND s.kind IN ('upsert', 'invalid')
  AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.record_id IN (s.record_id, s.aggregate_id))
  AND NOT EXISTS (SELECT 1 FROM staged w WHERE w.record_id IN (s.record_id, s.aggregate_id) AND w.begins)

-- A snapshot gives tables in any order: parts of what was left out go when it is whole. What Odoo has was begun.
-- name: forget_unbegun_parts
DELETE FROM outbox o
WHERE o.source = %(source)s AND o.aggregate_id <> o.record_id AND o.entity = ANY(%(parts)s) AND o.delivered_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM outbox w WHERE w.record_id = o.aggregate_id)

-- name: forget_truncated
DELETE FROM staged s USING staged t
WHERE t.kind = 'truncate' AND s.kind <> 'truncate' AND t.entity = s.entity AND t.source = s.source AND t.seq > s.seq
  AND s.source_key ~ t.source_key

-- name: truncate
UPDATE outbox o
SET operation = 'delete', stage = 'load', waits_for = NULL, error_kind = NULL, error = NULL, attempts = 0,
    next_attempt_at = NULL, updated_at = now(), arrived_at = clock_timestamp(),
    status = CASE WHEN o.status IN ('linked', 'recorded', 'waived') THEN o.status ELSE 'pending' END
FROM staged t
WHERE t.kind = 'truncate' AND o.entity = t.entity AND o.source = t.source AND o.operation = 'upsert'
  AND o.source_key ~ t.source_key

-- name: upsert
INSERT INTO outbox AS o (record_id, entity, source, source_key, canonical_id, aggregate_id, operation, payload,
                         content_hash, mapping_version, source_lsn, committed_at, status, error_kind, error, origin,
                         source_table, mapping, mapping_digest, row_key, arrived_at)
SELECT record_id, entity, source, source_key, record_id, aggregate_id, 'upsert', payload::jsonb, content_hash,
       mapping_version, source_lsn::pg_lsn, committed_at, status,
       CASE WHEN kind = 'invalid' THEN 'invalid_record' END, error, origin, source_table, mapping, mapping_digest,
       row_key::jsonb, clock_timestamp()
FROM staged WHERE kind IN ('upsert', 'invalid') ORDER BY seq
ON CONFLICT (record_id) DO UPDATE
SET aggregate_id = excluded.aggregate_id, operation = 'upsert', payload = excluded.payload,
    content_hash = excluded.content_hash, mapping_version = excluded.mapping_version,
    source_lsn = excluded.source_lsn, committed_at = excluded.committed_at, origin = excluded.origin, stage = 'load', waits_for = NULL,
    error_kind = excluded.error_kind, error = excluded.error, attempts = 0, next_attempt_at = NULL, updated_at = now(),
    arrived_at = excluded.arrived_at,
    source_table = excluded.source_table, mapping = excluded.mapping, mapping_digest = excluded.mapping_digest,
    row_key = excluded.row_key,
    closed_by = CASE o.status WHEN 'waived' THEN o.closed_by END,
    closed_why = CASE o.status WHEN 'waived' THEN o.closed_why END,
    closed_at = CASE o.status WHEN 'waived' THEN o.closed_at END,
    status = CASE WHEN o.status = 'waived' OR (o.status = 'linked' AND excluded.status = 'pending') THEN o.status
                  ELSE excluded.status END
WHERE o.content_hash <> excluded.content_hash OR o.operation <> 'upsert'

-- name: delete
UPDATE outbox o
SET operation = 'delete', stage = 'load', waits_for = NULL, error_kind = NULL, error = NULL, attempts = 0,
    next_attempt_at = NULL, updated_at = now(), source_lsn = d.source_lsn::pg_lsn, committed_at = d.committed_at,
    origin = d.origin, arrived_at = clock_timestamp(),
    status = CASE WHEN o.status IN ('linked', 'recorded', 'waived') THEN o.status ELSE 'pending' END
FROM staged d
WHERE d.kind = 'delete' AND o.record_id = d.record_id AND o.operation = 'upsert'

-- What another source's record of a thing says may be what is written: its owner looks again.
-- name: owners_of_linked
UPDATE outbox o SET status = 'pending', stage = 'load', updated_at = now()
FROM staged s JOIN outbox l USING (record_id)
WHERE s.kind IN ('upsert', 'delete') AND l.status = 'linked' AND o.record_id = l.canonical_id AND o.status = 'delivered'

-- name: aggregates
INSERT INTO aggregates (aggregate_id)
SELECT DISTINCT aggregate_id FROM staged WHERE kind = 'upsert' AND status = 'pending'
ON CONFLICT DO NOTHING

-- name: release_waiting_for_arrivals
UPDATE outbox SET status = 'pending', waits_for = NULL, next_attempt_at = NULL, updated_at = now()
WHERE status = 'parked' AND waits_for = ANY (ARRAY(SELECT unnest(answers) FROM staged))

-- What a return or a payment says may be to be credited, where the order is invoiced at all.
-- name: invoicing_of_refunds
UPDATE outbox i
SET status = 'pending', content_hash = (i.content_hash::bigint + 1)::text, waits_for = NULL, error_kind = NULL, error = NULL,
    attempts = 0, next_attempt_at = NULL, updated_at = now()
FROM staged s
JOIN outbox r ON r.record_id = s.record_id
LEFT JOIN outbox w ON w.record_id = r.aggregate_id AND r.entity = 'return_line'
WHERE s.entity IN ('return', 'return_line', 'payment') AND i.entity = 'invoicing' AND i.status <> 'waived'
  AND i.aggregate_id = coalesce(w.aggregate_id, r.aggregate_id)

-- Of the orders that a channel sent under one key the one that Odoo has, or else the earliest, is the order. A channel's
-- order of rows says nothing here: a snapshot gives them in any order.
-- name: duplicates
WITH touched AS (
    SELECT DISTINCT o.source, o.duplicate_key
    FROM staged s CROSS JOIN LATERAL (
        SELECT o.source, o.payload ->> 'duplicate_key' AS duplicate_key FROM outbox o WHERE o.record_id = s.record_id
        OFFSET 0                                        -- a join may read all orders, above all where none was analyzed yet
    ) o
    WHERE s.entity = 'sales_order' AND o.duplicate_key IS NOT NULL
), ranked AS (
    SELECT o.record_id, o.status, o.payload ->> 'order_number' AS order_number,
           row_number() OVER earliest AS place,
           first_value(o.payload ->> 'order_number') OVER earliest AS first_number,
           first_value(o.record_id) OVER earliest AS first_id
    FROM touched t
    CROSS JOIN LATERAL (
        SELECT * FROM outbox o WHERE o.entity = 'sales_order' AND o.payload ->> 'duplicate_key' = t.duplicate_key OFFSET 0
    ) o
    LEFT JOIN crosswalk c ON c.canonical_id = o.canonical_id
    WHERE o.source = t.source AND o.operation = 'upsert'
    WINDOW earliest AS (PARTITION BY o.source, o.payload ->> 'duplicate_key'
                        ORDER BY c.odoo_id IS NULL, o.payload ->> 'ordered_at', length(o.source_key), o.source_key)
), settled AS (
    UPDATE outbox o
    SET status = CASE WHEN r.place = 1 THEN 'pending' ELSE 'duplicate' END, stage = 'load', waits_for = NULL,
        error_kind = NULL, updated_at = now(),
        error = CASE WHEN r.place > 1 THEN 'the channel sent this order before, as ' || r.first_number || ' (' || r.first_id || ')' END
    FROM ranked r
    WHERE o.record_id = r.record_id
      AND ((r.place > 1 AND o.status NOT IN ('duplicate', 'waived')) OR (r.place = 1 AND o.status = 'duplicate'))
    RETURNING o.record_id, o.status
)
UPDATE outbox l SET status = 'pending', error = NULL, updated_at = now()
FROM settled s
WHERE s.status = 'pending' AND l.aggregate_id = s.record_id AND l.entity = 'sales_order_line' AND l.status = 'duplicate'

-- name: position
SELECT lsn::text, slot, system_identifier, timeline FROM positions WHERE source = %(source)s AND lane = %(lane)s

-- Nothing is returned where the stored position lies behind this one.
-- name: store_position
INSERT INTO positions AS p (source, lane, lsn, slot, system_identifier, timeline, snapshot)
VALUES (%(source)s, %(lane)s, %(lsn)s::pg_lsn, %(slot)s, %(system_identifier)s, %(timeline)s, %(snapshot)s)
ON CONFLICT (source, lane) DO UPDATE
SET lsn = excluded.lsn, slot = excluded.slot, system_identifier = excluded.system_identifier,
    timeline = excluded.timeline, snapshot = excluded.snapshot, updated_at = now()
WHERE %(may_go_back)s OR p.lsn <= excluded.lsn
RETURNING lsn
