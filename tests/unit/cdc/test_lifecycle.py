from __future__ import annotations

import pytest

from cdc.lifecycle import TRANSITIONS, ReaderEvent, ReaderState, advance
from config.errors import CausewayError, ErrorKind


@pytest.mark.parametrize("state", list(ReaderState))
@pytest.mark.parametrize("event", list(ReaderEvent))
def test_what_the_table_does_not_have_raises(state: ReaderState, event: ReaderEvent) -> None:
    if (state, event) in TRANSITIONS:
        assert advance(state, event) is TRANSITIONS[state, event]
        return
    with pytest.raises(CausewayError) as refused:
        advance(state, event)
    assert refused.value.kind is ErrorKind.INTERNAL


def test_every_state_can_be_closed_and_a_closed_reader_opened_again() -> None:
    for state in ReaderState:
        assert advance(advance(state, ReaderEvent.CLOSE), ReaderEvent.OPEN) is ReaderState.CHECKING
