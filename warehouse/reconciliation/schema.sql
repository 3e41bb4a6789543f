-- Results of the order reconciliation. Runs are kept: every row names its run; recon.latest_* show the newest one.

CREATE SCHEMA IF NOT EXISTS recon;

CREATE TABLE IF NOT EXISTS recon.runs (
    run_id           VARCHAR NOT NULL,
    started_at       TIMESTAMPTZ NOT NULL,
    finished_at      TIMESTAMPTZ NOT NULL,
    counts           JSON NOT NULL,         -- status -> orders
    exception_counts JSON NOT NULL,         -- kind -> exceptions
    as_of            JSON NOT NULL,         -- source -> {lsn, last_commit_at}: what of each source the run has seen
    mapping_versions JSON NOT NULL,         -- mapping -> version
    tolerance        DECIMAL(18, 6) NOT NULL,
    timing_minutes   INTEGER NOT NULL
);

-- One row for each order of a channel, and for each order in Odoo that no channel has.
CREATE TABLE IF NOT EXISTS recon.orders (
    run_id                  VARCHAR NOT NULL,
    source                  VARCHAR NOT NULL,   -- the channel; odoo for an order that was made in Odoo
    order_key               VARCHAR NOT NULL,   -- the order's key there
    order_number            VARCHAR,
    canonical_id            VARCHAR,
    odoo_order_id           BIGINT,
    odoo_name               VARCHAR,
    channel_status          VARCHAR,
    odoo_state              VARCHAR,
    channel_quantity        DECIMAL(18, 3),     -- of all lines
    odoo_quantity           DECIMAL(18, 3),     -- of all lines but sections and notes
    shipped_quantity        DECIMAL(18, 3),     -- by the warehouses
    odoo_delivered_quantity DECIMAL(18, 3),
    channel_amount          DECIMAL(18, 2),     -- without tax
    odoo_amount             DECIMAL(18, 2),     -- without tax
    difference              DECIMAL(18, 2),     -- Odoo's amount less the channel's
    status                  VARCHAR NOT NULL,   -- matched, within_tolerance, timing, amount_break, quantity_break, status_break,
                                                -- missing_in_odoo, missing_in_source, duplicate
    reason                  VARCHAR,
    dead_letter_error       VARCHAR             -- Odoo's words, where a record that the order needs is a dead letter
);

-- One row for each thing that a person may want to know of, matched or not.
CREATE TABLE IF NOT EXISTS recon.exceptions (
    run_id     VARCHAR NOT NULL,
    entity     VARCHAR NOT NULL,
    source     VARCHAR NOT NULL,
    source_key VARCHAR NOT NULL,
    kind       VARCHAR NOT NULL,
    detail     VARCHAR
);

CREATE OR REPLACE VIEW recon.latest_run AS SELECT * FROM recon.runs ORDER BY started_at DESC, run_id DESC LIMIT 1;
CREATE OR REPLACE VIEW recon.latest_orders AS SELECT * FROM recon.orders WHERE run_id = (SELECT run_id FROM recon.latest_run);
CREATE OR REPLACE VIEW recon.latest_exceptions AS
SELECT * FROM recon.exceptions WHERE run_id = (SELECT run_id FROM recon.latest_run);
