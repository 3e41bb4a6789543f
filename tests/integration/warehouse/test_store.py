"""Opening the warehouse: each thing that can be in the way is named in one line, with what to do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from config.errors import CausewayError, ErrorKind
from config.settings import WarehouseSettings
from warehouse import store
from warehouse.store import Warehouse, translate


def settings(path: Path) -> WarehouseSettings:
    return WarehouseSettings(path=path, extracts=path.parent / "extracts")


def refusal(path: Path, *, read_only: bool = False) -> CausewayError:
    with pytest.raises(CausewayError) as raised:
        Warehouse.open(settings(path), read_only=read_only)
    assert raised.value.kind is ErrorKind.WAREHOUSE
    assert raised.value.hint
    assert "\n" not in str(raised.value)
    return raised.value


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds held.duckdb."""
    program = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", program, str(tmp_path / "held.duckdb")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


@pytest.mark.parametrize("read_only", [False, True])
def test_a_file_held_by_another_process_names_its_pid(
    tmp_path: Path, holder: subprocess.Popen[bytes], read_only: bool
) -> None:
    error = refusal(tmp_path / "held.duckdb", read_only=read_only)
    assert f"held by another process, PID {holder.pid}" in error.message
    assert error.objects["pid"] == str(holder.pid)


def test_a_file_of_something_else_is_named_and_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("not a database\n" * 1000)
    assert refusal(file).message == f"{file} is not a DuckDB file."
    assert file.read_text() == "not a database\n" * 1000


def test_a_folder_in_place_of_the_file_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path).message.startswith(f"The warehouse {tmp_path} cannot be opened: Is a directory")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "folder" in refusal(tmp_path / "file" / "w.duckdb").message


def test_reading_what_was_never_written_says_who_writes_it(tmp_path: Path) -> None:
    error = refusal(tmp_path / "none.duckdb", read_only=True)
    assert "does not exist" in error.message
    assert not (tmp_path / "none.duckdb").exists()


def test_a_file_opened_for_reading_takes_no_writes(tmp_path: Path) -> None:
    Warehouse.open(settings(tmp_path / "w.duckdb")).close()
    with Warehouse.open(settings(tmp_path / "w.duckdb"), read_only=True) as warehouse, warehouse.cursor() as cursor:
        with pytest.raises(duckdb.InvalidInputException, match="read-only"):
            cursor.execute("DELETE FROM meta.positions")


def test_every_exception_of_the_driver_has_a_kind() -> None:
    raised = [value for value in vars(duckdb).values() if isinstance(value, type) and issubclass(value, duckdb.Error)]
    assert len(raised) > 20
    for driver in raised:
        error = translate(driver("words\nand values"), "testing", source="shop")
        assert "words" in error.message
        assert "values" not in error.message
    assert store.ERROR_KINDS[-1] == (duckdb.Error, ErrorKind.INTERNAL)
