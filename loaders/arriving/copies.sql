-- Which tables of a source the outbox has the rows of, and copies of them that are under way: see state.sql.

-- name: read
SELECT relation::text, began_at::text, exact_from::text, last_key, rows, whole FROM copies WHERE source = %(source)s

-- name: store
INSERT INTO copies (source, table_name, relation, began_at, exact_from, last_key, rows, whole)
VALUES (%(source)s, %(table)s, %(relation)s::jsonb, %(began_at)s::pg_lsn, %(exact_from)s::pg_lsn, %(last_key)s::text[], %(rows)s, %(whole)s)
ON CONFLICT (source, table_name) DO UPDATE
SET relation = excluded.relation, began_at = excluded.began_at, exact_from = excluded.exact_from, last_key = excluded.last_key,
    rows = excluded.rows, whole = excluded.whole

-- name: forget
DELETE FROM copies WHERE source = %(source)s AND table_name = %(table)s

-- name: forget_all
DELETE FROM copies WHERE source = %(source)s

-- name: captured
SELECT table_name FROM captured_tables WHERE source = %(source)s

-- Records from before it was noted by which mapping they were made may be of any.
-- name: without_records
SELECT m.name
FROM unnest(%(names)s::text[], %(sources)s::text[], %(tables)s::text[], %(entities)s::text[]) m(name, source, table_name, entity)
JOIN captured_tables c USING (source, table_name)
WHERE NOT EXISTS (SELECT 1 FROM copies p WHERE p.source = m.source AND p.table_name = m.table_name)
  AND NOT EXISTS (
        SELECT 1 FROM outbox o
        WHERE o.source = m.source AND o.entity = m.entity AND coalesce(o.mapping, m.name) = m.name)
ORDER BY m.name

-- name: note_captured
INSERT INTO captured_tables (source, table_name) SELECT %(source)s, unnest(%(tables)s::text[]) ON CONFLICT DO NOTHING

-- name: forget_captured
DELETE FROM captured_tables WHERE source = %(source)s AND table_name <> ALL (%(tables)s::text[])

-- name: forget_copies_of_others
DELETE FROM copies WHERE source = %(source)s AND table_name <> ALL (%(tables)s::text[])

-- name: unfinished_snapshot
SELECT snapshot FROM positions WHERE source = %(source)s AND lane = %(lane)s

-- name: snapshot_is_whole
UPDATE positions SET snapshot = NULL WHERE source = %(source)s AND lane = %(lane)s

-- What the stream brings from before a copy began says nothing of whether the row was still there then, unless it was looked up since.
-- name: seen
INSERT INTO snapshot_seen (source, table_name, record_id)
SELECT s.source, t.table_name, s.record_id FROM staged s CROSS JOIN unnest(%(tables)s::text[]) t(table_name)
LEFT JOIN copies c ON c.source = s.source AND c.table_name = t.table_name
WHERE s.kind IN ('upsert', 'invalid')
  AND (NOT %(streamed)s OR s.origin = 'looked_up' OR c.began_at IS NULL OR s.source_lsn::pg_lsn >= c.began_at)
ON CONFLICT DO NOTHING

-- name: forget_seen
DELETE FROM snapshot_seen WHERE source = %(source)s AND table_name = %(table)s

-- name: forget_all_seen
DELETE FROM snapshot_seen WHERE source = %(source)s

-- Rows of a table that could not be mapped as they came: its records can't be counted yet.
-- name: waits_for_rows
SELECT EXISTS (SELECT 1 FROM rows_to_read WHERE source = %(source)s AND table_name = %(table)s)

-- What no row has made anew is gone at the source: as a delete in the stream says it. Of a table: its mappings' records, unless
-- another mapping, or a broken one, may have made them.
-- name: stage_gone
INSERT INTO staged (seq, kind, record_id, entity, source, source_key, aggregate_id, source_lsn, committed_at, answers, origin, begins)
SELECT row_number() OVER (ORDER BY o.arrival), 'delete', o.record_id, o.entity, o.source, o.source_key, '', %(lsn)s, now(), '{}',
       'repaired', true
FROM outbox o
WHERE o.source = %(source)s AND o.operation = 'upsert'
  AND (%(table)s = '' OR EXISTS (
        SELECT 1 FROM unnest(%(entities)s::text[], %(patterns)s::text[]) m(entity, pattern)
        WHERE m.entity = o.entity AND o.source_key ~ m.pattern))
  AND NOT EXISTS (
        SELECT 1 FROM unnest(%(other_entities)s::text[], %(other_patterns)s::text[]) m(entity, pattern)
        WHERE m.entity = o.entity AND o.source_key ~ m.pattern)
  AND NOT EXISTS (
        SELECT 1 FROM snapshot_seen s
        WHERE s.source = o.source AND s.table_name = %(table)s AND s.record_id = o.record_id)
