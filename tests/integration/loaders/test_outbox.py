"""The outbox as a destination: a batch and its position in one transaction, pieces held back, snapshots repeated."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from cdc.batch import BatchKind
from config.errors import CausewayError, ErrorKind
from config.settings import Connection, StateSettings
from loaders.arriving.outbox import Outbox
from loaders.arriving.rows_to_read import groups, note_repaired, take
from loaders.delivering.claims import Claims, Due
from loaders.delivering.delivery import Deliverer, DeliveryReport
from loaders.named_sql import statements
from loaders.state import VERSION, connect, prepare
from tests.fixtures.delivery import (
    PRIORITIES,
    OperationalEnd,
    customer,
    deleted,
    invalid,
    line,
    no_fetch,
    order,
    product,
    truncated,
    upsert,
)
from tests.fixtures.postgres import FreshDatabase
from transforms.changes import Held, Origin


class Watched(Deliverer):
    """Says when it has looked at the outbox."""

    def __init__(self, *arguments: Any, looked: threading.Event) -> None:
        super().__init__(*arguments)
        self._looked = looked

    def run_once(self, stop: threading.Event | None = None) -> DeliveryReport:
        report = super().run_once(stop)
        self._looked.set()
        return report


def test_a_batch_and_its_position_arrive_together(lane: OperationalEnd) -> None:
    assert lane.outbox.position("shop") is None
    lane.arrive(product(), upsert("payment", "shop", "1"))
    position = lane.outbox.position("shop")
    assert position is not None
    assert (str(position.lsn), position.slot, position.timeline) == ("0/1", "slot", 1)
    assert lane.statuses() == {"product:shop:p1": "pending", "payment:shop:1": "pending"}


def test_pieces_of_a_large_transaction_wait_for_the_last_one(lane: OperationalEnd) -> None:
    lane.arrive(product(name="first"), customer(), complete=False)
    lane.arrive(customer(source="market"))  # another source commits meanwhile
    assert lane.statuses() == {"customer:market:c1": "pending"}
    lane.arrive(product(name="last"), deleted("customer", "shop", "c1"))
    rows = lane.rows("SELECT record_id, operation, payload ->> 'name' FROM outbox WHERE source = 'shop'")
    assert rows == [("product:shop:p1", "upsert", "last")]


def test_a_rollback_forgets_the_pieces(lane: OperationalEnd) -> None:
    lane.arrive(product(), complete=False)
    lane.outbox.rollback("shop")
    assert lane.outbox.position("shop") is None
    lane.arrive(customer())
    assert lane.statuses() == {"customer:shop:c1": "pending"}


def test_a_position_never_goes_back(lane: OperationalEnd) -> None:
    batch = lane.batch("shop")
    lane.arrive(product())
    with pytest.raises(CausewayError) as caught:
        lane.outbox.apply(batch)
    assert caught.value.kind is ErrorKind.STATE
    lane.outbox.rollback("shop")


def test_snapshot_pieces_may_commit_but_nothing_is_delivered_before_the_last(lane: OperationalEnd) -> None:
    lane.outbox.begin_snapshot("shop", ())
    lane.arrive(customer(), complete=False, kind=BatchKind.SNAPSHOT)
    assert lane.status("customer:shop:c1") == "pending"
    assert not lane.deliver().worked
    lane.arrive(product(), kind=BatchKind.SNAPSHOT)
    lane.deliver()
    assert set(lane.statuses().values()) == {"delivered"}


def test_what_a_repeated_snapshot_does_not_show_is_gone(lane: OperationalEnd) -> None:
    lane.arrive(customer(), customer(key="c2"), product())
    lane.deliver()
    lane.outbox.begin_snapshot("shop", ())
    lane.arrive(customer(), complete=False, kind=BatchKind.SNAPSHOT)
    lane.arrive(product(), kind=BatchKind.SNAPSHOT)
    assert lane.rows("SELECT record_id FROM outbox WHERE operation = 'delete'") == [("customer:shop:c2",)]
    assert lane.rows("SELECT count(*) FROM snapshot_seen") == [(0,)]


def test_another_sources_rollback_leaves_a_repeated_snapshot_as_it_is(lane: OperationalEnd) -> None:
    lane.arrive(customer(), customer(key="c2"))
    lane.outbox.begin_snapshot("shop", ())
    lane.outbox.rollback("market")
    lane.arrive(customer(), kind=BatchKind.SNAPSHOT)
    assert lane.rows("SELECT record_id FROM outbox WHERE operation = 'delete'") == [("customer:shop:c2",)]


def test_a_truncated_table_deletes_only_what_its_mapping_made(lane: OperationalEnd) -> None:
    lane.arrive(order(), line(key="o1-1"), line(key="o1-freight", kind="freight"), line(key="o2-1"))
    lane.arrive(truncated("sales_order_line", "shop", r".*-\d+"), line(key="o2-1"))
    rows = lane.rows("SELECT source_key, operation FROM outbox WHERE entity = 'sales_order_line' ORDER BY 1")
    assert rows == [("o1-1", "delete"), ("o1-freight", "upsert"), ("o2-1", "upsert")]


def test_a_newer_state_supersedes_a_dead_one(lane: OperationalEnd) -> None:
    lane.arrive(invalid("product", "shop", "p1", "name: missing"))
    assert lane.status("product:shop:p1") == "dead"
    assert lane.error("product:shop:p1") == "name: missing"
    lane.arrive(product())
    assert lane.status("product:shop:p1") == "pending"


def test_a_record_that_changes_while_it_is_delivered_is_delivered_again(lane: OperationalEnd) -> None:
    lane.arrive(product(name="old"))
    client = lane.deliverer._client
    call = client.call

    def meanwhile(model: str, method: str, *arguments: object, **named: object) -> object:
        if lane.rows("SELECT payload ->> 'name' FROM outbox")[0][0] == "old":
            lane.arrive(product(name="new"))
        return call(model, method, *arguments, **named)  # type: ignore[arg-type]

    client.call = meanwhile  # type: ignore[method-assign]
    lane.deliver()
    assert lane.odoo_rows("SELECT name ->> 'en_US' FROM product_template WHERE default_code = 'SKU-p1'") == [("new",)]
    assert lane.status("product:shop:p1") == "delivered"


def test_a_state_database_of_a_newer_program_is_refused(lane: OperationalEnd) -> None:
    lane.rows("INSERT INTO state_version (version) VALUES (99) RETURNING 1")
    with pytest.raises(CausewayError, match="version 99"):
        prepare(lane.state)


def test_a_second_outbox_goes_on_where_the_first_ended(lane: OperationalEnd) -> None:
    lane.arrive(product())
    again = Outbox(lane.state, lane.mapper, no_fetch, PRIORITIES)
    assert again.position("shop") == lane.outbox.position("shop")
    again.close()


def test_what_arrives_wakes_a_deliverer_that_waits(lane: OperationalEnd) -> None:
    stop, looked = threading.Event(), threading.Event()
    an_hour = lane.delivery.model_copy(update={"poll_ms": 3_600_000})
    deliverer = Watched(lane.state, lane.odoo_settings, an_hour, looked=looked)
    lane.outbox = Outbox(lane.state, lane.mapper, no_fetch, PRIORITIES, deliverer.wake)
    thread = threading.Thread(target=deliverer.run, args=(stop,), daemon=True)
    thread.start()
    assert looked.wait(60)
    lane.arrive(product())
    while lane.status("product:shop:p1") != "delivered":
        time.sleep(0.02)
    stop.set()
    deliverer.wake()
    thread.join()


def test_a_deliverer_without_anything_to_do_goes_through_no_step(lane: OperationalEnd) -> None:
    taken: list[int] = []

    def claim(_claims: Claims, limit: int) -> list[Due]:
        taken.append(limit)
        return []

    for step in lane.deliverer._steps:
        step.claim = claim
    lane.deliver()
    assert not taken
    lane.arrive(product())
    lane.deliver()
    assert len(taken) == len(lane.deliverer._steps)


def test_a_batch_reads_what_it_is_about_however_large_the_outbox_has_become(lane: OperationalEnd) -> None:
    for number in range(12):  # time enough for the statements to be prepared, over an outbox that fits on a few pages
        lane.arrive(order(key=f"o{number}", duplicate_key=f"d{number % 6}"), deleted("customer", "shop", f"c{number}"))
    session = lane.outbox._sessions["shop"].connection
    with connect(lane.state) as other:
        other.execute(MANY_ORDERS)
    before = rows_read(session)
    lane.arrive(order(key="last", duplicate_key="d1"), deleted("customer", "shop", "c1"))
    assert rows_read(session) - before < 1000


MANY_ORDERS = """
INSERT INTO outbox (record_id, entity, source, source_key, canonical_id, aggregate_id, operation, payload, content_hash,
                    mapping_version, source_lsn, status)
