"""Odoo's own log has the last word: it confirms what was delivered, keeps the crosswalk true, and shows what somebody has changed."""

from __future__ import annotations

import json
import threading

import pytest
from psycopg.conninfo import make_conninfo
from typer.testing import CliRunner

from causeway.cli import app
from causeway.confirming import Confirming
from causeway.preflight import run_checks
from causeway.slot_plans import plan_source
from causeway.slot_report import slot_rows
from config.settings import CaptureSettings, Connection, Lane
from loaders.confirming import confirmations
from loaders.confirming.confirmed import ConfirmedCounter
from loaders.confirming.drift import list_drift
from loaders.delivering.outcomes import Outcomes
from tests.fixtures.delivery import OperationalEnd, customer, deleted, line, order, product, shipment, shipment_line
from tests.fixtures.odoo_log import OdooLog

CUSTOMER = "customer:shop:c1"
_PARTNER = "id = (SELECT res_id FROM ir_model_data WHERE module = 'cw' AND name LIKE 'customer%')"


def odoo_id(lane: OperationalEnd, record: str) -> int:
    return int(lane.rows("SELECT odoo_id FROM crosswalk WHERE canonical_id = %s", record)[0][0])


def test_what_was_delivered_is_confirmed_when_its_rows_come_back(odoo_log: OdooLog, lane: OperationalEnd) -> None:
    lane.arrive(product(), customer(vat="DE123456789"), order(), line(), shipment(), shipment_line())
    lane.deliver()
    assert CUSTOMER in odoo_log.unconfirmed()
    odoo_log.read()
    assert odoo_log.unconfirmed() == []
    assert odoo_log.drift() == {}
    confirmed = lane.rows(
        "SELECT record_id FROM deliveries WHERE confirmed_lsn > '0/0' AND committed_at < arrived_at"
        " AND arrived_at < finished_at AND finished_at < confirmed_at"
    )
    assert {CUSTOMER, "product:shop:p1", "sales_order:shop:o1", "sales_order_line:shop:o1-1"} <= {
        r for (r,) in confirmed
    }
    counted = ConfirmedCounter(lane.state)
    assert counted.count().unconfirmed == counted.count().drift == 0
    assert set(counted.count().latency_s) == {"captured", "delivered", "confirmed", "whole"}
    assert counted.totals() == (len(confirmed), 0)
    counted.close()


