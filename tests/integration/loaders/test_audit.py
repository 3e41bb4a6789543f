"""What was written to Odoo is noted field by field, with its source row, in a chain that shows every change of it."""

from __future__ import annotations

import threading
from contextlib import closing

import psycopg
import pytest

from config.policies import Policies
from config.settings import StateSettings
from loaders.state import connect
from loaders.tracing import audit
from loaders.tracing.audit import Entry, Verdict
from loaders.tracing.deadletters import Closed, Selection
from sandbox.odoo import Fault
from tests.fixtures.delivery import OperationalEnd, address, customer, line, order, product, shipment, shipment_line


def verified(state: StateSettings, anchor: tuple[int, str] | None = None) -> Verdict:
    with connect(state) as connection:
        return audit.verify(connection, anchor)


def entries_of(lane: OperationalEnd, record_id: str) -> list[Entry]:
    with connect(lane.state) as connection:
        return audit.of_record(connection, record_id)


def test_every_write_is_noted_with_its_fields_its_source_row_and_the_versions_it_was_made_under(
    lane: OperationalEnd,
) -> None:
    lane.arrive(
        customer(email="a@example.com"), product(), order(), line(), line(key="o1-2", line_number=2), shipment(), shipment_line()
    )  # fmt: skip
    lane.deliver()
    (loaded,) = entries_of(lane, "customer:shop:c1")
    said = loaded.as_dict()
    ((partner,),) = lane.odoo_rows("SELECT id FROM res_partner WHERE email = 'a@example.com'")
    assert (said["model"], said["odoo_id"], said["action"], said["actor"]) == ("res.partner", partner, "load", "admin")
    assert said["fields"]["email"] == "a@example.com"
    assert (said["source"], said["source_lsn"], said["mapping_version"]) == ("shop", "0/1", 1)
    assert said["policy_version"] == Policies().version
    with connect(lane.state) as connection:
        assert audit.of_odoo(connection, "res.partner", partner) == [loaded]
    assert {one.action for one in entries_of(lane, "sales_order:shop:o1")} >= {"load", "action_confirm", "write"}
    (second,) = entries_of(lane, "sales_order_line:shop:o1-2")
    assert (second.model, second.action) == ("sale.order.line", "load")
    assert lane.odoo_rows("SELECT sequence FROM sale_order_line ORDER BY id DESC LIMIT 1") == [(2,)]
    assert (second.odoo_id,) == lane.odoo_rows("SELECT max(id) FROM sale_order_line")[0]
    assert {(one.model, one.action) for one in entries_of(lane, "shipment:wms:s1")} == {
        ("stock.move", "write"),
        ("stock.picking", "button_validate"),
    }
    unnamed = lane.rows("SELECT model, fields FROM audit WHERE record_id IS NULL")
    assert {model for model, _ in unnamed} == {"product.product"}  # the bridge's own
    written = len(lane.rows("SELECT 1 FROM audit"))
    lane.arrive(customer(email="a@example.com"))
    lane.deliver()
    assert len(lane.rows("SELECT 1 FROM audit")) == written  # nothing was written
    assert verified(lane.state).broken_at is None


def test_what_people_decide_is_in_the_same_chain(lane: OperationalEnd) -> None:
    lane.arrive(address(key="a1"), address(key="a2"))
    lane.deliver()
    with lane.dead_letters() as letters:
        letters.close_records(["customer:shop:a1"], Closed.WAIVED, by="Ann", why="gone")
        letters.replay(Selection(record_ids=["customer:shop:a1"]), by="Bob")
    assert [(one.actor, one.action, one.note) for one in entries_of(lane, "customer:shop:a1")] == [
        ("Ann", "waived", "gone"),
        ("Bob", "replayed", None),
    ]
    assert verified(lane.state).entries == 2


def test_the_first_entry_that_was_changed_removed_or_put_in_is_named(lane: OperationalEnd) -> None:
    lane.arrive(*(customer(key=f"c{number}") for number in range(6)))
    lane.deliver()
    whole = verified(lane.state)
    assert (whole.entries, whole.broken_at) == (6, None)
    with psycopg.connect(lane.state.connection.dsn, autocommit=True) as connection:
        connection.execute("SET search_path TO causeway")
        for statement in ("UPDATE audit SET actor = 'me'", "DELETE FROM audit", "TRUNCATE audit"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="only ever added to"):
                connection.execute(statement.encode())
        # An owner of the table can take the trigger off: the chain shows what was done then.
        connection.execute("ALTER TABLE audit DISABLE TRIGGER append_only")
        for change, broken_at, why in (
            ("UPDATE audit SET fields = '{}' WHERE entry = 3", 3, "does not say what it said"),
            ("UPDATE audit SET at = at + interval '1 microsecond' WHERE entry = 2", 2, "does not say"),
            ("DELETE FROM audit WHERE entry = 4", 5, "entry 4 is missing"),
            ("UPDATE audit SET previous = repeat('1', 32) WHERE entry = 6", 6, "the hash of the entry before"),
            ("INSERT INTO audit SELECT (jsonb_populate_record(a, '{\"entry\": 7}')).* FROM audit a WHERE entry = 6", 7, "before"),
        ):  # fmt: skip
            with connection.transaction(force_rollback=True):
                connection.execute(change.encode())
                found = audit.verify(connection)
                assert found.broken_at == broken_at, change
                assert why in found.problem
        connection.execute("DELETE FROM audit WHERE entry > 4")
    assert verified(lane.state).broken_at is None
    cut = verified(lane.state, (6, whole.last_hash))
    assert (cut.broken_at, cut.last_entry) == (5, 4)
    assert "was" in verified(lane.state, (4, whole.last_hash)).problem


def test_a_batch_that_fails_halfway_leaves_what_it_has_written_and_what_it_may_have(lane: OperationalEnd) -> None:
    lane.change_patience(0.5)
    lane.arrive(customer(), product(), order(), line())
    lane.odoo.faults.add(Fault(kind="drop_reply", model="sale.order", method="action_confirm"))
    lane.deliver_all()
    noted = [(one.action, one.note) for one in entries_of(lane, "sales_order:shop:o1")]
    assert any(action == "action_confirm" and note and "was lost" in note for action, note in noted)
    assert verified(lane.state).broken_at is None


def test_several_deliverers_write_one_chain(lane: OperationalEnd) -> None:
    lane.odoo_settings = lane.odoo_settings.model_copy(update={"batch_records": 5})
    lane.arrive(*(customer(key=f"c{number}") for number in range(60)), *(product(key=f"p{n}") for n in range(60)))
    with closing(lane.new_deliverer()) as one, closing(lane.new_deliverer()) as other:
        threads = [threading.Thread(target=each.run_once) for each in (one, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    lane.deliver()
    assert verified(lane.state).broken_at is None
    assert len(lane.rows("SELECT DISTINCT record_id FROM audit WHERE record_id IS NOT NULL")) == 120
