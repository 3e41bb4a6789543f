"""Every kind of error has a disposition, and an unknown one stops."""

from __future__ import annotations

from typing import cast

import pytest

from config.errors import CausewayError, Disposition, ErrorKind, disposition

EXPECTED = {
    ErrorKind.CONNECTION: Disposition.RETRY,
    ErrorKind.SLOT_IN_USE: Disposition.RETRY,
    ErrorKind.THROTTLED: Disposition.RETRY,
    ErrorKind.TRANSIENT: Disposition.RETRY,
    ErrorKind.UNKNOWN_OUTCOME: Disposition.RETRY,
    ErrorKind.WAITING: Disposition.PARK,
    ErrorKind.INVALID_RECORD: Disposition.DEAD_LETTER,
    ErrorKind.REFUSED: Disposition.DEAD_LETTER,
}


@pytest.mark.parametrize("kind", list(ErrorKind))
def test_each_kind_has_its_disposition_and_all_others_stop(kind: ErrorKind) -> None:
    assert disposition(kind) is EXPECTED.get(kind, Disposition.STOP)


def test_an_unknown_kind_stops() -> None:
    assert disposition(cast("ErrorKind", "made_up")) is Disposition.STOP


def test_an_error_prints_its_message_and_what_to_do() -> None:
    error = CausewayError(ErrorKind.GAP, "Slot s is behind.", hint="Rebuild it.", slot="s", table=None)
    assert str(error) == "Slot s is behind. Rebuild it."
    assert error.objects == {"slot": "s"}
    assert error.disposition is Disposition.STOP
