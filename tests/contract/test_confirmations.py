"""Odoo's own log confirms what the bridge delivers, and shows what somebody changes there: on the stand-in, and on a real Odoo."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from loaders.confirming.confirmed import ConfirmedCounter
from tests.contract.client import Odoo
from tests.fixtures.delivery import OperationalEnd, customer, line, order, product, shipment, shipment_line
from tests.fixtures.odoo_log import OdooLog, open_log


@pytest.fixture
def log(bridge: OperationalEnd, odoo: Odoo, odoo_dsn: str, tmp_path: Path) -> Iterator[OdooLog]:
    """Of its slot, its publication and what these ask of a table nothing is left."""
    with psycopg.connect(odoo_dsn, autocommit=True) as connection:
        asked = "SELECT relreplident::text FROM pg_class WHERE oid = 'ir_model_data'::regclass"
        before = connection.execute(asked).fetchone()
        opened = open_log(bridge, odoo_dsn, odoo.prefix, tmp_path)
        yield opened
        opened.end()
        if before == ("d",):
            connection.execute("ALTER TABLE ir_model_data REPLICA IDENTITY DEFAULT")


def in_odoo(log: OdooLog, record: str) -> int:
    return int(log.lane.rows("SELECT odoo_id FROM crosswalk WHERE canonical_id = %s", record)[0][0])


def test_deliveries_are_confirmed_by_odoos_log_and_changes_in_odoo_are_seen(log: OdooLog, odoo: Odoo) -> None:
    lane = log.lane
    sku, phone = f"SKU-{odoo.prefix}", "+49 30 1234"
    lane.arrive(
        customer(name=f"Acme {odoo.prefix}", phone=phone),
        customer(key="c2", name=f"Bcme {odoo.prefix}"),
        product(sku=sku),
        order(),
        line(),
        order(key="o2", status="cancelled"),
        line(key="o2-1", order_key="o2"),
        order(key="o3", status="draft"),
        line(key="o3-1", order_key="o3"),
        shipment(),
        shipment_line(product_sku=sku),
    )
    log.deliver()
    assert set(lane.statuses().values()) == {"delivered"}
    assert (log.unconfirmed(), log.drift()) == ([], {})
    by_log = {record for (record,) in lane.rows("SELECT record_id FROM deliveries WHERE confirmed_lsn IS NOT NULL")}
    orders = {f"sales_order:shop:o{number}" for number in (1, 2, 3)}
    assert by_log >= orders | {"shipment:wms:s1", "product:shop:p1", "sales_order_line:shop:o1-1"}
    counter = ConfirmedCounter(lane.state)
    sys.stderr.write(f"{counter.count().latency_s}\n")
    counter.close()

    odoo.call("res.partner", "write", [in_odoo(log, "customer:shop:c1")], {"phone": "+49 30 99", "comment": "good"})
    odoo.call("sale.order.line", "write", [in_odoo(log, "sales_order_line:shop:o3-1")], {"price_unit": 7.5})
    odoo.call("sale.order", "write", [in_odoo(log, "sales_order:shop:o3")], {"state": "sent"})
    log.read()
    order_drift = {
        ("sales_order_line:shop:o3-1", "price_unit"): ("9.5", "7.5"),
        ("sales_order:shop:o3", "state"): ("draft", "sent"),
    }
    assert log.drift() == {("customer:shop:c1", "phone"): (phone, "+49 30 99")} | order_drift

    lane.arrive(customer(name=f"Acme {odoo.prefix}", phone="+49 30 5678"))
    log.deliver()
    assert log.drift() == order_drift

    gone = in_odoo(log, "customer:shop:c2")
    odoo.call("res.partner", "unlink", [gone])
    log.read()
    assert log.drift() == order_drift | {("customer:shop:c2", "id"): (str(gone), None)}
    log.deliver()
    assert in_odoo(log, "customer:shop:c2") != gone
    assert log.drift() == order_drift
