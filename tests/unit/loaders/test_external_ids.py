"""External ids that load() takes, one for each canonical id."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from loaders.external_ids import external_id


def test_what_load_would_read_as_something_else_is_written_as_hex() -> None:
    assert external_id("cw", "customer:shop:12") == "cw.customer~3Ashop~3A12"
    assert external_id("cw", "a.b,c d~/ü") == "cw.a~2Eb~2Cc~20d~7E~2F~C3~BC"


@given(st.text(min_size=1), st.text(min_size=1))
def test_different_things_have_different_names(one: str, other: str) -> None:
    try:
        names = external_id("cw", one), external_id("cw", other)
    except UnicodeEncodeError:  # a lone surrogate is no text that a database keeps
        return
    assert (names[0] == names[1]) == (one == other)
    assert names[0].count(".") == 1
    assert "," not in names[0]
