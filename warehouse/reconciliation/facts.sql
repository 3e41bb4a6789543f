-- What each side says of an order, worked out from the canonical views and the mirrors. Temporary tables of one run.

-- The channel's side. Grain: one order of a channel. Without an amount of its own an order is worth its lines, each rounded to cents.
CREATE OR REPLACE TEMP TABLE channel_orders AS
WITH lines AS (
    SELECT source, order_key, sum(quantity) AS quantity,
        sum(round(CAST(quantity * unit_price AS DECIMAL(38, 6)) * CAST(1 - discount_percent / 100 AS DECIMAL(12, 6)), 2)) AS amount
    FROM canonical.sales_order_line WHERE source <> 'odoo' GROUP BY ALL
)
SELECT o.source, o.source_key AS order_key, o.record_id, o.canonical_id, o.order_number, o.status, o.ordered_at,
    o.customer_key, o.delivery_address_key, o.duplicate_key,
    coalesce(l.quantity, 0) AS quantity, round(coalesce(o.amount_total, l.amount, 0), 2) AS amount,
    first_value(o.order_number) OVER repeated AS first_number,
    CASE WHEN o.duplicate_key IS NULL THEN 1 ELSE row_number() OVER repeated END AS occurrence
FROM canonical.sales_order AS o LEFT JOIN lines AS l ON l.source = o.source AND l.order_key = o.source_key
WHERE o.source <> 'odoo'
WINDOW repeated AS (PARTITION BY o.source, o.duplicate_key ORDER BY o.ordered_at, o.source_key);

-- Orders that a row filter keeps from the operational lane: they were never to go to Odoo.
CREATE OR REPLACE TEMP TABLE out_of_scope AS SELECT DISTINCT record_id FROM canonical.out_of_scope;

-- Odoo's side. Grain: one sale.order. bound_id: the thing that the bridge says it is.
CREATE OR REPLACE TEMP TABLE odoo_orders AS
WITH lines AS (
    SELECT order_id, sum(product_uom_qty) AS quantity, sum(qty_delivered) AS delivered
    FROM odoo.sale_order_line WHERE display_type IS NULL GROUP BY ALL
)
SELECT o.id, o.name, o.state, o.amount_untaxed AS amount, coalesce(l.quantity, 0) AS quantity,
    coalesce(l.delivered, 0) AS delivered, x.canonical_id AS bound_id
FROM odoo.sale_order AS o
LEFT JOIN lines AS l ON l.order_id = o.id
LEFT JOIN causeway.crosswalk AS x ON x.model = 'sale.order' AND x.odoo_id = o.id;

-- What the warehouses shipped of each order, worked out once.
CREATE OR REPLACE TEMP TABLE fulfilment AS SELECT * FROM mart.fulfilment;

-- Where the bridge's records stand. Grain: one record of the operational lane.
CREATE OR REPLACE TEMP TABLE bridge_records AS
SELECT record_id, entity, source, source_key, canonical_id, aggregate_id, operation, status, waits_for, error,
    committed_at, delivered_at, updated_at
FROM causeway.outbox
WHERE entity IN ('sales_order', 'sales_order_line', 'customer', 'product');

-- Dead letters that keep an order out: its own, its lines', its customer's or address's, and what it waits for. Nearest first.
CREATE OR REPLACE TEMP TABLE dead_letters AS
WITH dead AS (
    SELECT record_id, aggregate_id, entity, error FROM bridge_records WHERE status = 'dead'
), needed AS (
    SELECT record_id AS order_id, record_id AS needs, 1 AS distance, 'the order itself' AS what FROM channel_orders
    UNION ALL
    SELECT aggregate_id, record_id, 2, 'its line' FROM dead WHERE entity = 'sales_order_line'
    UNION ALL
    SELECT record_id, 'customer:' || source || ':' || customer_key, 3, 'its customer' FROM channel_orders
    UNION ALL
    SELECT record_id, 'customer:' || source || ':' || delivery_address_key, 4, 'its delivery address' FROM channel_orders
    WHERE delivery_address_key IS NOT NULL
    UNION ALL
    SELECT record_id, waits_for, 5, 'what it waits for' FROM bridge_records WHERE entity = 'sales_order' AND status = 'parked'
    UNION ALL
    SELECT aggregate_id, waits_for, 6, 'what its line waits for' FROM bridge_records
    WHERE entity = 'sales_order_line' AND status = 'parked'
)
SELECT n.order_id, arg_min(d.error, n.distance) AS error,
    arg_min(n.what || ' (' || d.record_id || ') is a dead letter', n.distance) AS reason
FROM needed AS n JOIN dead AS d ON d.record_id = n.needs GROUP BY ALL;

-- Where an order's records stand. in_flight_since: the newest commit among those that are still on their way to Odoo.
CREATE OR REPLACE TEMP TABLE progress AS
SELECT coalesce(aggregate_id, record_id) AS order_id,
    max(committed_at) FILTER (status = 'pending') AS in_flight_since,
    max(delivered_at) AS delivered_at,
    first(coalesce(error, 'waits for ' || waits_for) ORDER BY entity) FILTER (status = 'parked') AS parked_reason,
    bool_or(status = 'pending') AS has_pending
FROM bridge_records WHERE entity IN ('sales_order', 'sales_order_line') GROUP BY ALL;
