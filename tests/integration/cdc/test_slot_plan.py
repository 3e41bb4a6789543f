"""What `causeway slots plan` prints, run by psql as an administrator, gives a role that can do its work and nothing else."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from cdc import server_settings, slots
from cdc.connection import connect
from cdc.slot_plan import Plan, plan, script
from config.settings import Lane
from sandbox.postgres import EmbeddedPostgres
from tests.fixtures.capture import CapturedDatabase, captured, wal_bytes
from tests.fixtures.postgres import FreshDatabase

DDL = (
    "CREATE SCHEMA stock",
    "CREATE TABLE public.orders (id int PRIMARY KEY, note text)",
    'CREATE TABLE stock."B c" (id int PRIMARY KEY)',
    "CREATE TABLE public.other (id int PRIMARY KEY)",
    "INSERT INTO orders VALUES (1, 'one')",
)
ROLE = 'causeway\'s "capture"'


def plan_of(source: CapturedDatabase, *, role: str = ROLE, **settings: object) -> Plan:
    """Look as the superuser; plan for `role`."""
    planned = source.settings.model_copy(update=settings)
    planned = planned.model_copy(
        update={
            "connection": planned.connection.model_copy(update={"dsn": make_conninfo(source.database.dsn, user=role)})
        }
    )
    with connect(source.settings.connection, application_name="test") as connection:
        return plan(connection, planned, {lane: source.slot.replace(source.lane, lane) for lane in Lane})


def psql(database: FreshDatabase, text: str, *arguments: str) -> str:
    done = subprocess.run(
        [database.server.bin_path / "psql", "-X", "-q", *arguments, "-d", database.dsn],
        input=text, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def drop_role(database: FreshDatabase, role: str) -> None:
    with database.connect(autocommit=True) as connection:
        identifier = psycopg.sql.Identifier(role)
        connection.execute(psycopg.sql.SQL("DROP OWNED BY {}").format(identifier))
        connection.execute(psycopg.sql.SQL("DROP ROLE {}").format(identifier))


def test_run_by_psql_it_gives_a_role_that_can_do_its_work_and_nothing_else(database: FreshDatabase) -> None:
    source = captured(database, ["public.orders", "stock.B c"], *DDL)
    text = script("shop", plan_of(source))
    try:
        psql(database, text, "-v", "causeway_password=s3cret")
        assert "s3cret" not in text
        source.dsn = make_conninfo(database.dsn, user=ROLE)
        with connect(source.settings.connection, application_name="test") as connection:
            server_settings.check_server(connection, needs_slot=False)
            assert slots.missing(connection, source.settings, Lane.ANALYTICAL, source.slot) == []
        source.catch_up()  # the snapshot
        source.execute(
            "INSERT INTO orders VALUES (2, 'two')",
            "UPDATE orders SET note = 'uno' WHERE id = 1",
            'INSERT INTO stock."B c" VALUES (7)',
        )
        source.catch_up()
        source.assert_equal("public.orders", "stock.B c")
        assert plan_of(source).steps == []  # what it has made is left alone
        assert_nothing_else(source.dsn)
        with database.connect() as connection:
            row = connection.execute(
                "SELECT rolpassword LIKE 'SCRAM%%' FROM pg_authid WHERE rolname = %s", [ROLE]
            ).fetchone()
            assert row == (True,)
    finally:
        drop_role(database, ROLE)


FORBIDDEN = (
    "SELECT * FROM public.other",
    "INSERT INTO public.orders VALUES (9, 'nine')",
    "UPDATE public.orders SET note = ''",
    "DELETE FROM public.orders",
    "TRUNCATE public.orders",
    "CREATE TABLE public.mine (i int)",
    "CREATE SCHEMA mine",
    "CREATE PUBLICATION mine FOR TABLE public.orders",
    "CREATE ROLE mine",
    "CREATE DATABASE mine",
    "ALTER TABLE public.orders REPLICA IDENTITY FULL",
    "SELECT pg_read_file('postgresql.conf')",
    "ALTER SYSTEM SET work_mem = '1MB'",
)


def assert_nothing_else(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in FORBIDDEN:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())


def test_without_a_step_of_the_plan_the_role_can_not_do_its_work(database: FreshDatabase) -> None:
    source = captured(database, ["public.orders"], *DDL)
    whole = plan_of(source)
    try:
        text = script("shop", whole).replace(
            'GRANT SELECT ON TABLE "public"."orders"', 'GRANT SELECT ON TABLE "public"."other"'
        )
        psql(database, text)
        left = plan_of(source).steps
        assert [step.statement.split(" TO ")[0] for step in left] == ['GRANT SELECT ON TABLE "public"."orders"']
    finally:
        drop_role(database, ROLE)


def test_tables_without_a_key_get_a_replica_identity_partitions_included(database: FreshDatabase) -> None:
    source = captured(
        database,
        ["public.keyed", "public.bare", "public.parts"],
        "CREATE TABLE public.keyed (code text NOT NULL, n int)",
        "CREATE UNIQUE INDEX by_code ON public.keyed (code) INCLUDE (n)",
        "CREATE TABLE public.bare (a int, b text)",
        "CREATE UNIQUE INDEX nullable ON public.bare (a)",
        "CREATE TABLE public.parts (at int, n int) PARTITION BY RANGE (at)",
        "CREATE TABLE public.parts_1 PARTITION OF public.parts FOR VALUES FROM (0) TO (10)",
    )
    made = plan_of(source)
    altered = [step.statement for step in made.steps if step.statement.startswith("ALTER TABLE")]
    assert altered == [
        'ALTER TABLE "public"."keyed" REPLICA IDENTITY USING INDEX "by_code"',
        'ALTER TABLE "public"."bare" REPLICA IDENTITY FULL',
        'ALTER TABLE "public"."parts" REPLICA IDENTITY FULL',
        'ALTER TABLE "public"."parts_1" REPLICA IDENTITY FULL',
    ]
    try:
        psql(database, script("shop", made))
        source.catch_up()
        source.execute(
            "INSERT INTO keyed VALUES ('x', 1)", "UPDATE keyed SET n = 2", "INSERT INTO bare VALUES (NULL, 'b')",
            "UPDATE bare SET b = 'c'", "INSERT INTO parts VALUES (1, 1)", "UPDATE parts SET n = 2",
        )  # fmt: skip
        source.catch_up()
        source.assert_equal()
    finally:
        drop_role(database, ROLE)


def test_a_generated_column_in_the_identity_is_warned_of(database: FreshDatabase) -> None:
    source = captured(
        database,
        ["public.orders", "public.bare", "public.unique"],
        "CREATE TABLE orders (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED)",
        "ALTER TABLE orders REPLICA IDENTITY FULL",
        "CREATE TABLE bare (id int, twice int GENERATED ALWAYS AS (id * 2) STORED)",
        "CREATE TABLE public.unique (id int NOT NULL UNIQUE, twice int GENERATED ALWAYS AS (id * 2) STORED)",
    )
    warnings = [note for section in plan_of(source).sections for note in section.notes if "generated column" in note]
    assert [warning.split(" has the")[0] for warning in warnings] == [
        f"WARNING: the replica identity of public.{name}" for name in ("bare", "orders")
    ]


def test_row_security_asks_for_a_role_that_it_does_not_bind(database: FreshDatabase) -> None:
    source = captured(database, ["public.orders"], *DDL, "ALTER TABLE orders ENABLE ROW LEVEL SECURITY")
    made = plan_of(source)
    try:
        psql(database, script("shop", made))
        source.dsn = make_conninfo(database.dsn, user=ROLE)
        source.catch_up()
        source.assert_equal()
    finally:
        drop_role(database, ROLE)


def test_a_plan_run_in_another_database_does_nothing(database: FreshDatabase) -> None:
    source = captured(database, ["public.orders"], *DDL)
    text = script("shop", replace(plan_of(source), database="another"))
    done = subprocess.run(
        [database.server.bin_path / "psql", "-X", "-d", database.dsn],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert plan_of(source).steps


def test_a_line_break_in_a_name_does_not_leave_its_comment(database: FreshDatabase) -> None:
    name = "x\nDROP TABLE orders; --"
    source = captured(database, [f"public.{name}"], *DDL, f'CREATE TABLE public."{name}" (id int)')
    text = script("shop", plan_of(source))
    assert "\nDROP TABLE" not in "\n".join(line for line in text.splitlines() if line.startswith("--"))
    try:
        psql(database, text)
        with database.connect() as connection:
            connection.execute("SELECT FROM public.orders")
    finally:
        drop_role(database, ROLE)


@pytest.mark.parametrize("version", [16, 18])
def test_each_setting_is_judged_with_its_value(version: int, tmp_path: Path) -> None:
    risky = {
        "wal_sender_timeout": "0",
        "logical_decoding_work_mem": "1MB",
        "max_slot_wal_keep_size": "-1",
        "max_replication_slots": "2",
    }
    if version == 18:
        risky["idle_replication_slot_timeout"] = "60"
    with EmbeddedPostgres(version=version, settings=risky) as server:
        source = captured(
            FreshDatabase(server=server, name="shop", dsn=server.create_database("shop")), ["public.orders"], *DDL
        )
        made = {each.name: each for each in plan_of(source, failover=True).settings}
        assert made["wal_level"].verdict == "fine"
        assert made["max_replication_slots"].change == "ALTER SYSTEM SET max_replication_slots = 3"
        for name in ("wal_sender_timeout", "max_slot_wal_keep_size", "logical_decoding_work_mem"):
            assert made[name].verdict == "advised", name
            assert made[name].advised, name
        if version == 18:
            assert "loses its slot" in made["idle_replication_slot_timeout"].reason
            assert made["synchronized_standby_slots"].verdict == "advised"
            text = script("shop", plan_of(source, failover=True))
            assert "failover => true" in text
            assert "-- wal_sender_timeout = 0: WARNING: off" in text
            psql(source.database, text)
            with connect(source.settings.connection, application_name="test") as connection:
                assert all(slot.failover for slot in slots.status(connection, [source.slot]))
        else:
            assert "has no failover slots" in made["failover"].reason


def test_spilled_transactions_are_counted(database: FreshDatabase) -> None:
    source = captured(database, ["public.orders"], *DDL)
    source.catch_up()
    with database.connect(autocommit=True) as connection:
        connection.execute("INSERT INTO orders SELECT g, repeat('x', 500) FROM generate_series(10, 200000) g")
        wal_bytes(connection, 1000)
    source.catch_up(timeout_s=60)
    with connect(source.settings.connection, application_name="test") as connection:
        (found,) = slots.status(connection, [source.slot])
    assert found.spilled_transactions
    assert found.spilled_bytes
