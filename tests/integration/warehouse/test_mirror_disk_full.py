"""A disk that fills up under DuckDB's file: the lane is told so in the bridge's words, and what was committed is there."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from config.errors import CausewayError, ErrorKind
from config.settings import WarehouseSettings
from tests.integration.warehouse.source_table import batch, snapshot
from tests.integration.warehouse.stream_lines import LINES, lines
from warehouse.mirror import Mirror
from warehouse.store import Warehouse

ROWS = 5_000


@contextmanager
def files_of_at_most(size_bytes: int) -> Iterator[None]:
    """Let every write behind `size_bytes` of a file fail, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def fill(warehouse: Warehouse) -> tuple[int, CausewayError]:
    """Apply batches until one fails; return how many did not, and the failure."""
    mirror = Mirror(warehouse)
    mirror.begin_snapshot("shop", [LINES])
    mirror.apply(snapshot(1))
    with files_of_at_most(3 * 2**20):
        for number in range(100):
            try:
                mirror.apply(batch(number + 2, lines(number * ROWS, ROWS)))
            except CausewayError as error:
                mirror.rollback()
                mirror.close()
                return number, error
    raise AssertionError("the disk never filled up")


@pytest.mark.parametrize(
    ("checkpoint", "kind"),
    [("1MB", ErrorKind.WAREHOUSE), ("1GB", ErrorKind.TRANSIENT)],
    ids=["at a checkpoint, after which DuckDB wants its file opened again", "at a commit"],
)
def test_what_was_committed_is_there_when_the_disk_has_room_again(
    warehouse_settings: WarehouseSettings, checkpoint: str, kind: ErrorKind
) -> None:
    warehouse = Warehouse.open(warehouse_settings)
    warehouse.cursor().execute(f"SET checkpoint_threshold = '{checkpoint}'")
    applied, failure = fill(warehouse)
    warehouse.close()
    assert failure.kind is kind
    with Warehouse.open(warehouse_settings) as again:
        mirror = Mirror(again)
        position = mirror.position("shop")
        assert position is not None
        stored = position.lsn - 1  # the batch that failed may be there or not, but whole and with its position
        assert stored in (applied, applied + 1)
        assert again.cursor().execute("SELECT count(*) FROM shop.order_lines").fetchone() == (stored * ROWS,)
        mirror.close()
