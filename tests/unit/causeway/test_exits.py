"""Every kind of error ends a command with a documented exit code, never with 0."""

from __future__ import annotations

import pytest

from causeway.exits import Exit, exit_code
from config.errors import ErrorKind


@pytest.mark.parametrize("kind", list(ErrorKind))
def test_no_error_ends_in_success(kind: ErrorKind) -> None:
    assert exit_code(kind) not in (Exit.OK, Exit.FOUND)


def test_wrong_settings_and_passing_trouble_are_told_apart() -> None:
    assert exit_code(ErrorKind.SETTINGS) is Exit.SETTINGS
    assert exit_code(ErrorKind.CONNECTION) is Exit.UNAVAILABLE
    assert exit_code(ErrorKind.GAP) is Exit.REFUSED
