"""Patterns such as public.* stand for the tables that can be mirrored, without what the settings and Odoo's wizards leave out."""

from __future__ import annotations

import pytest

from cdc.connection import connect
from cdc.discovery import Discovery, find_tables
from config.errors import CausewayError, ErrorKind
from config.settings import ODOO_NOISE, Connection
from tests.fixtures.postgres import FreshDatabase


def found(database: FreshDatabase, *patterns: str, exclude: tuple[str, ...] = (), wizards: bool = True) -> Discovery:
    with connect(Connection(dsn=database.dsn), application_name="test") as connection:
        return find_tables(connection, patterns, exclude, without_wizards=not wizards)


def make(database: FreshDatabase, *statements: str) -> None:
    with database.connect(autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def test_a_pattern_stands_for_every_table_with_a_key_and_says_why_others_are_left_out(database: FreshDatabase) -> None:
    make(
        database,
        "CREATE TABLE orders (id int PRIMARY KEY)",
        'CREATE TABLE "Order Lines" (id int PRIMARY KEY)',
        "CREATE TABLE tags (a int, b int, PRIMARY KEY (b, a))",
        "CREATE TABLE no_key (id int)",
        "CREATE TABLE whole_rows (id int)",
        "ALTER TABLE whole_rows REPLICA IDENTITY FULL",
        "CREATE TABLE by_code (id int PRIMARY KEY, code text NOT NULL UNIQUE)",
        "ALTER TABLE by_code REPLICA IDENTITY USING INDEX by_code_code_key",
        "CREATE UNLOGGED TABLE cache (id int PRIMARY KEY)",
        "CREATE TABLE parted (id int PRIMARY KEY) PARTITION BY RANGE (id)",
        "CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10)",
        "CREATE VIEW seen AS SELECT * FROM orders",
        "CREATE SCHEMA other CREATE TABLE elsewhere (id int PRIMARY KEY)",
    )
    discovery = found(database, "public.*")
    assert discovery.tables == ("public.Order Lines", "public.by_code", "public.orders", "public.parted", "public.tags")
    assert set(discovery.unfit) == {"public.no_key", "public.whole_rows", "public.cache"}
    assert "no key" in discovery.unfit["public.no_key"]
    assert "unlogged" in discovery.unfit["public.cache"]


def test_excluded_names_and_patterns_are_left_out(database: FreshDatabase) -> None:
    make(
        database, *(f"CREATE TABLE {name} (id int PRIMARY KEY)" for name in ("sale", "sale_line", "mail_message", "m"))
    )
    assert found(database, "public.*", exclude=("public.m", "public.mail_*")).tables == (
        "public.sale",
        "public.sale_line",
    )
    assert found(database, "public.sale?line", "public.m").tables == ("public.m", "public.sale_line")


def test_a_table_that_the_role_may_not_read_is_left_out(database: FreshDatabase) -> None:
    make(
        database,
        "CREATE TABLE open (id int PRIMARY KEY)",
        "CREATE TABLE closed (id int PRIMARY KEY)",
        f"CREATE ROLE reader_{database.name} LOGIN",
        f"GRANT SELECT ON open TO reader_{database.name}",
    )
    try:
        settings = Connection(dsn=database.server.dsn(database.name, user=f"reader_{database.name}"))
        with connect(settings, application_name="test") as connection:
            discovery = find_tables(connection, ["public.*"], (), without_wizards=False)
    finally:
        make(database, f"DROP OWNED BY reader_{database.name}", f"DROP ROLE reader_{database.name}")
    assert discovery.tables == ("public.open",)
    assert "may not read" in discovery.unfit["public.closed"]


def test_odoos_wizards_and_noise_are_left_out_of_an_erp_source(database: FreshDatabase) -> None:
    make(
        database,
        "CREATE TABLE ir_model (id int PRIMARY KEY, model text, transient boolean)",
        "CREATE TABLE ir_model_fields (id int PRIMARY KEY, model_id int, relation_table text)",
        "INSERT INTO ir_model VALUES (1, 'sale.order', false), (2, 'sale.advance.payment.inv', true)",
        "INSERT INTO ir_model_fields VALUES (1, 1, 'sale_order_tag_rel'), (2, 2, 'advance_payment_sale_rel')",
        *(
            f"CREATE TABLE {name} (a int, b int, PRIMARY KEY (a, b))"
            for name in (
                *("sale_order", "sale_advance_payment_inv", "sale_order_tag_rel", "advance_payment_sale_rel"),
                *("ir_model_data", "ir_attachment", "mail_message_res_partner_rel", "bus_bus", "ir_cron_trigger"),
            )
        ),
    )
    discovery = found(database, "public.*", exclude=ODOO_NOISE, wizards=False)
    assert discovery.tables == ("public.ir_model_data", "public.sale_order", "public.sale_order_tag_rel")


def test_a_pattern_that_stands_for_nothing_is_refused_with_its_name(database: FreshDatabase) -> None:
    make(database, "CREATE TABLE orders (id int PRIMARY KEY)")
    with pytest.raises(CausewayError, match=r"public\.sale_\*") as refused:
        found(database, "public.orders", "public.sale_*")
    assert refused.value.kind is ErrorKind.SCHEMA
