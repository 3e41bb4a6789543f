"""Calls to Odoo as what they have written: records, fields, values."""

from __future__ import annotations

from typing import Any

import pytest

from loaders.money.journal import Journal, Write

ROWS = [["x.1", "Bolt"], ["x.2", "Nut"]]


@pytest.mark.parametrize(
    ("method", "args", "answer", "written"),
    [
        (
            "load",
            [["id", "name"], ROWS],
            {"ids": [7, 8], "messages": []},
            [(7, {"id": "x.1", "name": "Bolt"}), (8, {"id": "x.2", "name": "Nut"})],
        ),
        ("load", [["id", "name"], ROWS], {"ids": False, "messages": [{"message": "no"}]}, []),
        ("create", [{"name": "Bolt"}], 7, [(7, {"name": "Bolt"})]),
        ("create", [[{"name": "Bolt"}, {"name": "Nut"}]], [7, 8], [(7, {"name": "Bolt"}), (8, {"name": "Nut"})]),
        ("write", [[7, 8], {"active": False}], True, [(7, {"active": False}), (8, {"active": False})]),
        ("action_confirm", [[7, 8]], None, [(7, {}), (8, {})]),
        ("do_something", ["else"], None, [(None, {})]),
    ],
)
def test_a_call_is_told_apart_into_records_and_fields(
    method: str, args: list[Any], answer: Any, written: list[tuple[int | None, dict[str, Any]]]
) -> None:
    journal = Journal()
    journal.note("product.product", method, args, answer)
    assert journal.take() == [
        Write(model="product.product", odoo_id=odoo_id, method=method, fields=fields) for odoo_id, fields in written
    ]
    assert journal.take() == []


def test_what_was_loaded_with_a_record_is_told_apart_from_it() -> None:
    journal = Journal()
    columns = ["id", "name", "partner_id/id", "order_line/id", "order_line/price_unit"]
    rows = [["x.1", "A", "x.c", "x.1_1", "2"], ["", "", "", "x.1_2", "3"], ["x.2", "B", "x.c", "x.2_1", "4"]]
    journal.note("sale.order", "load", [columns, rows], {"ids": [7, 8], "messages": []})
    assert [(one.odoo_id, one.part, one.fields) for one in journal.take()] == [
        (7, None, {"id": "x.1", "name": "A", "partner_id/id": "x.c"}),
        (7, "x.1_1", {"id": "x.1_1", "price_unit": "2"}),
        (7, "x.1_2", {"id": "x.1_2", "price_unit": "3"}),
        (8, None, {"id": "x.2", "name": "B", "partner_id/id": "x.c"}),
        (8, "x.2_1", {"id": "x.2_1", "price_unit": "4"}),
    ]


@pytest.mark.parametrize(
    ("method", "args", "ids"),
    [("load", [["id", "name"], ROWS], [None, None]), ("create", [{"name": "B"}], [None]), ("write", [[7], {}], [7])],
)
def test_a_call_whose_answer_was_lost_is_noted_as_uncertain(
    method: str, args: list[Any], ids: list[int | None]
) -> None:
    journal = Journal()
    journal.note_lost("product.product", method, args)
    taken = journal.take()
    assert [one.odoo_id for one in taken] == ids
    assert not any(one.is_certain for one in taken)