SELECT 'sales_order:shop:n' || n, 'sales_order', 'shop', 'n' || n, 'n' || n, 'n' || n, 'upsert',
       jsonb_build_object('duplicate_key', 'n' || n), 'h', 1, '0/1', 'delivered'
FROM generate_series(1, 100000) n
"""


def rows_read(session: psycopg.Connection[Any]) -> int:
    """Rows of the outbox that statements have read by scans of the whole table, or found by an index."""
    session.execute("SELECT pg_stat_force_next_flush()")
    session.commit()
    session.execute("SELECT pg_stat_clear_snapshot()")
    query = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'outbox'"
    (found,) = session.execute(query).fetchone() or (0,)
    session.commit()
    return int(found)


def test_a_batch_without_records_wakes_nobody(lane: OperationalEnd) -> None:
    heard: list[str] = []
    lane.outbox = Outbox(lane.state, lane.mapper, no_fetch, PRIORITIES, lambda: heard.append("arrived"))
    lane.outbox.apply(lane.batch("shop"))
    assert heard == []
    lane.arrive(product(), complete=False)
    assert heard == []
    lane.arrive(customer())
    assert heard == ["arrived"]


@pytest.mark.slow
def test_ten_thousand_records_arrive_in_one_transaction(lane: OperationalEnd) -> None:
    changes = [line(key=f"{number}", order_key=f"o{number // 3}", line_number=number) for number in range(10_000)]
    lane.arrive(*changes)
    assert lane.rows("SELECT status, count(*) FROM outbox GROUP BY status") == [("pending", 10_000)]


def test_a_state_of_the_first_version_is_upgraded_with_what_it_holds(database: FreshDatabase) -> None:
    state = StateSettings(connection=Connection(dsn=database.dsn), db_schema="causeway")
    with connect(state) as connection:
        connection.execute("CREATE SCHEMA causeway")
        for name in ("version_table", "version_1"):
            connection.execute(statements("state.sql")[name])
        connection.execute("INSERT INTO state_version (version) VALUES (1)")
        connection.execute(
            "INSERT INTO outbox (record_id, entity, source, source_key, canonical_id, aggregate_id, operation, payload,"
            " content_hash, mapping_version, source_lsn, status) VALUES ('product:shop:1', 'product', 'shop', '1', 'c', 'a',"
            " 'upsert', '{}', 'h', 1, '0/1', 'delivered')"
        )
    prepare(state)
    prepare(state)
    with connect(state) as connection:
        assert connection.execute("SELECT record_id, status, origin FROM outbox").fetchall() == [
            ("product:shop:1", "delivered", None)
        ]
        versions = connection.execute("SELECT version FROM state_version ORDER BY 1").fetchall()
        assert versions == [(version,) for version in range(1, VERSION + 1)]
        assert connection.execute("SELECT count(*) FROM rows_to_read").fetchall() == [(0,)]


def test_rows_that_are_held_and_the_position_arrive_together(lane: OperationalEnd) -> None:
    held = Held(
        source="shop",
        table="public.t",
        key={"id": "1"},
        mapping="m",
        reason=Origin.MAPPING,
        position="0/1",
        xid=7,
        seq=0,
    )
    lane.mapper.changes = [held]
    lane.outbox.apply(lane.batch("shop", complete=False))
    assert lane.rows("SELECT count(*) FROM rows_to_read") == [(0,)]
    lane.mapper.changes = []
    lane.outbox.apply(lane.batch("shop"))
    lane.mapper.changes = [replace(held, xid=9), replace(held, mapping="other")]
    lane.outbox.apply(lane.batch("shop"))
    assert lane.rows("SELECT mapping, key, reason, xid FROM rows_to_read ORDER BY 1") == [
        ("m", {"id": "1"}, "mapping", 9),
        ("other", {"id": "1"}, "mapping", 7),
    ]
    lane.mapper.changes = [replace(held, key={}), replace(held, key={"id": "2"})]
    lane.outbox.apply(lane.batch("shop"))
    assert lane.rows("SELECT key FROM rows_to_read WHERE mapping = 'm' ORDER BY key") == [({},), ({"id": "2"},)]


def test_a_row_that_is_noted_again_while_it_is_read_stays_noted(lane: OperationalEnd) -> None:
    note_repaired(lane.state, "shop", "public.t", [{"id": "1"}, {"id": "2"}], "0/1")
    with connect(lane.state) as connection:
        (group,) = groups(connection)
        rows = take(connection, group, 10)
    note_repaired(lane.state, "shop", "public.t", [{"id": "2"}], "0/2")
    lane.outbox.apply_read("shop", [product()], rows, [])
    assert lane.rows("SELECT key FROM rows_to_read") == [({"id": "2"},)]
    assert lane.status("product:shop:p1") == "pending"
