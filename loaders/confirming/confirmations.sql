-- What Odoo's log (or a read-back over RPC) has told, staged in temporary tables, against what was delivered.

-- name: staging
CREATE TEMPORARY TABLE IF NOT EXISTS told (
    seq          bigint NOT NULL,
    model        text NOT NULL,
    odoo_id      integer NOT NULL,
    write_uid    integer NOT NULL,                      -- 0: nobody in particular
    columns      jsonb,                                 -- null: the row is gone
    lsn          pg_lsn,                                -- null: read back
    committed_at timestamptz NOT NULL
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS told_names (
    seq          bigint NOT NULL,
    external_id  text NOT NULL,
    canonical_id text,
    model        text,                                  -- null: the name is gone
    odoo_id      integer,
    lsn          pg_lsn NOT NULL
) ON COMMIT DELETE ROWS

-- name: copy_told
COPY told (seq, model, odoo_id, write_uid, columns, lsn, committed_at) FROM STDIN

-- name: copy_names
COPY told_names (seq, external_id, canonical_id, model, odoo_id, lsn) FROM STDIN

-- What the log says of a row often comes before the delivery that wrote it is recorded. Of each user's words the last ones: what
-- somebody else writes right after us must not hide ours.
-- name: keep
INSERT INTO odoo_rows AS r (model, odoo_id, write_uid, columns, lsn, committed_at)
SELECT model, odoo_id, write_uid, columns, lsn, committed_at
FROM (SELECT DISTINCT ON (model, odoo_id, write_uid) * FROM told WHERE columns IS NOT NULL ORDER BY model, odoo_id, write_uid, seq DESC) t
ORDER BY seq
ON CONFLICT (model, odoo_id, write_uid) DO UPDATE
SET columns = r.columns || excluded.columns, lsn = excluded.lsn, committed_at = excluded.committed_at, seen_at = now(),
    told = DEFAULT

-- name: forget_gone
DELETE FROM odoo_rows r USING told t WHERE t.columns IS NULL AND r.model = t.model AND r.odoo_id = t.odoo_id

-- name: forget_old
DELETE FROM odoo_rows WHERE seen_at < now() - interval '1 hour'

-- name: tell_known
INSERT INTO told (seq, model, odoo_id, write_uid, columns, lsn, committed_at)
SELECT told, model, odoo_id, write_uid, columns, lsn, committed_at FROM odoo_rows
WHERE (model, odoo_id) IN (SELECT * FROM unnest(%s::text[], %s::int[]))

-- name: writes_as
INSERT INTO odoo_writers (uid) VALUES (%s) ON CONFLICT DO NOTHING

-- Confirmed is what a row shows as it was sent; or as Odoo has reworded it, where our own user wrote the row since the delivery began.
-- name: confirm
UPDATE deliveries d
SET confirmed_at = clock_timestamp(), confirmed_lsn = f.lsn, expected = d.expected || f.reworded
FROM (
    SELECT DISTINCT ON (d.delivery_id) d.delivery_id, t.lsn, t.columns @> d.expected AS exact,
        coalesce((SELECT jsonb_object_agg(key, value) FROM jsonb_each(t.columns) WHERE d.expected ? key), '{}') AS reworded
    FROM told t JOIN deliveries d ON d.model = t.model AND d.odoo_id = t.odoo_id
    WHERE d.expected IS NOT NULL AND d.confirmed_at IS NULL AND t.columns IS NOT NULL
      AND (t.columns @> d.expected
           OR t.committed_at >= d.started_at AND t.write_uid IN (SELECT uid FROM odoo_writers)
              AND d.expected -> 'state' IS NOT DISTINCT FROM CASE WHEN d.expected ? 'state' THEN t.columns -> 'state' END)
    ORDER BY d.delivery_id, exact DESC, t.seq
) f
WHERE d.delivery_id = f.delivery_id

-- Odoo holds a newer state of the record, so that it has had this one.
-- name: confirm_superseded
UPDATE deliveries d SET confirmed_at = n.confirmed_at, confirmed_lsn = n.confirmed_lsn
FROM deliveries n
WHERE (n.model, n.odoo_id) IN (SELECT model, odoo_id FROM told) AND d.expected IS NOT NULL AND d.confirmed_at IS NULL
  AND n.record_id = d.record_id AND n.delivery_id > d.delivery_id AND n.expected IS NOT NULL AND n.confirmed_at IS NOT NULL

-- One row a record that can be judged and a column in which Odoo differs; its name is null where none does. A record that is on its way,
-- or whose delivery is not confirmed yet, can't be judged; what was read back is the last word.
-- name: differences
SELECT o.record_id, o.entity, o.source, l.model, l.odoo_id, e.key, e.value, l.columns ->> e.key, l.write_uid, l.lsn::text, d.delivery_id,
    CASE WHEN l.write_uid IN (SELECT uid FROM odoo_writers) THEN l.committed_at END
FROM (SELECT DISTINCT ON (model, odoo_id) * FROM told ORDER BY model, odoo_id, seq DESC) l
JOIN crosswalk c ON c.model = l.model AND c.odoo_id = l.odoo_id
JOIN outbox o ON o.record_id = c.canonical_id AND o.status = 'delivered' AND o.operation = 'upsert'
CROSS JOIN LATERAL (
    SELECT * FROM deliveries d WHERE d.record_id = o.record_id AND d.expected IS NOT NULL ORDER BY d.delivery_id DESC LIMIT 1
) d
LEFT JOIN LATERAL jsonb_each_text(d.expected) e ON l.columns ? e.key AND l.columns ->> e.key IS DISTINCT FROM e.value
WHERE l.columns IS NOT NULL AND d.model = l.model AND d.odoo_id = l.odoo_id AND l.committed_at >= d.started_at
  AND (d.confirmed_at IS NOT NULL OR l.lsn IS NULL)

-- When batches were under way, as far as they ended after a moment.
-- name: batches
SELECT started_at, max(finished_at) FROM deliveries WHERE finished_at >= %(since)s GROUP BY started_at
UNION ALL SELECT started_at, NULL FROM calls_under_way WHERE left_at IS NULL
ORDER BY 1

-- name: reworded
UPDATE deliveries d SET expected = d.expected || r.columns
FROM (SELECT id, jsonb_object_agg(name, value) AS columns FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS r (id, name, value) GROUP BY id) r
WHERE d.delivery_id = r.id

-- name: agrees
DELETE FROM drift g
WHERE g.record_id = ANY(%s) AND g.field <> 'external_id' AND NOT EXISTS (
    SELECT 1 FROM unnest(%s::text[], %s::text[]) AS d (record_id, field) WHERE d.record_id = g.record_id AND d.field = g.field)

-- name: differs
INSERT INTO drift AS g (record_id, model, odoo_id, field, ours, theirs, odoo_user, lsn)
SELECT * FROM unnest(%s::text[], %s::text[], %s::int[], %s::text[], %s::text[], %s::text[], %s::int[], %s::pg_lsn[])
ON CONFLICT (record_id, field) DO UPDATE
SET model = excluded.model, odoo_id = excluded.odoo_id, ours = excluded.ours, theirs = excluded.theirs, odoo_user = excluded.odoo_user,
    lsn = excluded.lsn, seen_at = now()
WHERE (g.odoo_id, g.ours, g.theirs) IS DISTINCT FROM (excluded.odoo_id, excluded.ours, excluded.theirs)
RETURNING g.record_id, g.field, g.model, g.odoo_id

-- name: rebind
UPDATE crosswalk c SET model = n.model, odoo_id = n.odoo_id, bound_at = now()
FROM (SELECT DISTINCT ON (external_id) * FROM told_names ORDER BY external_id, seq DESC) n
WHERE c.external_id = n.external_id AND (c.model, c.odoo_id) <> (n.model, n.odoo_id)

-- Names of ours that the crosswalk does not know: it was lost, or the deliverer has not recorded them yet. What is no record is a
-- by-product, such as a product's template.
-- name: bind
INSERT INTO crosswalk (canonical_id, entity, model, external_id, odoo_id)
SELECT o.record_id, o.entity, n.model, n.external_id, n.odoo_id
FROM (SELECT DISTINCT ON (external_id) * FROM told_names ORDER BY external_id, seq DESC) n
JOIN outbox o ON o.record_id = n.canonical_id AND o.canonical_id = o.record_id
WHERE n.odoo_id IS NOT NULL
ON CONFLICT DO NOTHING

-- Rows that are gone; names that are gone, of models whose rows are not read; and (of a whole copy of Odoo's names) what was bound before
-- it began and is not among them.
-- name: unbind
DELETE FROM crosswalk c
WHERE EXISTS (SELECT 1 FROM told t WHERE t.columns IS NULL AND t.model = c.model AND t.odoo_id = c.odoo_id)
   OR c.model <> ALL (%(models)s) AND (
        SELECT n.odoo_id IS NULL FROM told_names n WHERE n.external_id = c.external_id ORDER BY n.seq DESC LIMIT 1)
   OR c.bound_at < %(before)s AND c.external_id LIKE %(names)s
      AND NOT EXISTS (SELECT 1 FROM told_names n WHERE n.external_id = c.external_id)
RETURNING c.canonical_id, c.model, c.odoo_id

-- name: named_again
DELETE FROM drift g USING crosswalk c, told_names n
WHERE g.field = 'external_id' AND c.canonical_id = g.record_id AND n.external_id = c.external_id AND n.odoo_id IS NOT NULL

-- A name that is gone while its row stays: load() would make a second record.
-- name: nameless
SELECT c.canonical_id, c.model, c.odoo_id, c.external_id, n.lsn::text
FROM (SELECT DISTINCT ON (external_id) * FROM told_names ORDER BY external_id, seq DESC) n
JOIN crosswalk c ON c.external_id = n.external_id
WHERE n.odoo_id IS NULL

-- name: look_again
UPDATE outbox
SET status = 'pending', stage = 'load', delivered_hash = NULL, waits_for = NULL, error_kind = NULL, error = NULL, attempts = 0,
    next_attempt_at = NULL, updated_at = now()
WHERE record_id = ANY(%s) AND operation = 'upsert' AND status = 'delivered'
RETURNING record_id

-- name: no_longer_ours
DELETE FROM drift WHERE record_id = ANY(%s)
