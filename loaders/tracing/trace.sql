-- A record, by its id, its key at the source, or what people call it (`names`: fields of its canonical record).
-- name: find
SELECT record_id FROM outbox
WHERE record_id = %(key)s OR (entity = %(entity)s AND (source_key = %(key)s OR EXISTS (
    SELECT 1 FROM unnest(%(names)s::text[]) n(name) WHERE payload ->> n.name = %(key)s)))
ORDER BY arrival

-- name: models
SELECT DISTINCT model FROM crosswalk WHERE entity = %s ORDER BY 1

-- name: find_in_odoo
SELECT o.record_id FROM crosswalk c JOIN outbox o USING (canonical_id) WHERE c.model = %s AND c.odoo_id = ANY(%s)

-- What belongs to these records: other sources' records of the same thing, the whole and the parts, an order's shipments and buyer.
-- An order leads to its customer, a customer to no order: the story is one order's.
-- name: neighbours
WITH known AS (SELECT * FROM outbox WHERE record_id = ANY(%(known)s))
SELECT o.record_id FROM known k JOIN outbox o ON o.canonical_id = k.canonical_id
UNION SELECT o.record_id FROM known k JOIN outbox o ON o.record_id = k.aggregate_id
UNION SELECT o.record_id FROM known k JOIN outbox o ON o.aggregate_id = k.record_id
UNION SELECT o.record_id FROM known k JOIN outbox o ON k.entity = 'sales_order' AND o.entity = 'shipment'
    AND o.payload ->> 'order_source' = k.source AND o.payload ->> 'order_number' = k.payload ->> 'order_number'
UNION SELECT o.record_id FROM known k JOIN outbox o ON k.entity = 'shipment' AND o.entity = 'sales_order'
    AND o.source = k.payload ->> 'order_source' AND o.payload ->> 'order_number' = k.payload ->> 'order_number'
UNION SELECT o.record_id FROM known k JOIN outbox o ON k.entity = 'sales_order' AND o.entity = 'settlement_line'
    AND o.source = k.source AND o.payload ->> 'order_key' = k.source_key
UNION SELECT o.record_id FROM known k JOIN outbox o ON k.entity = 'sales_order' AND o.record_id IN (
    'customer:' || k.source || ':' || (k.payload ->> 'customer_key'),
    'customer:' || k.source || ':' || (k.payload ->> 'delivery_address_key'))

-- name: records
SELECT record_id, entity, source, source_key, canonical_id, aggregate_id, operation, status, stage, waits_for, error_kind, error,
       attempts, first_seen_at, updated_at, delivered_at, closed_by, closed_why, source_table,
       coalesce(row_key, jsonb_build_object('source_key', source_key)), source_lsn::text, committed_at, origin, mapping,
       mapping_version, payload
FROM outbox WHERE record_id = ANY(%s) ORDER BY arrival

-- name: deliveries
SELECT record_id, outcome, model, odoo_id, error, finished_at, confirmed_at, confirmed_lsn::text
FROM deliveries WHERE record_id = ANY(%s) ORDER BY delivery_id

-- A thing, and what was made in Odoo for it under names of its own (THING_...).
-- name: in_odoo
SELECT o.record_id, c.canonical_id, c.model, c.odoo_id, c.external_id, c.bound_at
FROM outbox o JOIN crosswalk c ON c.canonical_id = o.canonical_id OR starts_with(c.canonical_id, o.canonical_id || '_')
WHERE o.record_id = ANY(%s) ORDER BY c.bound_at, c.canonical_id

-- name: identities
SELECT entity || ':' || source || ':' || source_key, matched_by FROM identity
WHERE entity || ':' || source || ':' || source_key = ANY(%s)
