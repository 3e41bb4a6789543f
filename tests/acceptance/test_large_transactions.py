"""Large transactions that are written at the same time, through a real analytical lane: each is visible at once, what was rolled back
is nowhere, and the lane's memory stays bounded.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from causeway.runfiles import RunFolder
from config.failpoints import VARIABLE
from config.settings import Lane
from tests.fixtures.bridge import Bridge
from tests.fixtures.rounds import Round

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

# In pieces of 5,000 rows, each of these transactions comes in more than ten.
ROWS = 40_000
BATCH_ROWS = 5_000
MOST_RSS_BYTES = 400 * 2**20
LANE = ("run", "--lane", "analytical", "--until-caught-up")


class Writer:
    """One large transaction, written bit by bit beside the others; `tag` is in the title of all that it has written."""

    def __init__(self, bridge: Bridge, tag: str, first: int) -> None:
        self._connection = bridge.server.connect("shop")
        self._tag, self._first = tag, first
        self.rows = 0

    def write_some(self, part: int) -> None:
        """Insert, update and delete in the rows of one part, and roll half of another one back."""
        connection, size = self._connection, ROWS // 4
        first = self._first + part * size
        self._run(
            f"INSERT INTO articles SELECT i, '{self._tag}', repeat('n', 100) FROM generate_series(%s, %s) i",
            first,
            size,
        )
        self._run("UPDATE articles SET notes = 'again' WHERE id BETWEEN %s AND %s", first, size // 2)
        self._run("DELETE FROM articles WHERE id BETWEEN %s AND %s", first, size // 10)
        connection.execute("SAVEPOINT undone")
        self._run("DELETE FROM articles WHERE id BETWEEN %s AND %s", first, size)
        self._run("INSERT INTO articles SELECT -i, 'undone', 'n' FROM generate_series(%s, %s) i", first, size)
        connection.execute("ROLLBACK TO undone")
        self.rows += size - size // 10

    def commit(self) -> None:
        self._connection.commit()
        self._connection.close()

    def _run(self, statement: str, first: int, rows: int) -> None:
        self._connection.execute(statement.encode(), [first, first + rows - 1])


def mirrored(bridge: Bridge) -> dict[str, int]:
    """The rows of each transaction that the mirror shows."""
    with duckdb.connect(str(bridge.folder / "warehouse.duckdb"), read_only=True) as connection:
        found = connection.execute("SELECT title, count(*) FROM shop.articles WHERE id > 1000 GROUP BY ALL").fetchall()
    return dict(found)


def highest_rss_bytes(bridge: Bridge) -> int:
    status = RunFolder(bridge.folder / "run").read_status(Lane.ANALYTICAL)
    assert status is not None
    return int(status["highest_rss_bytes"])


def after_each_commit(bridge: Bridge) -> Iterator[dict[str, int]]:
    """Run the lane to its end, killed behind its commits; yield what the mirror shows there.

    The first commit of a lane is not a batch's: it looks whether a history has to be pruned.
    """
    code = -signal.SIGKILL
    while code == -signal.SIGKILL:
        done = bridge.causeway(*LANE, environment={VARIABLE: "mirror.after_commit:2"}, timeout_s=120)
        code = done.code
        yield mirrored(bridge)
    assert code == 0, done.err


@pytest.mark.case("millions of rows in one transaction")
@pytest.mark.case("interleaved large transactions")
@pytest.mark.case("a rolled-back savepoint in a spilled transaction")
def test_interleaved_large_transactions_are_visible_one_by_one_and_whole(bridge: Bridge, tmp_path: Path) -> None:
    with bridge.server.connect(autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET logical_decoding_work_mem = '64kB'")
        connection.execute("SELECT pg_reload_conf()")
    play = Round(bridge, tmp_path)
    bridge.change_settings({"capture": {"batch_rows": BATCH_ROWS, "batch_bytes": 2**23}})
    play.ran(*LANE)
    writers = {
        tag: Writer(bridge, tag, 1_000_000 * number) for number, tag in enumerate(("first", "second", "third"), 1)
    }
    for part in range(4):
        for writer in writers.values():
            writer.write_some(part)
    for writer in reversed(writers.values()):
        writer.commit()
    killed = bridge.causeway(*LANE, environment={VARIABLE: "reader.piece_handed_out:5"})
    assert killed.code == -signal.SIGKILL, killed.err
    assert mirrored(bridge) == {}
    whole = {tag: writer.rows for tag, writer in writers.items()}
    in_order = [dict([*reversed(whole.items())][:number]) for number in range(len(whole) + 1)]
    seen = list(after_each_commit(bridge))
    assert all(found in in_order for found in seen)
    assert any(0 < len(found) < len(whole) for found in seen)
    assert seen[-1] == whole
    assert highest_rss_bytes(bridge) < MOST_RSS_BYTES
    play.ran("verify", "shop")
    with bridge.server.connect("shop") as connection:
        spilled = connection.execute(
            "SELECT spill_txns FROM pg_stat_replication_slots WHERE slot_name = 'causeway_shop_analytical'"
        ).fetchone()
    assert spilled is not None
    assert spilled[0] >= len(writers)
