-- Rows that the operational lane reads at their source by key: see state.sql.

-- A later change of the same row asks for a look-up that sees it; that it was there before the lane no longer counts then.
-- name: note
INSERT INTO rows_to_read AS r (source, table_name, mapping, key, reason, lsn, xid)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::jsonb[], %s::text[], %s::pg_lsn[], %s::bigint[])
ON CONFLICT (source, table_name, mapping, key) DO UPDATE
SET reason = excluded.reason, lsn = greatest(r.lsn, excluded.lsn), xid = excluded.xid, noted_at = now()

-- Invalid records whose mapping says something else by now: their rows may give a record that fits.
-- name: note_mended
INSERT INTO rows_to_read (source, table_name, mapping, key, reason, lsn)
SELECT DISTINCT ON (1, 2, 3, 4) o.source, o.source_table, o.mapping, o.row_key, 'mapping', o.source_lsn
FROM outbox o JOIN unnest(%s::text[], %s::text[]) m(name, digest) ON o.mapping = m.name
WHERE o.status = 'dead' AND o.error_kind = 'invalid_record' AND o.row_key IS NOT NULL AND o.mapping_digest <> m.digest
ON CONFLICT DO NOTHING

-- name: note_invalid
INSERT INTO rows_to_read (source, table_name, mapping, key, reason, lsn)
SELECT DISTINCT ON (1, 2, 3, 4) source, source_table, mapping, row_key, 'mapping', source_lsn
FROM outbox WHERE record_id = ANY(%s) AND row_key IS NOT NULL
ON CONFLICT DO NOTHING

-- Before a truncate is noted: the rows that it has ended need not be read.
-- name: truncated
DELETE FROM rows_to_read WHERE source = %s AND table_name = %s AND mapping = %s

-- What of it is due, a truncate first: the rows that came after it are to stay.
-- name: groups
SELECT source, table_name, mapping, reason, count(*)::int, min(noted_at) FROM rows_to_read GROUP BY 1, 2, 3, 4 ORDER BY min(noted_at)

-- name: any
SELECT EXISTS (SELECT 1 FROM rows_to_read)

-- name: take
SELECT key, xid, lsn::text FROM rows_to_read
WHERE source = %s AND table_name = %s AND mapping = %s AND reason = %s
ORDER BY key <> '{}', key LIMIT %s

-- A row that was noted once more meanwhile stays.
-- name: done
DELETE FROM rows_to_read r USING unnest(%(keys)s::jsonb[], %(xids)s::bigint[], %(lsns)s::pg_lsn[]) d(key, xid, lsn)
WHERE r.source = %(source)s AND r.table_name = %(table)s AND r.mapping = %(mapping)s
  AND r.key = d.key AND r.xid = d.xid AND r.lsn = d.lsn
