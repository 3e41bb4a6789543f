"""Where changes are cut so that every moved row finds its old row in the mirror."""

from __future__ import annotations

import pytest

from tests.integration.warehouse.source_table import Change, delete, insert, move, relation, table_changes, update
from warehouse.names import MirrorTable
from warehouse.toast import independent_parts, with_flags

ORDERS = relation()
MIRROR = MirrorTable("shop", ORDERS)
LACKING = move({"id": "1"}, "big", id="9", name="a")
WHOLE = move({"id": "1"}, id="9", name="a", big="A")


@pytest.mark.parametrize(
    ("changes", "sizes"),
    [
        ([update(id="1"), update("big", id="1"), delete(id="2")], [3]),
        ([update(id="2"), *LACKING, update("big", id="9")], [4]),
        ([update(id="1"), *WHOLE], [3]),
        ([update(id="1"), *LACKING], [1, 2]),
        ([*LACKING, *move({"id": "9"}, "big", id="10")], [2, 2]),
        ([*move({"id": "2"}, "big", id="3"), *LACKING], [4]),
        ([delete(id="1"), insert(id="1"), *LACKING, update(id="9"), *move({"id": "9"}, "big", id="1")], [2, 3, 2]),
    ],
)
def test_a_cut_is_made_only_where_an_old_key_was_touched_before(changes: list[Change], sizes: list[int]) -> None:
    parts = list(independent_parts(table_changes(ORDERS, changes), MIRROR))
    assert [part.rows.num_rows for part in parts] == sizes
    assert [seq for part in parts for seq in part.rows["_seq"].to_pylist()] == list(range(len(changes)))


def test_a_moved_row_names_the_delete_of_its_old_key() -> None:
    changes = table_changes(ORDERS, [insert(id="5"), *LACKING, update("big", id="5")], first_seq=10)
    flagged = with_flags(changes)
    assert flagged["_from_seq"].to_pylist() == [None, None, 11, None]
    assert flagged["_unchanged_0"].to_pylist() == [False, False, True, True]


def test_rows_with_all_their_values_get_no_flags() -> None:
    changes = table_changes(ORDERS, [insert(id="5", big="B"), *WHOLE])
    assert with_flags(changes).column_names == changes.rows.column_names
