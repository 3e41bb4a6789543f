"""`causeway verify` and `--repair`: what was changed in the mirror behind the bridge's back is named, mended, and equal again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import pytest

from tests.fixtures.bridge import Bridge

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

CUSTOMERS = """INSERT INTO customers (id, company_name, created_at)
    SELECT i, 'Company ' || i, now() FROM generate_series(1, 300) AS i"""


@contextmanager
def mirror_of(bridge: Bridge) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect(str(bridge.folder / "warehouse.duckdb"))
    try:
        yield connection
    finally:
        connection.close()


def damage(bridge: Bridge, *statements: str) -> None:
    with mirror_of(bridge) as connection:
        for statement in statements:
            connection.execute(statement)


def mirrored(bridge: Bridge) -> None:
    bridge.sources.shop.execute(CUSTOMERS)
    done = bridge.causeway("run", "--lane", "analytical", "--until-caught-up")
    assert done.code == 0, done.err


DAMAGE = (
    "UPDATE shop.customers SET company_name = 'Spoiled', email = NULL WHERE id = 17",
    "DELETE FROM shop.customers WHERE id IN (18, 19)",
    "INSERT INTO shop.customers (id, company_name) VALUES (1000, 'Invented')",
    "INSERT INTO shop.customers SELECT * FROM shop.customers WHERE id = 20",
)


def test_rows_spoiled_behind_the_bridge_are_named_and_mended(bridge: Bridge) -> None:
    mirrored(bridge)
    damage(bridge, *DAMAGE)
    bridge.sources.shop.execute("UPDATE customers SET company_name = 'Renamed' WHERE id IN (1, 18)")
    found = bridge.causeway("verify", "shop", "--json")
    assert found.code == 1, found.err
    (customers,) = (table for table in found.json["tables"] if not table["equal"])
    assert customers["table"] == "public.customers"
    named = {row["key"][0]: (row["kind"], row["columns"]) for row in customers["rows"]}
    # 18 was updated at the source meanwhile: the mirror has it again.
    assert named == {
        "17": ("changed", ["company_name"]),
        "19": ("missing", []),
        "20": ("repeated", []),
        "1000": ("extra", []),
    }
    text = bridge.causeway("verify", "shop", "--table", "public.customers", "--table", "public.orders")
    assert text.code == 1
    assert "public.customers: (17) differs in company_name" in text.out
    assert "public.customers: (19) is missing in the mirror" in text.out
    assert "Spoiled" not in text.out + text.err + found.out
    repaired = bridge.causeway("verify", "shop", "--repair", "--json")
    assert repaired.code == 0, repaired.out + repaired.err
    assert {table["table"]: table["repaired_rows"] for table in repaired.json["tables"]}["public.customers"] == 4
    verified = bridge.causeway("verify", "shop", "--json")
    assert verified.code == 0, verified.out
    assert all(not table["repaired_rows"] and not table["rows"] for table in verified.json["tables"])


def test_a_repair_that_is_killed_can_be_run_again(bridge: Bridge) -> None:
    mirrored(bridge)
    for point in ("repair.piece_written", "mirror.before_commit:2", "mirror.after_commit:2"):
        damage(bridge, *DAMAGE)
        killed = bridge.causeway("verify", "shop", "--repair", environment={"CAUSEWAY_FAILPOINT": point})
        assert killed.code == -9, (point, killed.err)
        with mirror_of(bridge) as connection:
            whole = connection.execute("SELECT count(*) FROM shop.customers WHERE id IN (18, 19)").fetchone()
        assert whole == (2 if "after" in point else 0,), point
        repaired = bridge.causeway("verify", "shop", "--repair", "--json")
        assert repaired.code == 0, (point, repaired.out + repaired.err)
        assert bridge.causeway("verify", "shop").code == 0, point


def test_a_table_that_is_not_captured_is_not_compared(bridge: Bridge) -> None:
    mirrored(bridge)
    refused = bridge.causeway("verify", "shop", "--table", "public.nothing")
    assert refused.code == 2
    assert "shop does not capture public.nothing" in refused.err


def test_a_stopped_table_and_one_being_copied_are_not_called_equal(bridge: Bridge) -> None:
    mirrored(bridge)
    stopped = "state = 'stopped', problem = 'The column name has another type.', stopped_at = '0/1'"
    damage(
        bridge,
        f"UPDATE meta.tables SET {stopped} WHERE source = 'shop' AND table_name = 'products'",
        "UPDATE meta.tables SET state = 'copying' WHERE source = 'shop' AND table_name = 'orders'",
    )
    found = bridge.causeway("verify", "shop", "--repair", "--json")
    assert found.code == 1, found.err
    problems = {table["table"]: table["problem"] for table in found.json["tables"] if not table["equal"]}
    assert problems.keys() == {"public.products", "public.orders"}
    assert "causeway copy shop public.products" in problems["public.products"]
    assert "is being copied" in problems["public.orders"]
