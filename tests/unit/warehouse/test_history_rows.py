"""One LSN a transaction in a history, though its pieces know another than its end."""

from __future__ import annotations

from tests.integration.warehouse.source_table import insert, relation, table_changes
from warehouse.history_rows import stamped


def test_a_transaction_in_pieces_comes_behind_the_commit_that_ends_where_its_own_begins() -> None:
    pieces = table_changes(relation(), [insert(id="1"), insert(id="2")], lsn=100)
    later = table_changes(relation(), [insert(id="3")], lsn=130)
    first = stamped(pieces, base=False, in_pieces_since=100, first_seq=7).rows
    assert first["_lsn"].to_pylist() == [101, 101]
    assert first["_seq"].to_pylist() == [7, 8]
    assert stamped(later, base=False, in_pieces_since=100, first_seq=0).rows["_lsn"].to_pylist() == [130]
    assert stamped(later, base=True, in_pieces_since=None, first_seq=0).rows["_op"].to_pylist() == ["s"]
