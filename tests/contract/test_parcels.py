"""Parcels: what a transfer is labelled with, and shipping from another place than it was planned from."""

from __future__ import annotations

from tests.contract.client import Values
from tests.contract.sales import Sales

_LABEL = ("carrier_tracking_ref", "carrier_id", "state")


def test_transfers_are_labelled_in_one_load_by_their_ids(sales: Sales) -> None:
    odoo = sales.odoo
    pickings = [sales.pickings(sales.order(key, ("mug", "2", "4")))[0]["id"] for key in ("a", "b")]
    rows = [[str(picking), f"TRACK-{picking}"] for picking in pickings]
    assert odoo.load("stock.picking", ".id carrier_tracking_ref", *rows)["ids"] == pickings
    assert [_label(sales, picking)["carrier_tracking_ref"] for picking in pickings] == [
        f"TRACK-{picking}" for picking in pickings
    ]


def test_what_has_shipped_keeps_its_label_and_the_backorder_has_none(sales: Sales) -> None:
    order = sales.order("o", ("mug", "5", "4"))
    first = sales.pickings(order)[0]["id"]
    sales.odoo.call("stock.picking", "write", [first], {"carrier_tracking_ref": "TRACK-1"})
    sales.pick(sales.moves(order)[0]["id"], 2)
    sales.validate(first, skip_backorder=True)
    assert [_label(sales, one["id"])["carrier_tracking_ref"] for one in sales.pickings(order)] == ["TRACK-1", False]


def test_a_done_transfer_is_labelled_and_gets_its_carrier(sales: Sales) -> None:
    odoo = sales.odoo
    order = sales.order("o", ("mug", "2", "4"))
    picking = sales.pickings(order)[0]["id"]
    sales.validate(picking)
    columns = "id name product_id/id delivery_type fixed_price"
    row = [odoo.name("carrier"), f"Carrier {odoo.prefix}", odoo.name("freight"), "fixed", "5"]
    [carrier] = odoo.loaded("delivery.carrier", columns, row)
    before = sales.state(order)
    assert (
        odoo.call("stock.picking", "write", [picking], {"carrier_tracking_ref": "T-2", "carrier_id": carrier}) is True
    )
    label = _label(sales, picking)
    assert (label["carrier_tracking_ref"], label["carrier_id"][0], label["state"]) == ("T-2", carrier, "done")
    assert sales.state(order) == before


def test_an_open_transfer_is_moved_to_another_place_and_reserved_there(sales: Sales) -> None:
    odoo = sales.odoo
    sales.count("stored", 3)
    order = sales.order("o", ("stored", "3", "7"), ("mug", "1", "4"))
    [picking] = sales.pickings(order)
    [row] = odoo.find("stock.location", ["complete_name", "=", "WH/Stock"], fields=("location_id",))
    columns = "id name usage location_id/.id"
    [place] = odoo.loaded(
        "stock.location", columns, [odoo.name("annex"), f"Annex {odoo.prefix}", "internal", str(row["location_id"][0])]
    )
    assert odoo.call("stock.picking", "write", [picking["id"]], {"location_id": place}) is True
    moves = odoo.find(
        "stock.move", ["picking_id", "=", picking["id"]], fields=("location_id", "quantity", "state", "picked")
    )
    assert [(move["location_id"][0], move["quantity"], move["state"]) for move in moves] == [
        (place, 0.0, "confirmed"),
        (place, 1.0, "assigned"),
    ]
    for move in moves:
        sales.pick(move["id"], 1)
    assert sales.validate(picking["id"], skip_backorder=True) is True
    quants = odoo.find(
        "stock.quant",
        ["product_id", "=", sales.product("stored")],
        ["location_id.usage", "=", "internal"],
        fields=("location_id", "quantity", "reserved_quantity"),
    )
    assert {(quant["location_id"][0], quant["quantity"], quant["reserved_quantity"]) for quant in quants} == {
        (row["id"], 3.0, 0.0),
        (place, -1.0, 0.0),
    }


def _label(sales: Sales, picking: int) -> Values:
    return sales.odoo.read("stock.picking", picking, *_LABEL)
