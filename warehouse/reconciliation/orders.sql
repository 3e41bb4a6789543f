-- One run's recon.orders: every channel order with its order in Odoo, then Odoo's orders that no channel has.
-- Parameters: run_id, tolerance, timing_minutes, started_at, odoo_seen_until (commit time up to which Odoo's mirror reaches).
INSERT INTO recon.orders
WITH pairs AS (
    SELECT c.*, o.id AS odoo_id, o.name AS odoo_name, o.state, o.amount AS odoo_amount, o.quantity AS odoo_quantity,
        o.delivered, f.shipped, b.status AS bridge_status, x.odoo_id AS bound_odoo_id,
        s.record_id IS NOT NULL AS is_left_out,
        d.reason AS dead_reason, d.error AS dead_error, p.parked_reason, p.has_pending,
        coalesce(p.in_flight_since, CASE WHEN b.record_id IS NULL THEN c.ordered_at END) AS in_flight_since,
        p.delivered_at > greatest($odoo_seen_until, $started_at - to_minutes($timing_minutes)) AS ahead_of_mirror,
        CASE c.status WHEN 'draft' THEN o.state IN ('draft', 'sent') WHEN 'cancelled' THEN o.state = 'cancel'
            WHEN 'confirmed' THEN o.state IN ('sale', 'done') WHEN 'fulfilled' THEN o.state IN ('sale', 'done')
            ELSE false END AS same_status
    FROM channel_orders AS c
    LEFT JOIN causeway.crosswalk AS x ON x.model = 'sale.order' AND x.canonical_id = c.canonical_id
    LEFT JOIN odoo_orders AS o ON o.id = x.odoo_id
    LEFT JOIN fulfilment AS f ON f.source = c.source AND f.order_key = c.order_key
    LEFT JOIN bridge_records AS b ON b.record_id = c.record_id
    LEFT JOIN dead_letters AS d ON d.order_id = c.record_id
    LEFT JOIN progress AS p ON p.order_id = c.record_id
    LEFT JOIN out_of_scope AS s ON s.record_id = c.record_id
), judged AS (
    SELECT *, odoo_amount - amount AS difference,
        CASE
            WHEN odoo_id IS NULL AND is_left_out THEN 'out_of_scope'
            WHEN odoo_id IS NULL AND (bridge_status = 'duplicate' OR occurrence > 1) THEN 'duplicate'
            WHEN odoo_id IS NULL THEN 'missing_in_odoo'
            WHEN NOT same_status THEN 'status_break'
            WHEN status = 'cancelled' THEN 'matched'  -- it binds nobody: what its lines still say is not compared
            WHEN quantity <> odoo_quantity THEN 'quantity_break'
            WHEN abs(odoo_amount - amount) > $tolerance THEN 'amount_break'
            WHEN odoo_amount <> amount THEN 'within_tolerance'
            ELSE 'matched'
        END AS verdict
    FROM pairs
), timed AS (
    -- Young differences whose records are still on their way are timing. What is parked or dead is not: it has a reason.
    SELECT *, verdict IN ('missing_in_odoo', 'status_break', 'quantity_break', 'amount_break')
        AND dead_reason IS NULL AND parked_reason IS NULL
        AND (coalesce(in_flight_since > $started_at - to_minutes($timing_minutes), false)
            OR coalesce(ahead_of_mirror, false)) AS is_timing
    FROM judged
)
SELECT $run_id, source, order_key, order_number, canonical_id, odoo_id, odoo_name, status, state,
    quantity, odoo_quantity, shipped, delivered, amount, odoo_amount, difference,
    CASE WHEN is_timing THEN 'timing' ELSE verdict END,
    CASE
        WHEN is_timing AND ahead_of_mirror THEN 'delivered, but the mirror of Odoo does not reach that far yet'
        WHEN is_timing AND bridge_status IS NULL THEN 'newer than what the operational lane has taken'
        WHEN is_timing THEN 'on its way to Odoo'
        WHEN verdict = 'out_of_scope' THEN 'a row filter or the backfill policy keeps it from the operational lane'
        WHEN verdict = 'duplicate' THEN 'the channel sent it before, as ' || first_number
        WHEN verdict = 'missing_in_odoo' AND dead_reason IS NOT NULL THEN dead_reason
        WHEN verdict = 'missing_in_odoo' AND parked_reason IS NOT NULL THEN parked_reason
        WHEN verdict = 'missing_in_odoo' AND bridge_status IS NULL THEN 'the operational lane has not taken it'
        WHEN verdict = 'missing_in_odoo' AND bound_odoo_id IS NOT NULL
            THEN 'Odoo had it as sale.order ' || bound_odoo_id || ' and has it no more'
        WHEN verdict = 'missing_in_odoo' THEN 'its outbox record is ' || bridge_status
        WHEN verdict = 'status_break'
            THEN concat_ws('; ', 'the channel says ' || status || ', Odoo says ' || state, dead_reason, parked_reason)
        WHEN verdict = 'quantity_break'
            THEN concat_ws('; ', printf('Odoo has %.3f, the channel %.3f', odoo_quantity, quantity), dead_reason, parked_reason)
        WHEN verdict IN ('amount_break', 'within_tolerance')
            THEN concat_ws('; ', printf('Odoo''s amount differs by %.2f', odoo_amount - amount), dead_reason, parked_reason)
    END,
    CASE WHEN verdict IN ('missing_in_odoo', 'status_break', 'quantity_break', 'amount_break') THEN dead_error END
FROM timed
UNION ALL
SELECT $run_id, coalesce(b.source, split_part(o.bound_id, ':', 2), 'odoo'),
    coalesce(b.source_key, CASE WHEN o.bound_id IS NULL THEN CAST(o.id AS VARCHAR)
        ELSE substr(o.bound_id, length('sales_order:' || split_part(o.bound_id, ':', 2)) + 2) END),
    NULL, o.bound_id, o.id, o.name, NULL, o.state, NULL, o.quantity, NULL, o.delivered, NULL, o.amount, NULL,
    CASE WHEN b.status = 'pending' AND b.committed_at > $started_at - to_minutes($timing_minutes) THEN 'timing'
        ELSE 'missing_in_source' END,
    CASE WHEN o.bound_id IS NULL THEN 'made in Odoo, not by the bridge'
        WHEN b.status = 'pending' THEN 'deleted at the channel; Odoo is still to be told'
        ELSE 'deleted at the channel; Odoo''s order is ' || o.state END,
    CASE WHEN b.status = 'dead' THEN b.error END
FROM odoo_orders AS o
LEFT JOIN bridge_records AS b ON b.record_id = o.bound_id
WHERE o.bound_id IS NULL OR o.bound_id NOT IN (SELECT canonical_id FROM channel_orders);
