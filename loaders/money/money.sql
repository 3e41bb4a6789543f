-- What is known of orders' money.

-- name: orders
SELECT o.record_id, o.source, o.status, o.operation, o.payload, c.odoo_id,
       (SELECT max(s.payload ->> 'shipped_at') FROM outbox s
        WHERE s.entity = 'shipment' AND s.payload ->> 'order_source' = o.source
          AND s.payload ->> 'order_number' = o.payload ->> 'order_number'
          AND s.payload ->> 'status' = 'shipped' AND s.operation = 'upsert')
FROM outbox o LEFT JOIN crosswalk c USING (canonical_id) WHERE o.record_id = ANY(%s) AND o.entity = 'sales_order'

-- name: payments
SELECT aggregate_id, record_id, payload FROM outbox
WHERE entity = 'payment' AND aggregate_id = ANY(%s) AND operation = 'upsert'
  AND error_kind IS DISTINCT FROM 'invalid_record' ORDER BY arrival

-- What comes back, by return; the lines of the order as Odoo has them.
-- name: returns
SELECT r.aggregate_id, r.payload, l.payload ->> 'quantity', c.odoo_id
FROM outbox r
LEFT JOIN outbox l ON l.entity = 'return_line' AND l.aggregate_id = r.record_id AND l.operation = 'upsert'
                  AND l.error_kind IS DISTINCT FROM 'invalid_record'
LEFT JOIN crosswalk c ON c.canonical_id = 'sales_order_line:' || r.source || ':' || (l.payload ->> 'order_line_key')
WHERE r.entity = 'return' AND r.aggregate_id = ANY(%s) AND r.operation = 'upsert' AND r.payload ->> 'status' = 'refunded'
  AND r.error_kind IS DISTINCT FROM 'invalid_record'
ORDER BY r.arrival
