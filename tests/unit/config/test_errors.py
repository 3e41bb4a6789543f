"""Every kind of error has a disposition, and an unknown one stops."""

from __future__ import annotations

from typing import cast

import pytest

from config.errors import CausewayError, Disposition, ErrorKind, disposition, in_our_words

EXPECTED = {
    ErrorKind.CONNECTION: Disposition.RETRY,
    ErrorKind.SLOT_IN_USE: Disposition.RETRY,
    ErrorKind.THROTTLED: Disposition.RETRY,
    ErrorKind.TRANSIENT: Disposition.RETRY,
    ErrorKind.UNKNOWN_OUTCOME: Disposition.RETRY,
    ErrorKind.WAITING: Disposition.PARK,
    ErrorKind.INVALID_RECORD: Disposition.DEAD_LETTER,
    ErrorKind.REFUSED: Disposition.DEAD_LETTER,
    ErrorKind.POLICY: Disposition.DEAD_LETTER,
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


def test_a_bug_is_named_by_its_place_and_never_by_its_words() -> None:
    try:
        int("4111 1111 1111 1111")
    except ValueError as error:
        bug = in_our_words(error)
    assert bug.kind is ErrorKind.INTERNAL
    assert str(bug).startswith(
        "a bug: ValueError in test_a_bug_is_named_by_its_place_and_never_by_its_words (test_errors.py,"
    )
    assert "4111" not in str(bug)


def test_the_bridges_own_errors_stay_as_they_are() -> None:
    error = CausewayError(ErrorKind.GAP, "behind")
    assert in_our_words(error) is error
