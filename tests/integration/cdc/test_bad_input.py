"""Each mistake of a source's owner is answered with one clear sentence, its kind, and what to do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cdc import slots
from cdc.connection import connect
from config.errors import CausewayError, ErrorKind
from config.settings import Lane, TableSettings
from sandbox.postgres import EmbeddedPostgres
from tests.fixtures.capture import CapturedDatabase, captured
from tests.fixtures.postgres import EVERY_POSTGRES, FreshDatabase

ORDERS = "CREATE TABLE public.orders (id int PRIMARY KEY, note text)"


@pytest.fixture(scope="module")
def replica_server() -> Iterator[EmbeddedPostgres]:
    """A server that answers over TCP with a password, cannot decode logically, and has one slot."""
    with EmbeddedPostgres(settings={"wal_level": "replica", "max_replication_slots": "1"}, tcp=True) as server:
        yield server


def refusal(source: CapturedDatabase) -> CausewayError:
    reader = source.reader()
    with pytest.raises(CausewayError) as refused:
        reader.open(None)
    reader.close()
    assert str(refused.value).count("\n") == 0
    assert refused.value.objects["source"] == "shop"
    assert refused.value.hint
    return refused.value


def at(server: EmbeddedPostgres, name: str, dsn: str = "") -> CapturedDatabase:
    database = FreshDatabase(server=server, name=name, dsn=server.create_database(name))
    source = captured(database, ["public.orders"], ORDERS)
    source.dsn = dsn
    return source


def test_wal_level_is_named(replica_server: EmbeddedPostgres) -> None:
    error = refusal(at(replica_server, "level"))
    assert error.kind is ErrorKind.SERVER_SETTINGS
    assert "wal_level = replica" in str(error)


def test_a_wrong_password_is_named(replica_server: EmbeddedPostgres) -> None:
    dsn = replica_server.tcp_dsn("password", user="postgres")
    error = refusal(at(replica_server, "password", dsn))
    assert error.kind is ErrorKind.AUTHENTICATION
    assert "no password supplied" in str(error)


def test_a_database_that_does_not_exist_is_named(database: FreshDatabase) -> None:
    source = captured(database, ["public.orders"])
    source.dsn = database.dsn.replace(database.name, "nowhere")
    error = refusal(source)
    assert error.kind is ErrorKind.SETTINGS
    assert 'database "nowhere" does not exist' in str(error)


def test_a_server_that_is_not_there_is_a_connection_error(database: FreshDatabase) -> None:
    source = captured(database, ["public.orders"])
    source.dsn = "host=127.0.0.1 port=1 dbname=x user=y"
    error = refusal(source)
    assert error.kind is ErrorKind.CONNECTION
    assert "Connection refused" in str(error)


def test_a_dsn_that_is_none_is_a_settings_error(database: FreshDatabase) -> None:
    source = captured(database, ["public.orders"])
    source.dsn = "hots=localhost"
    assert refusal(source).kind is ErrorKind.SETTINGS


def test_a_role_without_replication_is_named(database: FreshDatabase) -> None:
    source = captured(database, ["public.orders"], ORDERS, f"CREATE ROLE reader_{database.name} LOGIN")
    source.dsn = f"{database.dsn} user=reader_{database.name}"
    error = refusal(source)
    assert error.kind is ErrorKind.PRIVILEGE
    assert f"ALTER ROLE reader_{database.name} REPLICATION" in str(error)


def test_a_missing_table_is_named(database: FreshDatabase) -> None:
    source = captured(database, ["public.orders", "public.lines", "sales.none"], ORDERS)
    error = refusal(source)
    assert error.kind is ErrorKind.SCHEMA
    assert "public.lines, sales.none" in str(error)


@EVERY_POSTGRES
@pytest.mark.case("a table without a key", "refused before its publication, which would let UPDATE fail at the source")
@pytest.mark.case("replica identity nothing", "refused, likewise")
@pytest.mark.parametrize(
    "ddl",
    [
        ("CREATE TABLE public.orders (id int)",),
        (ORDERS, "ALTER TABLE orders REPLICA IDENTITY NOTHING"),
    ],
)
def test_a_table_without_a_key_is_refused_before_its_updates_could_fail(
    database: FreshDatabase, ddl: tuple[str, ...]
) -> None:
    source = captured(database, ["public.orders"], *ddl, "INSERT INTO orders VALUES (1)")
    error = refusal(source)
    assert error.kind is ErrorKind.SCHEMA
    assert "ALTER TABLE public.orders ADD PRIMARY KEY" in str(error)
    source.execute("UPDATE orders SET id = 2")


def test_no_free_slot_is_named() -> None:
    with EmbeddedPostgres(settings={"max_replication_slots": "1"}) as server:
        source = at(server, "slots")
        source.execute("SELECT pg_create_logical_replication_slot('other', 'pgoutput')")
        error = refusal(source)
        assert error.kind is ErrorKind.SERVER_SETTINGS
        assert "max_replication_slots" in str(error)


@EVERY_POSTGRES
@pytest.mark.case("a table dropped from the publication while running")
@pytest.mark.case("a table added to the publication while running")
def test_a_publication_that_misses_a_table_or_has_another_is_refused(database: FreshDatabase) -> None:
    source = captured(database, ["public.orders"], ORDERS, "CREATE TABLE public.lines (id int PRIMARY KEY)")
    source.catch_up()
    source.tables = (TableSettings(name="public.lines"),)
    error = refusal(source)
    assert error.kind is ErrorKind.SCHEMA
    assert "misses public.lines, has public.orders, which is not configured" in str(error)


@EVERY_POSTGRES
@pytest.mark.case("partitions with publish_via_partition_root off", "refused: the rows would come under other names")
@pytest.mark.case(
    "column lists",
    "of the analytical publication refused, for the mirror would miss columns in silence; the operational one lists what mappings read,"
    " and what Postgres demands",
)
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("SET (publish_via_partition_root = false)", "has publish_via_partition_root off"),
        ("SET TABLE orders (id)", "has a column list on public.orders"),
        ("SET (publish = 'insert, update')", "does not publish insert, update, delete and truncate"),
    ],
)
def test_a_publication_that_leaves_something_out_is_refused(database: FreshDatabase, change: str, words: str) -> None:
    source = captured(database, ["public.orders"], ORDERS)
    source.catch_up()
    source.execute(f"ALTER PUBLICATION {source.slot} {change}")
    error = refusal(source)
    assert error.kind is ErrorKind.SCHEMA
    assert words in str(error)


@pytest.mark.case(
    "PostgreSQL 18's publish_generated_columns", "refused: old rows would lack the values, which follow from the others"
)
def test_a_publication_of_generated_columns_is_refused(database: FreshDatabase) -> None:
    source = captured(database, ["public.orders"], ORDERS)
    source.catch_up()
    source.execute(f"ALTER PUBLICATION {source.slot} SET (publish_generated_columns = stored)")
    error = refusal(source)
    assert error.kind is ErrorKind.SCHEMA
    assert "publishes generated columns" in str(error)


@EVERY_POSTGRES
@pytest.mark.case("stored generated columns")
def test_a_table_that_18_could_not_update_once_published_is_refused_before(
    database: FreshDatabase, postgres_version: int
) -> None:
    source = captured(
        database,
        ["public.orders"],
        "CREATE TABLE orders (id int PRIMARY KEY, n int, twice int GENERATED ALWAYS AS (n * 2) STORED)",
        "ALTER TABLE orders REPLICA IDENTITY FULL",
        "INSERT INTO orders VALUES (1, 1)",
    )
    if postgres_version < 18:
        source.catch_up()
    else:
        error = refusal(source)
        assert error.kind is ErrorKind.SCHEMA
        assert "the replica identity of public.orders has the generated column twice" in str(error)
    source.execute("UPDATE orders SET n = 2")


def test_a_slot_of_another_plugin_is_refused(database: FreshDatabase) -> None:
    source = captured(database, ["public.orders"], ORDERS)
    source.execute(f"SELECT pg_create_physical_replication_slot('{source.slot}')")
    try:
        error = refusal(source)
    finally:
        source.execute(f"SELECT pg_drop_replication_slot('{source.slot}')")
    assert error.kind is ErrorKind.SERVER_SETTINGS


@EVERY_POSTGRES
@pytest.mark.case("row filters")
def test_a_row_filter_outside_of_the_key_is_refused_before_it_breaks_the_source(database: FreshDatabase) -> None:
    source = captured(database, [], ORDERS)
    source.lane = Lane.OPERATIONAL
    source.tables = (TableSettings(name="public.orders", row_filter="note <> 'draft'"),)
    error = refusal(source)
    assert error.kind is ErrorKind.SCHEMA
    assert "row filter of public.orders names note" in str(error)
    source.execute("INSERT INTO orders VALUES (1, 'x')", "UPDATE orders SET note = 'y'")


@EVERY_POSTGRES
@pytest.mark.case(
    "row filters", "hold for the operational lane, in its snapshot and its stream; the mirror has every row"
)
def test_row_filters_hold_in_the_operational_lane_only(database: FreshDatabase) -> None:
    for lane, expected in ((Lane.OPERATIONAL, {("2",), ("5",)}), (Lane.ANALYTICAL, {("1",), ("2",), ("4",), ("5",)})):
        source = captured(database, [], "DROP TABLE IF EXISTS orders", ORDERS, "INSERT INTO orders VALUES (1), (2)")
        source.lane = lane
        source.tables = (TableSettings(name="public.orders", row_filter="id % 4 IN (1, 2) AND id > 1"),)
        source.catch_up()
        source.execute("INSERT INTO orders VALUES (4), (5)")
        source.catch_up()
        assert set(source.replay.tables["public.orders"]) == expected
        with connect(source.settings.connection, application_name="test") as connection:
            slots.drop(connection, source.slot)


def test_rows_that_a_policy_hides_from_the_role_are_not_left_out_in_silence(database: FreshDatabase) -> None:
    source = captured(database, ["public.orders"], ORDERS, "INSERT INTO orders VALUES (1), (2)")
    with connect(source.settings.connection, application_name="test") as connection:
        slots.create(connection, source.settings, source.lane, source.slot)
    source.execute(
        "ALTER TABLE orders ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY one ON orders USING (id = 1)",
        f"CREATE ROLE {database.name}_reader LOGIN REPLICATION",
        f"GRANT SELECT ON orders TO {database.name}_reader",
    )
    source.dsn = database.server.dsn(database.name, user=f"{database.name}_reader")
    try:
        with pytest.raises(CausewayError, match='row-level security policy for table "orders"') as failed:
            source.catch_up()
    finally:
        source.execute(f"DROP OWNED BY {database.name}_reader", f"DROP ROLE {database.name}_reader")
    assert failed.value.kind is ErrorKind.PRIVILEGE


def test_no_timeout_of_the_database_ends_a_long_copy(database: FreshDatabase) -> None:
    source = captured(database, ["public.orders"], ORDERS)
    for name in ("transaction_timeout", "statement_timeout"):
        source.execute(f"ALTER DATABASE {database.name} SET {name} = '1min'")
        with connect(source.settings.connection, application_name="test") as connection:
            assert connection.execute(f"SHOW {name}".encode()).fetchone() == ("0",)
