"""The rows that every contestant reads: a 12-column order line, about 200 bytes a message, 100 row changes a transaction.

A workload is written once, behind a slot that stands at its beginning. Each run of a contestant gets a copy of that slot, so
all of them read the same bytes of WAL from the same start, and drops it when it is done. The copy always has the same name,
because the publication of the same name has to be older than the rows.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from sandbox.postgres import SUPERUSER, EmbeddedPostgres

SLOT = "bench_order_lines"  # of the run in progress; the publication's name too
TENTH = "bench_tenth"  # the publication of a tenth of the changes
TABLE = "public.order_lines"
TRANSACTION_ROWS = 100
_START_SLOT = "bench_start"

_SCHEMA = """
CREATE TABLE public.order_lines (
    id bigint PRIMARY KEY,
    order_id bigint NOT NULL,
    line_number integer NOT NULL,
    sku text NOT NULL,
    description text,
    quantity numeric(12,3) NOT NULL,
    unit text NOT NULL,
    unit_price numeric(12,2) NOT NULL,
    discount_percent numeric(5,2),
    tax_rate numeric(5,2) NOT NULL,
    status text NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE PUBLICATION bench_order_lines FOR TABLE public.order_lines WITH (publish_via_partition_root = true);
-- What an operational lane may be published: a tenth of the changes.
CREATE PUBLICATION bench_tenth FOR TABLE public.order_lines WHERE (id % 10 = 0) WITH (publish_via_partition_root = true);

CREATE PROCEDURE public.insert_lines(first_id bigint, row_count bigint) LANGUAGE sql AS $$
    INSERT INTO public.order_lines
    SELECT n, 10000 + n / 5, n % 5 + 1, 'SKU-' || lpad((n * 7919 % 50000)::text, 6, '0'),
           'Hexagon bolt M' || n % 30 || ', stainless steel, box of ' || n % 100 + 1,
           n % 40 + 1, 'piece', (n % 9973) / 100.0, CASE WHEN n % 4 > 0 THEN (n % 4) * 2.5 END, 19,
           (ARRAY['open', 'reserved', 'shipped'])[n % 3 + 1],
           timestamptz '2025-01-01' + n * interval '1.000001 second'
    FROM generate_series(first_id, first_id + row_count - 1) AS n
$$;

-- `changes` comes in as the number of row changes that are wanted and goes out as the number that were made.
CREATE PROCEDURE public.play_inserts(INOUT changes bigint, transaction_rows bigint) LANGUAGE plpgsql AS $$
BEGIN
    FOR first_id IN 1..changes BY transaction_rows LOOP
        CALL public.insert_lines(first_id, least(transaction_rows, changes - first_id + 1));
        COMMIT;
    END LOOP;
END
$$;

-- In each transaction half of the changes are inserts, four tenths updates and one tenth deletes of any earlier rows.
CREATE PROCEDURE public.play_mixed(INOUT changes bigint, transaction_rows bigint) LANGUAGE plpgsql AS $$
DECLARE
    wanted bigint := changes;
    next_id bigint := 1;
    made bigint;
BEGIN
    changes := 0;
    PERFORM setseed(0.5);
    WHILE changes < wanted LOOP
        CALL public.insert_lines(next_id, transaction_rows / 2);
        next_id := next_id + transaction_rows / 2;
        changes := changes + transaction_rows / 2;
        UPDATE public.order_lines SET status = 'shipped', quantity = quantity + 1, updated_at = updated_at + interval '1 day'
        WHERE id = ANY (ARRAY(SELECT (random() * next_id)::bigint FROM generate_series(1, transaction_rows * 4 / 10)));
        GET DIAGNOSTICS made = ROW_COUNT;
        changes := changes + made;
        DELETE FROM public.order_lines
        WHERE id = ANY (ARRAY(SELECT (random() * next_id)::bigint FROM generate_series(1, transaction_rows / 10)));
        GET DIAGNOSTICS made = ROW_COUNT;
        changes := changes + made;
        COMMIT;
    END LOOP;
END
$$;
"""


@dataclass(frozen=True, kw_only=True)
class Workload:
    """Row changes that lie in the WAL between `start` and `end`, and how to reach the server that keeps them.

    Plain values only: it travels to the contestants' processes. pg_recvlogical and the bridge connect over the server's socket,
    where pg_recvlogical is at its best (over TCP it takes half as long again); Debezium can only do TCP.
    """

    kind: str
    changes: int
    table_rows: int
    message_bytes: float
    start: str
    end: str
    system_identifier: str
    timeline: int
    server_version: str
    database: str
    dsn: str
    state_dsn: str
    host: str
    port: int
    user: str
    password: str = field(repr=False)
    programs: Path

    def connect(self) -> psycopg.Connection:
        """A connection in autocommit mode."""
        return psycopg.connect(self.dsn, autocommit=True)


@contextmanager
def written(server: EmbeddedPostgres, kind: str, changes: int) -> Iterator[Workload]:
    """Write a workload of at least `changes` row changes, `kind` "inserts" or "mixed"; its database is dropped at the end."""
    password = secrets.token_hex(8)
    name = f"bench_{kind}"
    server.create_database(name)
    server.create_database(f"{name}_state")
    try:
        with server.connect(name, autocommit=True) as connection:
            connection.execute(_SCHEMA)
            connection.execute(f"ALTER ROLE {SUPERUSER} PASSWORD '{password}'")
            yield _write(server, connection, kind, changes, password)
    finally:
        server.drop_database(name)
        server.drop_database(f"{name}_state")


def _write(
    server: EmbeddedPostgres, connection: psycopg.Connection, kind: str, changes: int, password: str
) -> Workload:
    (start,) = _one(
        connection, f"SELECT lsn::text FROM pg_create_logical_replication_slot('{_START_SLOT}', 'pgoutput')"
    )
    (made,) = _one(connection, f"CALL public.play_{kind}({changes}, {TRANSACTION_ROWS})")
    (end,) = _one(connection, "SELECT pg_current_wal_lsn()::text")
    # One transaction more, so that nobody waits for a keepalive to learn that the end was reached.
    connection.execute(f"CALL public.insert_lines({changes} + 1, 1)")
    connection.execute("VACUUM ANALYZE public.order_lines")
    connection.execute("CHECKPOINT")
    (table_rows,) = _one(connection, "SELECT count(*) FROM public.order_lines")
    (message_bytes,) = _one(
        connection,
        "SELECT avg(length(data))::float8 FROM pg_logical_slot_peek_binary_changes("
        f"'{_START_SLOT}', NULL, 10000, 'proto_version', '1', 'publication_names', '{SLOT}')"
        " WHERE get_byte(data, 0) IN (68, 73, 85)",  # D, I, U
    )
    (identifier,) = _one(connection, "SELECT system_identifier::text FROM pg_control_system()")
    (timeline,) = _one(connection, "SELECT timeline_id FROM pg_control_checkpoint()")
    return Workload(
        kind=kind,
        changes=int(str(made)),
        table_rows=int(str(table_rows)),
        message_bytes=float(str(message_bytes)),
        start=str(start),
        end=str(end),
        system_identifier=str(identifier),
        timeline=int(str(timeline)),
        server_version=connection.info.parameter_status("server_version") or "",
        database=f"bench_{kind}",
        dsn=server.dsn(f"bench_{kind}"),
        state_dsn=server.dsn(f"bench_{kind}_state"),
        host="127.0.0.1",
        port=server.port,
        user=SUPERUSER,
        password=password,
        programs=server.bin_path,
    )


@contextmanager
def slot_at_start(workload: Workload) -> Iterator[str]:
    """Name a fresh slot that stands at the workload's beginning; dropped at the end."""
    with workload.connect() as connection:
        connection.execute(f"SELECT pg_copy_logical_replication_slot('{_START_SLOT}', '{SLOT}')")
    with slot_dropped_after(workload):
        yield SLOT


@contextmanager
def slot_dropped_after(workload: Workload) -> Iterator[str]:
    """Name a slot that does not exist; one that was made under that name is dropped at the end."""
    try:
        yield SLOT
    finally:
        with workload.connect() as connection:
            connection.execute(
                "SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots WHERE slot_name = %s AND active",
                [SLOT],
            )
            connection.execute(
                "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s", [SLOT]
            )


def _one(connection: psycopg.Connection, query: str) -> tuple[object, ...]:
    row = connection.execute(query).fetchone()
    assert row is not None, query
    return tuple(row)
