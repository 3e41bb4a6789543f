-- name: deliveries
DELETE FROM deliveries WHERE delivery_id IN (
    SELECT delivery_id FROM deliveries WHERE finished_at < now() - make_interval(days => %(days)s) LIMIT %(limit)s)

-- What is gone at its source, and settled. A thing that has other records or parts here is still spoken of; so is what Odoo may be
-- at work on.
-- name: records
WITH gone AS (
    DELETE FROM outbox WHERE record_id IN (
        SELECT o.record_id FROM outbox o
        WHERE o.operation = 'delete' AND o.status IN ('delivered', 'linked', 'recorded', 'duplicate', 'shadowed')
          AND o.updated_at < now() - make_interval(days => %(days)s)
          AND NOT EXISTS (SELECT 1 FROM outbox x WHERE x.canonical_id = o.record_id AND x.record_id <> o.record_id)
          AND NOT EXISTS (SELECT 1 FROM outbox p
                          WHERE p.aggregate_id = o.record_id AND p.entity IN ('sales_order_line', 'shipment_line'))
          AND NOT EXISTS (SELECT 1 FROM outbox p WHERE p.aggregate_id = o.record_id AND p.entity IN ('return', 'return_line')
                          AND p.record_id <> o.record_id)
          AND NOT EXISTS (SELECT 1 FROM outbox p WHERE p.aggregate_id = o.record_id AND p.entity IN ('payment', 'invoicing'))
          AND NOT EXISTS (SELECT 1 FROM calls_under_way c WHERE o.record_id = ANY(c.record_ids))
        LIMIT %(limit)s)
    RETURNING entity, source, source_key
)
DELETE FROM identity i USING gone g WHERE (i.entity, i.source, i.source_key) = (g.entity, g.source, g.source_key)
