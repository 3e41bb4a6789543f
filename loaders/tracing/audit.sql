-- name: last
SELECT entry, hash FROM audit ORDER BY entry DESC LIMIT 1

-- One JSON document: as an array a column, a batch took the client three times as long.
-- name: append
INSERT INTO audit (entry, at, actor, action, record_id, source, source_lsn, mapping_version, policy_version, model, odoo_id, fields,
                   note, batch, previous, hash)
SELECT entry, at, actor, action, record_id, source, source_lsn, mapping_version, policy_version, model, odoo_id, fields::json, note, batch,
       previous, hash
FROM json_to_recordset(%s) t(entry bigint, at timestamptz, actor text, action text, record_id text, source text, source_lsn pg_lsn,
    mapping_version int, policy_version text, model text, odoo_id int, fields text, note text, batch bigint, previous text, hash text)

-- name: walk
SELECT entry, at, actor, action, record_id, source, source_lsn::text, mapping_version, policy_version, model, odoo_id, fields::text, note,
       batch, previous, hash
FROM audit ORDER BY entry


-- name: of_record
SELECT entry, at, actor, action, record_id, source, source_lsn::text, mapping_version, policy_version, model, odoo_id, fields::text, note,
       batch, previous, hash
FROM audit WHERE record_id = %s ORDER BY entry

-- name: of_odoo
SELECT entry, at, actor, action, record_id, source, source_lsn::text, mapping_version, policy_version, model, odoo_id, fields::text, note,
       batch, previous, hash
FROM audit WHERE model = %s AND odoo_id = %s ORDER BY entry
