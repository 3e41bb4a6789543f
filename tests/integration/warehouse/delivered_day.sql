-- What Odoo and the bridge hold after a business day whose every record was delivered as it should be: made in DuckDB from the
-- canonical views, for tests of the reconciliation without a loader. Orders are numbered in Odoo in the order of their keys.

CREATE TABLE causeway.identity AS
SELECT entity, source, source_key, record_id AS canonical_id, 'self' AS matched_by FROM (
    SELECT 'customer' AS entity, source, source_key, record_id FROM canonical.customer
    UNION ALL SELECT 'product', source, source_key, record_id FROM canonical.product);
UPDATE causeway.identity AS i SET canonical_id = s.record_id, matched_by = CASE WHEN replace(m.vat, ' ', '') = s.vat THEN 'vat' ELSE 'email' END
FROM canonical.customer AS m, canonical.customer AS s
WHERE i.entity = 'customer' AND i.source = 'market' AND i.source_key = m.source_key AND m.source = 'market'
    AND s.source = 'shop' AND s.kind = 'contact' AND (replace(m.vat, ' ', '') = s.vat OR lower(m.email) = lower(s.email));
UPDATE causeway.identity AS i SET canonical_id = s.record_id, matched_by = CASE WHEN m.sku = s.sku THEN 'sku' ELSE 'barcode' END
FROM canonical.product AS m, canonical.product AS s
WHERE i.entity = 'product' AND i.source = 'market' AND i.source_key = m.source_key AND m.source = 'market'
    AND s.source = 'shop' AND (m.sku = s.sku OR m.channel_sku = s.sku OR m.barcode = s.barcode);

CREATE TABLE causeway.outbox AS
SELECT record_id, entity, source, source_key, record_id AS canonical_id, order_id AS aggregate_id, 'upsert' AS operation,
    'delivered' AS status, CAST(NULL AS VARCHAR) AS waits_for, CAST(NULL AS VARCHAR) AS error,
    TIMESTAMPTZ '2026-03-02 18:00:00+00' AS committed_at, TIMESTAMPTZ '2026-03-02 18:00:01+00' AS delivered_at,
    TIMESTAMPTZ '2026-03-02 18:00:01+00' AS updated_at
FROM (
    SELECT record_id, 'sales_order' AS entity, source, source_key, record_id AS order_id FROM canonical.sales_order
    UNION ALL SELECT record_id, 'sales_order_line', source, source_key, 'sales_order:' || source || ':' || order_key
    FROM canonical.sales_order_line
    UNION ALL SELECT record_id, 'customer', source, source_key, record_id FROM canonical.customer);

-- A repeated order is recognised, one with an unknown SKU is held back, an address that Odoo refuses holds back its order.
UPDATE causeway.outbox SET status = 'duplicate' WHERE entity = 'sales_order' AND record_id IN (
    SELECT record_id FROM canonical.sales_order WHERE duplicate_key IS NOT NULL
    QUALIFY row_number() OVER (PARTITION BY source, duplicate_key ORDER BY ordered_at, source_key) > 1);
UPDATE causeway.outbox SET status = 'parked', waits_for = 'product#channel_sku=market:?', error = 'its line waits'
WHERE entity = 'sales_order' AND record_id IN (
    SELECT 'sales_order:' || source || ':' || order_key FROM canonical.sales_order_line AS l
    WHERE product_channel_sku IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM canonical.product AS p WHERE p.source = l.source AND p.channel_sku = l.product_channel_sku));
UPDATE causeway.outbox SET status = 'dead', error = 'No matching record found for external id base.xx'
WHERE record_id IN (SELECT record_id FROM canonical.customer WHERE country_code = 'XX');
UPDATE causeway.outbox SET status = 'parked', waits_for = 'customer:shop:' || o.delivery_address_key,
    error = 'its delivery address is not in Odoo yet'
FROM canonical.sales_order AS o JOIN canonical.customer AS c ON c.source = o.source AND c.source_key = o.delivery_address_key
WHERE causeway.outbox.record_id = o.record_id AND c.country_code = 'XX';

CREATE TABLE causeway.crosswalk AS
SELECT record_id AS canonical_id, 'sales_order' AS entity, 'sale.order' AS model,
    row_number() OVER (ORDER BY record_id) AS odoo_id
FROM causeway.outbox WHERE entity = 'sales_order' AND status = 'delivered';

CREATE TABLE odoo.sale_order AS
SELECT CAST(x.odoo_id AS INTEGER) AS id, printf('S%05d', x.odoo_id) AS name,
    CASE o.status WHEN 'draft' THEN 'draft' WHEN 'cancelled' THEN 'cancel' ELSE 'sale' END AS state,
    CAST(o.amount_total AS DECIMAL(38, 10)) AS amount_untaxed
FROM causeway.crosswalk AS x JOIN canonical.sales_order AS o ON o.record_id = x.canonical_id;

CREATE TABLE odoo.sale_order_line AS
SELECT CAST(row_number() OVER () AS INTEGER) AS id, CAST(x.odoo_id AS INTEGER) AS order_id, CAST(NULL AS VARCHAR) AS display_type,
    CAST(l.quantity AS DECIMAL(38, 10)) AS product_uom_qty, CAST(0 AS DECIMAL(38, 10)) AS qty_delivered
FROM causeway.crosswalk AS x
JOIN canonical.sales_order_line AS l ON x.canonical_id = 'sales_order:' || l.source || ':' || l.order_key;
INSERT INTO odoo.sale_order_line VALUES (0, 1, 'line_section', 0, 0);
