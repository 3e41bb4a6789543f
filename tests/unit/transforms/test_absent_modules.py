from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Any

import duckdb
import pytest

from transforms.absent_modules import note_absent_modules


class Searches:
    """Notes what Python looks for on its path."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def find_spec(self, name: str, *_: Any) -> None:
        self.names.append(name)


@pytest.mark.skipif(find_spec("pandas") is not None, reason="pandas is installed, and found at once")
def test_a_statement_with_parameters_searches_for_no_module(monkeypatch: pytest.MonkeyPatch) -> None:
    note_absent_modules()
    searches = Searches()
    with duckdb.connect() as connection:
        connection.execute("SELECT $a, $b", {"a": 1, "b": "x"}).fetchall()
        monkeypatch.setattr(sys, "meta_path", [searches, *sys.meta_path])
        assert connection.execute("SELECT $a, $b", {"a": 1, "b": "x"}).fetchall() == [(1, "x")]
    assert searches.names == []


def test_a_module_that_is_there_stays_there() -> None:
    note_absent_modules()
    assert sys.modules["sys"] is sys
    assert duckdb is sys.modules["duckdb"]