def test_a_row_that_comes_back_before_its_delivery_is_recorded_confirms_it_all_the_same(
    odoo_log: OdooLog, lane: OperationalEnd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Odoo's log is read between its answer and the outcome; then somebody has written over ours already."""
    write = Outcomes.write

    def later(self: Outcomes, *arguments: object) -> None:
        odoo_log.change(f"UPDATE res_partner SET phone = '7', write_uid = 1 WHERE {_PARTNER}")
        write(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Outcomes, "write", later)
    lane.arrive(customer(phone="5"))
    lane.deliver()
    assert odoo_log.unconfirmed() == []
    assert odoo_log.drift() == {(CUSTOMER, "phone"): ("5", "7")}


def test_what_somebody_changes_in_odoo_is_drift_until_both_agree(odoo_log: OdooLog, lane: OperationalEnd) -> None:
    lane.arrive(product(), customer(phone="5", email="a@example.com"), order(), line())
    odoo_log.deliver()
    odoo_log.change(
        f"UPDATE res_partner SET phone = '7', comment = 'a good one' WHERE {_PARTNER}",
        "UPDATE sale_order SET state = 'cancel'",
        "UPDATE sale_order_line SET product_uom_qty = 2.00, price_unit = 9",
    )
    changed = {
        (CUSTOMER, "phone"): ("5", "7"),
        ("sales_order:shop:o1", "state"): ("sale", "cancel"),
        ("sales_order_line:shop:o1-1", "price_unit"): ("9.5", "9"),
    }
    assert odoo_log.drift() == changed
    (one,) = list_drift(lane.state, CUSTOMER)
    assert (one.model, one.odoo_id, one.as_dict()["theirs"]) == ("res.partner", odoo_id(lane, CUSTOMER), "7")
    odoo_log.change(f"UPDATE res_partner SET email = 'b@example.com' WHERE {_PARTNER}")
    assert odoo_log.drift() == changed | {(CUSTOMER, "email"): ("a@example.com", "b@example.com")}
    odoo_log.change(f"UPDATE res_partner SET phone = '5' WHERE {_PARTNER}")
    assert (CUSTOMER, "phone") not in odoo_log.drift()
    # The channel's next word goes over it, and is no drift itself.
    lane.arrive(customer(phone="6", email="a@example.com"))
    odoo_log.deliver()
    assert CUSTOMER not in {record for record, _ in odoo_log.drift()}
    # Nor is anything of what the channel has no more.
    odoo_log.change(f"UPDATE res_partner SET phone = '8' WHERE {_PARTNER}")
    assert (CUSTOMER, "phone") in odoo_log.drift()
    lane.arrive(deleted("customer", "shop", "c1"))
    odoo_log.deliver()
    odoo_log.change(f"UPDATE res_partner SET phone = '9', active = true WHERE {_PARTNER}")
    assert CUSTOMER not in {record for record, _ in odoo_log.drift()}


def test_a_field_that_another_owns_is_no_drift(odoo_log: OdooLog, lane: OperationalEnd) -> None:
    odoo_log.owned_by(phone="odoo", postcode="market", email="shop")
    lane.arrive(customer(phone="5", postcode="1", email="a@example.com"))
    odoo_log.deliver()
    odoo_log.change(f"UPDATE res_partner SET phone = '7', zip = '2', email = 'b@example.com' WHERE {_PARTNER}")
    assert odoo_log.drift() == {(CUSTOMER, "email"): ("a@example.com", "b@example.com")}


def test_what_odoo_makes_of_a_value_is_confirmed_and_no_drift(odoo_log: OdooLog, lane: OperationalEnd) -> None:
    """Odoo rewords: our own user's row is what we wrote, whatever it says; from then on that is what somebody may change."""
    with_trigger = (
        "CREATE FUNCTION spaced() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.phone := '+' || NEW.phone; RETURN NEW; END $$",
        "CREATE TRIGGER spaced BEFORE INSERT ON res_partner FOR EACH ROW EXECUTE FUNCTION spaced()",
    )
    odoo_log.change(*with_trigger)
    lane.arrive(customer(phone="5"))
    odoo_log.deliver()
    assert odoo_log.unconfirmed() == []
    odoo_log.change(f"UPDATE res_partner SET comment = 'a good one' WHERE {_PARTNER}")
    assert odoo_log.drift() == {}
    odoo_log.change(f"UPDATE res_partner SET phone = '7' WHERE {_PARTNER}")
    assert odoo_log.drift() == {(CUSTOMER, "phone"): ("+5", "7")}


def test_what_odoo_changes_along_with_a_record_of_ours_is_no_drift(odoo_log: OdooLog, lane: OperationalEnd) -> None:
    """As it does with the VAT numbers of a company's contacts."""
    odoo_log.change(
        "CREATE FUNCTION along() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " UPDATE res_partner SET phone = NEW.phone, write_uid = NEW.write_uid WHERE name = 'Bcme'; RETURN NULL; END $$",
        "CREATE TRIGGER along AFTER UPDATE ON res_partner FOR EACH ROW WHEN (NEW.name = 'Acme') EXECUTE FUNCTION along()",
    )
    lane.arrive(customer(phone="5"), customer(key="c2", name="Bcme", phone="1"))
    odoo_log.deliver()
    lane.arrive(customer(phone="6"))
    odoo_log.deliver()
    assert lane.odoo_rows("SELECT phone FROM res_partner WHERE name = 'Bcme'") == [("6",)]
    assert (odoo_log.drift(), odoo_log.unconfirmed()) == ({}, [])
    odoo_log.change("UPDATE res_partner SET phone = '7' WHERE name = 'Bcme'")
    assert odoo_log.drift() == {("customer:shop:c2", "phone"): ("6", "7")}


def test_a_delivery_that_a_newer_one_has_overtaken_is_confirmed_with_it(
    odoo_log: OdooLog, lane: OperationalEnd
) -> None:
    for phone in ("5", "6"):
        lane.arrive(customer(phone=phone))
        lane.deliver()
    lane.rows(
        'UPDATE deliveries SET expected = expected || \'{"phone": "4", "state": "x"}\' WHERE delivery_id = 1 RETURNING 1'
    )
    odoo_log.read()
    assert odoo_log.unconfirmed() == []
    assert lane.rows("SELECT count(DISTINCT confirmed_lsn) FROM deliveries") == [(1,)]


def test_a_record_that_is_deleted_in_odoo_is_looked_at_again(odoo_log: OdooLog, lane: OperationalEnd) -> None:
    lane.arrive(customer())
    odoo_log.deliver()
    first = odoo_id(lane, CUSTOMER)
    odoo_log.change(
        f"DELETE FROM res_partner WHERE {_PARTNER}",
        "DELETE FROM ir_model_data WHERE module = 'cw' AND model = 'res.partner'",
    )
    assert lane.rows("SELECT * FROM crosswalk") == []
    assert lane.status(CUSTOMER) == "pending"
    assert odoo_log.drift() == {(CUSTOMER, "id"): (str(first), None)}
    odoo_log.deliver()
    assert odoo_id(lane, CUSTOMER) != first
    assert (lane.status(CUSTOMER), odoo_log.drift(), odoo_log.unconfirmed()) == ("delivered", {}, [])
    # What the channel has deleted, too, stays away.
    lane.arrive(deleted("customer", "shop", "c1"))
    odoo_log.deliver()
    odoo_log.change("DELETE FROM res_partner WHERE NOT active AND name = 'Acme'")
    assert (lane.status(CUSTOMER), lane.rows("SELECT * FROM crosswalk")) == ("delivered", [])


def test_names_in_odoo_bind_and_bind_anew(odoo_log: OdooLog, lane: OperationalEnd) -> None:
    lane.arrive(customer(), customer(key="c2", name="Bcme"), product())
    odoo_log.deliver()
    before = lane.rows("SELECT canonical_id, entity, model, external_id, odoo_id FROM crosswalk ORDER BY 1")
    # Two partners become one, as Odoo's own wizard does it.
    odoo_log.change(
        f"UPDATE ir_model_data SET res_id = {odoo_id(lane, CUSTOMER)} WHERE module = 'cw' AND res_id = {odoo_id(lane, 'customer:shop:c2')}"
        " AND model = 'res.partner'",
        f"DELETE FROM res_partner WHERE id = {odoo_id(lane, 'customer:shop:c2')}",
    )
    assert odoo_id(lane, "customer:shop:c2") == odoo_id(lane, CUSTOMER)
    assert lane.status("customer:shop:c2") == "delivered"
    # A name that is taken away while its record stays is told: load() would make a second record.
    odoo_log.change("DELETE FROM ir_model_data WHERE module = 'cw' AND model = 'product.product'")
    assert [name for _, name in odoo_log.drift()] == ["external_id"]
    assert lane.status("product:shop:p1") == "delivered"
    # A crosswalk that was lost comes back with a new slot.
    odoo_log.change(
        "INSERT INTO ir_model_data (module, name, model, res_id) SELECT 'cw', 'product~3Ashop~3Ap1', 'product.product', max(id) FROM product_product"
    )
    assert odoo_log.drift() == {}
    lane.rows("DELETE FROM crosswalk RETURNING 1")
    lane.rows(
        "INSERT INTO crosswalk VALUES ('product:shop:p7', 'product', 'product.product', 'cw.product~3Ashop~3Ap7', 7, '-infinity') RETURNING 1"
    )
    lane.rows("DELETE FROM positions WHERE source = 'odoo' RETURNING 1")
    lane.odoo_rows(
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database()"
    )
    odoo_log.read()
    after = lane.rows("SELECT canonical_id, entity, model, external_id, odoo_id FROM crosswalk ORDER BY 1")
    assert [row[:4] for row in after] == [row[:4] for row in before]


def test_a_batch_that_is_not_committed_is_applied_once_all_the_same(
    odoo_log: OdooLog, lane: OperationalEnd, monkeypatch: pytest.MonkeyPatch
) -> None:
    lane.arrive(customer())
    lane.deliver()
    position = lane.rows("SELECT lsn FROM positions WHERE source = 'odoo'")
    with monkeypatch.context() as broken:
        broken.setattr(confirmations.Confirmations, "_store_position", lambda *_: 1 / 0)
        Confirming(odoo_log.settings, threading.Event()).catch_up()
    assert (odoo_log.unconfirmed(), lane.rows("SELECT lsn FROM positions WHERE source = 'odoo'")) == (
        [CUSTOMER],
        position,
    )
    odoo_log.read()
    assert odoo_log.unconfirmed() == []


def test_without_odoos_database_deliveries_are_read_back(odoo_log: OdooLog, lane: OperationalEnd) -> None:
    lane.arrive(product(), customer(phone="5"), customer(key="c2", name="Bcme"), order(), line())
    lane.deliver()
    assert "sales_order:shop:o1" in odoo_log.unconfirmed()
    odoo_log.change(
        "UPDATE res_partner SET phone = '7', write_uid = 1 WHERE name = 'Acme'",
        "DELETE FROM res_partner WHERE name = 'Bcme'",
        read=False,
    )
    lane.delivery = lane.delivery.model_copy(update={"read_back_s": 0.001})
    again = lane.new_deliverer()
    again.run_once()
    again.close()
    assert odoo_log.unconfirmed() == [CUSTOMER, "customer:shop:c2"]
    assert odoo_log.drift().keys() == {(CUSTOMER, "phone"), ("customer:shop:c2", "id")}
    assert lane.status("customer:shop:c2") == "pending"
    read_back = "SELECT count(*) FROM deliveries WHERE confirmed_at IS NOT NULL AND confirmed_lsn IS NULL"
    assert lane.rows(read_back) == [(3,)]
    asked = lane.rows("SELECT read_at FROM deliveries WHERE record_id = %s", CUSTOMER)
    again = lane.new_deliverer()
    again.run_once()  # makes Bcme again
    again.close()
    # An hour has not passed.
    assert asked == lane.rows("SELECT read_at FROM deliveries WHERE record_id = %s", CUSTOMER)
    odoo_log.read()  # the log tells more: ours was there, and then theirs
    assert odoo_log.unconfirmed() == []
    assert odoo_log.drift().keys() == {(CUSTOMER, "phone")}


def test_a_role_of_least_privilege_confirms_by_what_the_plan_prints(odoo_log: OdooLog, lane: OperationalEnd) -> None:
    role = f"role_{lane.odoo.database}"
    source = odoo_log.settings.sources["odoo"]
    odoo_log.end()
    odoo_log.change("ALTER TABLE ir_model_data REPLICA IDENTITY DEFAULT", read=False)
    planned = source.model_copy(update={"connection": Connection(dsn=make_conninfo(lane.odoo_dsn, user=role))})
    odoo_log.settings = odoo_log.settings.model_copy(update={"sources": {"odoo": planned}})

    def plan() -> list[str]:
        return [
            step.statement for step in plan_source(odoo_log.settings, "odoo", Lane.OPERATIONAL, lane.odoo_dsn).steps
        ]

    statements = plan()
    try:
        odoo_log.change(*(one for one in statements if "replication_slot" not in one), read=False)
        assert [one for one in statements if "SELECT ON" in one] == [
            f'GRANT SELECT ON TABLE "public"."ir_model_data" TO "{role}"'
        ]
        (identity,) = (one for one in statements if "REPLICA IDENTITY" in one)
        assert identity.endswith('USING INDEX "ir_model_data_module_name_uniq_index"')
        (publication,) = (one for one in statements if "PUBLICATION" in one)
        assert "WHERE (module = 'cw')" in publication
        lane.arrive(product(), customer(), order(), line())
        odoo_log.read()
        odoo_log.deliver()
        assert odoo_log.unconfirmed() == []
        assert plan() == []
        (slot,) = (row for row in slot_rows(odoo_log.settings, "odoo") if row.lane == Lane.OPERATIONAL)
        assert (slot.slot, slot.state) == (odoo_log.slot, "reserved")
        (finding,) = (one for one in run_checks(odoo_log.settings) if one.subject == "source odoo: operational slot")
        assert finding.ok, finding.message
        odoo_log.change(f"ALTER PUBLICATION {odoo_log.slot} DROP TABLE ONLY sale_order", read=False)
        (finding,) = (one for one in run_checks(odoo_log.settings) if one.subject == "source odoo: operational slot")
        assert "misses public.sale_order" in finding.message
        assert [one for one in plan() if "PUBLICATION" in one]
    finally:
        odoo_log.end()
        odoo_log.change(f"DROP OWNED BY {role}", f"DROP ROLE {role}", read=False)


def test_an_odoo_database_that_is_away_holds_nothing_back(odoo_log: OdooLog, lane: OperationalEnd) -> None:
    source = odoo_log.settings.sources["odoo"]
    away = source.model_copy(update={"connection": Connection(dsn="host=/nowhere", connect_timeout_s=1)})
    capture = CaptureSettings(reconnect_first_s=0.01)
    settings = odoo_log.settings.model_copy(update={"sources": {"odoo": away}, "capture": capture})
    stop = threading.Event()
    confirming = Confirming(settings, stop)
    confirming.catch_up()  # gives up
    confirming.begin()  # goes on trying
    lane.arrive(customer())
    lane.deliver()
    stop.set()
    confirming.end()
    assert confirming.progress["odoo"].state == "waiting"
    assert lane.status(CUSTOMER) == "delivered"
    odoo_log.read()
    assert odoo_log.unconfirmed() == []


def test_the_command_lists_drift_and_says_so_by_its_exit_code(odoo_log: OdooLog, lane: OperationalEnd) -> None:
    config = odoo_log.write_settings()
    lane.arrive(customer(phone="5"))
    odoo_log.deliver()
    assert CliRunner().invoke(app, ["drift", "list", "--config", config]).exit_code == 0
    odoo_log.change(f"UPDATE res_partner SET phone = '7' WHERE {_PARTNER}")
    found = CliRunner().invoke(app, ["drift", "list", "--config", config, "--json", "--record", CUSTOMER])
    (one,) = json.loads(found.stdout)
    assert (found.exit_code, one["field"], one["ours"], one["theirs"]) == (1, "phone", "5", "7")
    assert "phone" in CliRunner().invoke(app, ["drift", "list", "--config", config]).stdout
