-- The warehouse's own bookkeeping. Created when the file is first opened for writing; every statement may run again.

CREATE SCHEMA IF NOT EXISTS meta;

-- How far each source is durable here. A row exists only once a complete snapshot has been applied.
CREATE TABLE IF NOT EXISTS meta.positions (
    source            VARCHAR NOT NULL,
    lane              VARCHAR NOT NULL,
    lsn               VARCHAR NOT NULL,     -- end of the last transaction applied, as Postgres writes it: X/Y
    slot              VARCHAR NOT NULL,
    system_identifier VARCHAR NOT NULL,
    timeline          INTEGER NOT NULL,
    last_commit_at    TIMESTAMPTZ,          -- when the source committed the last transaction with captured rows
    applied_rows      BIGINT NOT NULL,      -- changes since the snapshot began, the snapshot's rows included
    applied_transactions BIGINT NOT NULL,
    updated_at        TIMESTAMPTZ NOT NULL
);

-- The version of each captured table that its mirror follows.
CREATE TABLE IF NOT EXISTS meta.tables (
    source        VARCHAR NOT NULL,
    source_schema VARCHAR NOT NULL,
    table_name    VARCHAR NOT NULL,         -- also the mirror's name
    mirror_schema VARCHAR NOT NULL,
    state         VARCHAR NOT NULL,         -- snapshot, streaming, copying, stopped or dropped; see warehouse.tables
    relation      JSON NOT NULL,            -- columns, type OIDs, key and replica identity, as the source announced them
    updated_at    TIMESTAMPTZ NOT NULL
);
-- Files of version 0.1 do not have these yet.
ALTER TABLE meta.tables ADD COLUMN IF NOT EXISTS problem VARCHAR;      -- of a stopped table: why, and the command that repairs it
ALTER TABLE meta.tables ADD COLUMN IF NOT EXISTS stopped_at VARCHAR;   -- of a stopped table: LSN of the first change left out
ALTER TABLE meta.tables ADD COLUMN IF NOT EXISTS skipped_rows BIGINT;  -- of a stopped table: changes left out since then
ALTER TABLE meta.tables ADD COLUMN IF NOT EXISTS exact_from VARCHAR;   -- of a copied table: LSN from which it is exact

ALTER TABLE meta.tables ADD COLUMN IF NOT EXISTS catalog JSON;         -- the source's own numbers of its columns and files
-- Columns that the source has dropped: their mirrors keep them, NULL in rows written since.
CREATE TABLE IF NOT EXISTS meta.dropped_columns (
    source     VARCHAR NOT NULL,
    "schema"   VARCHAR NOT NULL,            -- the mirror's
    "table"    VARCHAR NOT NULL,
    "column"   VARCHAR NOT NULL,            -- its name in the mirror
    dropped_at VARCHAR NOT NULL             -- LSN of the first change without it
);

-- Tables whose rows are copied while streaming goes on, until they are exact: how far each copy is.
CREATE TABLE IF NOT EXISTS meta.copies (
    source        VARCHAR NOT NULL,
    source_schema VARCHAR NOT NULL,
    table_name    VARCHAR NOT NULL,
    relation      JSON NOT NULL,            -- the table as it was when the copy began
    began_at      VARCHAR NOT NULL,         -- LSN of the first watermark
    exact_from    VARCHAR NOT NULL,         -- LSN of the last one
    last_key      JSON,                     -- of the last row copied; NULL before the first
    rows          BIGINT NOT NULL,
    whole         BOOLEAN NOT NULL,         -- all rows are copied; the log has yet to reach exact_from
    updated_at    TIMESTAMPTZ NOT NULL
);

-- What a first snapshot has not read yet of a table that it has read in part; after an interruption, what its copy has not.
CREATE TABLE IF NOT EXISTS meta.unread (
    source        VARCHAR NOT NULL,
    source_schema VARCHAR NOT NULL,
    table_name    VARCHAR NOT NULL,
    as_of         VARCHAR NOT NULL,         -- the snapshot's LSN
    pages         JSON NOT NULL
);

-- Values that their typed column cannot hold exactly: NULL there, Postgres's text here.
CREATE TABLE IF NOT EXISTS meta.value_exceptions (
    source   VARCHAR NOT NULL,
    "schema" VARCHAR NOT NULL,              -- the mirror's
    "table"  VARCHAR NOT NULL,
    key      VARCHAR NOT NULL,              -- the key's value; a JSON list of them where the key has several columns
    "column" VARCHAR NOT NULL,
    lsn      VARCHAR NOT NULL,              -- of the change that brought the value
    text     VARCHAR NOT NULL
);

-- The mappings that the canonical views are made of.
CREATE TABLE IF NOT EXISTS meta.mappings (
    name    VARCHAR NOT NULL,
    entity  VARCHAR NOT NULL,
    source  VARCHAR NOT NULL,
    "table" VARCHAR NOT NULL,
    version INTEGER NOT NULL
);

-- Tables whose changes are kept, in schemas named history_ and the mirror's. Both begins are NULL while the first copy runs.
CREATE TABLE IF NOT EXISTS meta.history (
    source     VARCHAR NOT NULL,
    "schema"   VARCHAR NOT NULL,            -- the history's
    "table"    VARCHAR NOT NULL,
    kept       BOOLEAN NOT NULL,            -- false: turned off, what is there stays
    begins_lsn UBIGINT,                     -- from here on the table as of a moment is known
    begins_at  TIMESTAMPTZ
);

-- How the sources' slots stood, every so often (slots.history_s), for slots.history_days.
CREATE TABLE IF NOT EXISTS meta.slot_status (
    sampled_at          TIMESTAMPTZ NOT NULL,
    source              VARCHAR NOT NULL,
    lane                VARCHAR NOT NULL,
    slot                VARCHAR NOT NULL,
    state               VARCHAR NOT NULL,   -- missing, unreachable, or the server's wal_status
    is_read             BOOLEAN NOT NULL,   -- a lane is connected to it
    head                VARCHAR,            -- end of the server's log
    confirmed           VARCHAR,
    retained_bytes      BIGINT,             -- WAL that the server keeps for it
    safe_wal_size_bytes BIGINT,             -- what may still be written before the server gives it up
    growth_bytes_a_minute DOUBLE,
    lost_in_s           DOUBLE,             -- at this growth, until the server gives it up
    disk_limit_in_s     DOUBLE,             -- at this growth, until slot_disk_limit_bytes is reached
    received_behind_bytes BIGINT,
    durable_behind_bytes  BIGINT,
    confirmed_behind_bytes BIGINT,
    confirmed_behind_s  DOUBLE,             -- how long ago the log's end was where the slot is confirmed
    spilled_transactions BIGINT,
    spilled_bytes       BIGINT,
    guard               VARCHAR NOT NULL,   -- off, ok, warning, useless, dropped
    reason              VARCHAR NOT NULL
);
