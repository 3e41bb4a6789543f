-- The operational lane's state: positions, outbox, identity, crosswalk, deliveries. Run inside the schema of
-- settings.state.schema (search_path), under an advisory lock, when state_version says that it has not been run yet.

-- name: version_table
CREATE TABLE IF NOT EXISTS state_version (
    version    integer PRIMARY KEY,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- name: version_1
CREATE TABLE positions (
    source            text NOT NULL,
    lane              text NOT NULL,
    lsn               pg_lsn NOT NULL,
    slot              text NOT NULL,
    system_identifier text NOT NULL,
    timeline          integer NOT NULL,
    updated_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (source, lane)
);

-- One row a record: its newest desired state, and how far Odoo has it.
CREATE TABLE outbox (
    record_id       text PRIMARY KEY,                   -- entity:source:source_key
    entity          text NOT NULL,
    source          text NOT NULL,
    source_key      text NOT NULL,
    canonical_id    text NOT NULL,                      -- of the record that owns the thing; its own unless linked
    aggregate_id    text NOT NULL,                      -- what one deliverer works on at a time: an order with its lines
    operation       text NOT NULL CHECK (operation IN ('upsert', 'delete')),
    payload         jsonb NOT NULL,
    content_hash    text NOT NULL,
    mapping_version integer NOT NULL,
    source_lsn      pg_lsn NOT NULL,
    committed_at    timestamptz,
    status          text NOT NULL CHECK (status IN
                        ('pending', 'parked', 'delivered', 'dead', 'linked', 'duplicate', 'recorded')),
    stage           text NOT NULL DEFAULT 'load' CHECK (stage IN ('load', 'state')), -- an order is loaded, then driven
    waits_for       text,                               -- record id or lookup, while parked
    parked_at       timestamptz,                        -- the first time
    error_kind      text,
    error           text,
    attempts        integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz,
    delivered_hash  text,                               -- of the cells that Odoo was last sent
    delivered_at    timestamptz,
    first_seen_at   timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    arrival         bigint GENERATED ALWAYS AS IDENTITY
) WITH (fillfactor = 80);
CREATE INDEX outbox_due ON outbox (entity, stage, arrival) WHERE status = 'pending';
CREATE INDEX outbox_waiting ON outbox (waits_for) WHERE status = 'parked';
CREATE INDEX outbox_unsettled ON outbox (status) WHERE status IN ('pending', 'parked', 'dead');
CREATE INDEX outbox_canonical ON outbox (canonical_id);
CREATE INDEX outbox_lines ON outbox (aggregate_id) WHERE entity IN ('sales_order_line', 'shipment_line');
CREATE INDEX outbox_order_number ON outbox (source, (payload ->> 'order_number')) WHERE entity = 'sales_order';
CREATE INDEX outbox_duplicate_key ON outbox (source, (payload ->> 'duplicate_key'))
    WHERE entity = 'sales_order' AND payload ->> 'duplicate_key' IS NOT NULL;
CREATE INDEX outbox_shipment_order ON outbox ((payload ->> 'order_source'), (payload ->> 'order_number'))
    WHERE entity = 'shipment';

-- Which record is which thing, and by which strong key that was found.
CREATE TABLE identity (
    entity       text NOT NULL,
    source       text NOT NULL,
    source_key   text NOT NULL,
    canonical_id text NOT NULL,
    matched_by   text NOT NULL CHECK (matched_by IN ('self', 'vat', 'email', 'sku', 'barcode')),
    PRIMARY KEY (entity, source, source_key)
);
CREATE INDEX identity_canonical ON identity (canonical_id);

-- The strong keys of each record, as they were when it last arrived.
CREATE TABLE identity_keys (
    entity     text NOT NULL,
    kind       text NOT NULL,                           -- vat, email, sku, barcode, channel_sku
    value      text NOT NULL,
    source     text NOT NULL,
    source_key text NOT NULL,
    PRIMARY KEY (entity, kind, value, source, source_key)
);
CREATE INDEX identity_keys_record ON identity_keys (entity, source, source_key);

-- What is what in Odoo. A shipment has no external id of its own: it points at the transfer that shipped it.
CREATE TABLE crosswalk (
    canonical_id text PRIMARY KEY,
    entity       text NOT NULL,
    model        text NOT NULL,
    external_id  text,
    odoo_id      integer NOT NULL,
    bound_at     timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE deliveries (
    delivery_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    record_id   text NOT NULL,
    outcome     text NOT NULL CHECK (outcome IN ('delivered', 'dead', 'parked', 'retried', 'cancelled')),
    model       text,
    odoo_id     integer,
    error       text,
    started_at  timestamptz NOT NULL,
    finished_at timestamptz NOT NULL
);
CREATE INDEX deliveries_record ON deliveries (record_id);

-- What a deliverer locks (FOR UPDATE SKIP LOCKED) while it talks to Odoo. Not the outbox itself: a slow Odoo must never
-- make the capturing side wait for a row.
CREATE TABLE aggregates (
    aggregate_id text PRIMARY KEY
);

CREATE SEQUENCE deliverers AS bigint;

-- A batch of which Odoo may have been told something that the outbox does not know yet: written before the first call, deleted
-- with the outcomes. A row of a deliverer that is gone has `left_at`; its records are delivered again some time after it.
CREATE TABLE calls_under_way (
    batch_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    deliverer  bigint NOT NULL,
    record_ids text[] NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    left_at    timestamptz
);

-- Records that a running repetition of a snapshot has seen; what it has not seen at its end is gone at the source.
CREATE TABLE snapshot_seen (
    source    text NOT NULL,
    record_id text NOT NULL,
    PRIMARY KEY (source, record_id)
);

-- name: version_2
-- Which way a record's state came: stream, snapshot, looked_up, mapping, repaired. Null: from before this was noted. Without a
-- default, which would change every row without a word in the log.
ALTER TABLE outbox ADD COLUMN origin text;

-- Rows that the operational lane reads at their source by key and maps again: their mapping was broken when they changed, a value
-- that the log leaves out could not be had, or a repair found them different.
CREATE TABLE rows_to_read (
    source     text NOT NULL,
    table_name text NOT NULL,                           -- schema.table
    mapping    text NOT NULL DEFAULT '',                -- empty: every mapping over the table
    key        jsonb NOT NULL,                          -- key columns as text; {}: the table was truncated
    reason     text NOT NULL CHECK (reason IN ('mapping', 'looked_up', 'repaired', 'snapshot')),
    lsn        pg_lsn NOT NULL,                         -- of the change that could not be mapped
    xid        bigint NOT NULL DEFAULT 0,               -- its transaction, which a look-up must see
    noted_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (source, table_name, mapping, key)
);

-- name: version_3
-- While a snapshot is not whole: first, or again where the source had records before. Nothing of the source is delivered then.
ALTER TABLE positions ADD COLUMN snapshot text CHECK (snapshot IN ('first', 'again'));

-- The key first: a search by it alone can use no other index.
DROP INDEX outbox_duplicate_key;
CREATE INDEX outbox_duplicate_key ON outbox ((payload ->> 'duplicate_key'), source)
    WHERE entity = 'sales_order' AND payload ->> 'duplicate_key' IS NOT NULL;

-- Tables whose rows have been brought here, by a snapshot or by a copy.
CREATE TABLE captured_tables (
    source     text NOT NULL,
    table_name text NOT NULL,                           -- schema.table
    PRIMARY KEY (source, table_name)
);

-- Copies of tables while the stream goes on, until the position makes the table exact.
CREATE TABLE copies (
    source     text NOT NULL,
    table_name text NOT NULL,
    relation   jsonb NOT NULL,                          -- the table as it was when the copy began
    began_at   pg_lsn NOT NULL,
    exact_from pg_lsn NOT NULL,
    last_key   text[],                                  -- of the last row copied
    rows       bigint NOT NULL,
    whole      boolean NOT NULL,                        -- all rows have been copied
    PRIMARY KEY (source, table_name)
);

-- Records that have come since a copy of a table began, by the copy or by the stream; table_name is empty for a snapshot that is taken
-- again. What has not been seen at the end is gone at the source.
DROP TABLE snapshot_seen;
CREATE TABLE snapshot_seen (
    source     text NOT NULL,
    table_name text NOT NULL,
    record_id  text NOT NULL,
    PRIMARY KEY (source, table_name, record_id)
);

-- name: version_4
-- Domains that people hold, and when each scheduled one was worked off last.
CREATE TABLE domain_switches (
    domain        text PRIMARY KEY,
    held_by       text,
    reason        text,
    held_at       timestamptz,
    worked_off_at timestamptz
);

-- From the commit at the source to the outcome.
ALTER TABLE deliveries ADD COLUMN age_s double precision;
CREATE INDEX deliveries_finished ON deliveries USING brin (finished_at);

-- name: version_5
-- Where a record's row is at its source, for people who look for it; an invalid record's key also for the lane, which reads the row
-- again once its mapping (told from another by its digest) is mended.
ALTER TABLE outbox ADD COLUMN source_table text, ADD COLUMN mapping text, ADD COLUMN mapping_digest text, ADD COLUMN row_key jsonb;
-- Who has closed a record by hand, and why: resolved (done in Odoo by hand; sent again when its source changes), waived (not wanted).
ALTER TABLE outbox ADD COLUMN closed_by text, ADD COLUMN closed_why text, ADD COLUMN closed_at timestamptz;
ALTER TABLE outbox DROP CONSTRAINT outbox_status_check;
ALTER TABLE outbox ADD CONSTRAINT outbox_status_check CHECK (status IN
    ('pending', 'parked', 'delivered', 'dead', 'linked', 'duplicate', 'recorded', 'resolved', 'waived'));
CREATE INDEX outbox_closed ON outbox (status) WHERE status IN ('resolved', 'waived');
CREATE INDEX outbox_invalid ON outbox (mapping) WHERE status = 'dead' AND error_kind = 'invalid_record';

-- name: version_6
-- A return's lines are looked for by it, and an order's returns by the order.
CREATE INDEX outbox_returns ON outbox (aggregate_id) WHERE entity IN ('return', 'return_line');

-- name: version_7
ALTER TABLE outbox DROP CONSTRAINT outbox_status_check;
ALTER TABLE outbox ADD CONSTRAINT outbox_status_check CHECK (status IN
    ('pending', 'parked', 'delivered', 'dead', 'linked', 'duplicate', 'recorded', 'resolved', 'waived', 'shadowed'));
CREATE INDEX outbox_shadowed ON outbox (entity) WHERE status = 'shadowed';

-- What a record of a domain in shadow mode was found to be in Odoo.
CREATE TABLE shadow (
    record_id   text PRIMARY KEY,
    entity      text NOT NULL,
    model       text,
    odoo_id     integer,
    matched_by  text,
    verdict     text NOT NULL CHECK (verdict IN ('same', 'differs', 'missing', 'ambiguous', 'not_compared')),
    differences jsonb NOT NULL,                         -- field -> [ours, Odoo's]
    compared_at timestamptz NOT NULL
);

-- name: version_8
-- A statement's lines are delivered together, and found by it.
UPDATE outbox SET aggregate_id = 'settlement:' || source || ':' || (payload ->> 'settlement_key')
WHERE entity = 'settlement_line' AND payload ->> 'settlement_key' IS NOT NULL;
CREATE INDEX outbox_settlements ON outbox (aggregate_id) WHERE entity = 'settlement_line';

-- name: version_9
-- Who or what has written which field of which record of Odoo. Only ever added to; each entry carries the hash of the one before.
CREATE TABLE audit (
    entry           bigint PRIMARY KEY,                 -- 1, 2, 3 ... without a gap
    at              timestamptz NOT NULL,
    actor           text NOT NULL,                      -- the bridge's user in Odoo, or a person
    action          text NOT NULL,                      -- the method of Odoo's that was called, or a person's decision
    record_id       text,
    source          text,
    source_lsn      pg_lsn,
    mapping_version integer,
    policy_version  text,
    model           text,
    odoo_id         integer,
    fields          json,                               -- the values written, by field; its text is part of the hash
    note            text,
    batch           bigint NOT NULL,                    -- entry number of the first that was written together with it
    previous        text NOT NULL,
    hash            text NOT NULL
);
CREATE INDEX audit_record ON audit (record_id);
CREATE INDEX audit_odoo ON audit (model, odoo_id);

CREATE FUNCTION refuse_to_change_the_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit is only ever added to' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_the_audit();

-- name: version_10
-- What orders' money is worked off by.
CREATE INDEX outbox_money ON outbox (aggregate_id) WHERE entity IN ('payment', 'invoicing');

-- name: version_11
-- What retention looks for.
CREATE INDEX outbox_gone ON outbox (updated_at) WHERE operation = 'delete';

-- name: version_12
-- Odoo's own log confirms what was delivered. expected: what Odoo's row must show (null: nothing is waited for), in the end as Odoo has
-- worded it; committed_at, arrived_at: of the record, at its source and here; read_at: when it was read back last.
ALTER TABLE deliveries ADD COLUMN expected jsonb, ADD COLUMN committed_at timestamptz, ADD COLUMN arrived_at timestamptz,
    ADD COLUMN confirmed_at timestamptz, ADD COLUMN confirmed_lsn pg_lsn, ADD COLUMN read_at timestamptz;
CREATE INDEX deliveries_unconfirmed ON deliveries (model, odoo_id) WHERE expected IS NOT NULL AND confirmed_at IS NULL;
CREATE INDEX deliveries_confirmed ON deliveries (confirmed_at) WHERE confirmed_at IS NOT NULL;
CREATE INDEX crosswalk_external_id ON crosswalk (external_id);
CREATE INDEX crosswalk_odoo ON crosswalk (model, odoo_id);
-- When the newest state came; updated_at tells of its delivery, too.
ALTER TABLE outbox ADD COLUMN arrived_at timestamptz;

-- What Odoo's log has told of a row in the last hour, by who wrote it.
CREATE TABLE odoo_rows (
    model        text NOT NULL,
    odoo_id      integer NOT NULL,
    write_uid    integer NOT NULL,                      -- Odoo's user; 0: nobody in particular
    columns      jsonb NOT NULL,                        -- as texts
    lsn          pg_lsn NOT NULL,
    committed_at timestamptz NOT NULL,
    told         bigint GENERATED ALWAYS AS IDENTITY,   -- in the order of the log
    seen_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (model, odoo_id, write_uid)
);

-- Users of Odoo that deliverers have written as.
CREATE TABLE odoo_writers (
    uid integer PRIMARY KEY
);

-- What somebody has changed in Odoo though a channel owns it, as long as it is so.
CREATE TABLE drift (
    record_id text NOT NULL,
    model     text NOT NULL,
    odoo_id   integer NOT NULL,
    field     text NOT NULL,                            -- Odoo's; id: the record was deleted; external_id: its name was
    ours      text,
    theirs    text,
    odoo_user integer,
    seen_at   timestamptz NOT NULL DEFAULT now(),
    lsn       pg_lsn,                                   -- null: read back
    PRIMARY KEY (record_id, field)
);

-- name: version_13
-- How surely a record is the thing that it was found to be; null: it is its own, or from before this was noted.
ALTER TABLE identity ADD COLUMN confidence real;
ALTER TABLE identity DROP CONSTRAINT identity_matched_by_check;
ALTER TABLE identity ADD CONSTRAINT identity_matched_by_check CHECK (matched_by IN
    ('self', 'vat', 'email', 'sku', 'sku_normalised', 'barcode', 'channel_sku', 'reference', 'hand'));

-- Matches that were not made, for people to decide.
CREATE TABLE identity_doubts (
    entity       text NOT NULL,
    source       text NOT NULL,
    source_key   text NOT NULL,
    canonical_id text NOT NULL,                         -- the thing that it may be
    matched_by   text NOT NULL,
    confidence   real NOT NULL,
    why          text NOT NULL CHECK (why IN ('differs', 'ambiguous', 'weak')),
    differs_in   text,                                  -- the strong key
    noted_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (entity, source, source_key, canonical_id, matched_by)
);
CREATE INDEX identity_doubts_thing ON identity_doubts (canonical_id);

-- name: version_14
-- What a record says of a thing's field and what is not written to Odoo: another record's value is, or the field is somebody else's.
CREATE TABLE value_differences (
    thing     text NOT NULL,                            -- canonical id
    field     text NOT NULL,
    record_id text NOT NULL,
    value     text NOT NULL,
    written   text,                                     -- null: nothing; Odoo keeps what it has
    owner     text,                                     -- the field's, by the policies
    noted_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (thing, field, record_id)
);
