"""The five databases, and the role that may read them and no more."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from sandbox.databases import DATABASES, create_capture_role, create_databases, create_publication
from sandbox.postgres import EmbeddedPostgres


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres() as own:
        create_databases(own)
        create_capture_role(own)
        yield own


@pytest.mark.parametrize("name", DATABASES)
def test_the_role_may_connect_everywhere(server: EmbeddedPostgres, name: str) -> None:
    with psycopg.connect(server.dsn(name, user="causeway")) as connection:
        assert connection.execute("SELECT current_database()").fetchone() == (name,)


def test_the_role_reads_tables_of_today_and_of_tomorrow_and_writes_none(server: EmbeddedPostgres) -> None:
    with server.connect("shop") as connection:
        connection.execute("CREATE TABLE later (id int PRIMARY KEY)")
    with psycopg.connect(server.dsn("shop", user="causeway"), autocommit=True) as connection:
        assert connection.execute("SELECT count(*) FROM orders").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM later").fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DELETE FROM orders")


def test_the_role_streams_from_a_publication_that_the_dba_has_made(server: EmbeddedPostgres) -> None:
    create_publication(server, "market", "causeway_test", ["orders", "items"])
    with psycopg.connect(server.dsn("market", user="causeway"), autocommit=True) as connection:
        connection.execute("SELECT pg_create_logical_replication_slot('least', 'pgoutput')")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE PUBLICATION own FOR TABLE orders")
        with server.connect("market") as writer:
            writer.execute("INSERT INTO buyers VALUES (gen_random_uuid(), 'A', null, null, '{}', now())")
            writer.execute("INSERT INTO orders SELECT 'MK-1', buyer_id, 'PAID', 'GBP', now(), 'k', 1 FROM buyers")
        peek = (
            "SELECT count(*) FROM pg_logical_slot_get_binary_changes('least', null, null, %s, '1', %s, 'causeway_test')"
        )
        # Begin, relation, insert, commit.
        assert connection.execute(peek, ["proto_version", "publication_names"]).fetchone() == (4,)
        connection.execute("SELECT pg_drop_replication_slot('least')")


def test_the_role_owns_its_state_database_only(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.dsn("causeway", user="causeway")) as connection:
        connection.execute("CREATE SCHEMA state")
    with psycopg.connect(server.dsn("odoo", user="causeway")) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE SCHEMA state")
