"""The lane's loop keeps order: apply before confirm, pieces together, and every restart from the stored position."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pytest

from causeway.lane import LaneLoop
from cdc.batch import META_COLUMNS, BatchKind, ChangeBatch, CopyProgress, Position, TableChanges
from cdc.lsn import ZERO, Lsn
from cdc.relation import Column, Relation, ReplicaIdentity
from cdc.snapshot_copier import TableProgress
from config.errors import CausewayError, ErrorKind
from config.settings import CaptureSettings

RELATION = Relation(
    oid=1,
    schema="public",
    table="t",
    columns=(Column(name="id", type_oid=23, is_key=True),),
    replica_identity=ReplicaIdentity.DEFAULT,
)
QUICK = CaptureSettings(reconnect_first_s=0.001, reconnect_longest_s=0.002, status_interval_s=1000)


def batch(lsn: int, *, rows: int = 1, complete: bool = True, kind: BatchKind = BatchKind.STREAM) -> ChangeBatch:
    columns: dict[str, Any] = {name: pa.array([None] * rows, type_) for name, type_ in META_COLUMNS}
    columns["id"] = pa.array([str(n) for n in range(rows)], pa.string())
    changes = (TableChanges(relation=RELATION, rows=pa.table(columns)),) if rows else ()
    return ChangeBatch(kind=kind, position=position(lsn), changes=changes, complete=complete, transactions=1)


def position(lsn: int) -> Position:
    return Position(source="shop", lane="analytical", lsn=Lsn(lsn), slot="s", system_identifier="1", timeline=1)


Step = ChangeBatch | CausewayError | None


class ScriptedReader:
    """Hands out what the script of the current opening says; the last script repeats nothing and has caught up."""

    def __init__(self, *scripts: Sequence[Step], log: list[str], name: str = "shop") -> None:
        self.name = name
        self._scripts = [list(script) for script in scripts]
        self._steps: list[Step] = []
        self._log = log

    @property
    def caught_up(self) -> bool:
        return not self._steps

    @property
    def received(self) -> Lsn:
        return ZERO

    @property
    def server_end(self) -> Lsn:
        return ZERO

    @property
    def snapshot(self) -> dict[str, TableProgress]:
        return {}

    def open(self, position: Position | None, until: Lsn | None = None) -> tuple[Relation, ...]:
        self._log.append(f"open {position.lsn if position else None}")
        self._steps = self._scripts.pop(0)
        return (RELATION,)

    def poll(self) -> ChangeBatch | None:
        step = self._steps.pop(0) if self._steps else None
        if isinstance(step, CausewayError):
            raise step
        return step

    def confirm(self, lsn: Lsn) -> None:
        self._log.append(f"confirm {lsn}")

    def close(self) -> None:
        self._log.append("close")


class RecordingDestination:
    def __init__(self, log: list[str], stored: int | None = 0) -> None:
        self._log = log
        self._stored = position(stored) if stored is not None else None

    def position(self, source: str) -> Position | None:
        return self._stored

    def begin_snapshot(self, source: str, relations: Sequence[Relation]) -> None:
        self._log.append("begin_snapshot")

    def captured(self, source: str, relations: Sequence[Relation]) -> tuple[str, ...]:
        return ()

    def copies(self, source: str) -> tuple[CopyProgress, ...]:
        return ()

    def begin_copy(self, source: str, progress: CopyProgress) -> None: ...

    def apply(self, batch: ChangeBatch) -> None:
        self._log.append(f"apply {batch.position.lsn}{'' if batch.complete else ' piece'}")
        if batch.complete:
            self._stored = batch.position

    def rollback(self, source: str) -> None:
        self._log.append("rollback" if source == "shop" else f"rollback {source}")

    def close(self) -> None: ...


@pytest.fixture
def log() -> list[str]:
    return []


def run(
    log: list[str], reader: ScriptedReader, destination: RecordingDestination, on_turn: Callable[[], None] | None = None
) -> None:
    LaneLoop(
        destination,
        [reader],
        wake=threading.Event(),
        stop=threading.Event(),
        capture=QUICK,
        until={"shop": Lsn(1000)},
        after_turn=on_turn,
    ).run()


def test_a_batch_is_confirmed_only_after_it_was_applied(log: list[str]) -> None:
    run(log, ScriptedReader([batch(1), batch(2)], log=log), RecordingDestination(log))
    assert log == ["open 0/0", "apply 0/1", "confirm 0/1", "apply 0/2", "confirm 0/2", "close"]


def test_without_a_position_the_destination_prepares_for_a_snapshot(log: list[str]) -> None:
    pieces = [batch(5, kind=BatchKind.SNAPSHOT, complete=False), batch(5, kind=BatchKind.SNAPSHOT)]
    run(log, ScriptedReader(pieces, log=log), RecordingDestination(log, stored=None))
    assert log == ["open None", "begin_snapshot", "apply 0/5 piece", "apply 0/5", "confirm 0/5", "close"]


def test_pieces_of_one_transaction_are_confirmed_once_at_their_end(log: list[str]) -> None:
    script = [batch(9, complete=False), None, batch(9, complete=False), batch(9)]
    run(log, ScriptedReader(script, log=log), RecordingDestination(log))
    assert [line for line in log if line.startswith("confirm")] == ["confirm 0/9"]


def test_a_lost_connection_rolls_back_and_starts_again_from_the_stored_position(log: list[str]) -> None:
    lost = CausewayError(ErrorKind.CONNECTION, "gone")
    reader = ScriptedReader([batch(1), batch(2, complete=False), lost], [batch(2)], log=log)
    run(log, reader, RecordingDestination(log))
    assert log == [
        *("open 0/0", "apply 0/1", "confirm 0/1", "apply 0/2 piece", "rollback", "close"),
        *("open 0/1", "apply 0/2", "confirm 0/2", "close"),
    ]


def test_a_gap_ends_the_lane_with_nothing_half_stored(log: list[str]) -> None:
    gap = CausewayError(ErrorKind.GAP, "behind")
    with pytest.raises(CausewayError, match="behind"):
        run(log, ScriptedReader([batch(1), gap], log=log), RecordingDestination(log))
    assert log[-2:] == ["rollback", "close"]


@pytest.mark.parametrize("bounded", [True, False])
def test_one_sources_gap_leaves_the_others_going_and_is_raised_at_the_end(log: list[str], bounded: bool) -> None:
    gap = CausewayError(ErrorKind.GAP, "behind")
    other_log: list[str] = []
    stop = threading.Event()
    loop = LaneLoop(
        RecordingDestination(other_log),
        [ScriptedReader([gap], log=log), ScriptedReader([batch(1), batch(2), batch(3)], log=other_log, name="market")],
        wake=threading.Event(),
        stop=stop,
        capture=QUICK,
        until={"shop": Lsn(1000), "market": Lsn(1000)} if bounded else None,
        after_turn=lambda: stop.set() if not bounded and "confirm 0/3" in other_log else None,
    )
    if bounded:
        with pytest.raises(CausewayError, match="shop: behind"):
            loop.run()
    else:
        loop.run()  # it is the one who stops it that ends it
    assert "confirm 0/3" in other_log
    assert loop.progress["shop"].state == "failed"
    assert "behind" in loop.progress["shop"].error


def test_a_trouble_of_the_destination_ends_the_lane_at_once(log: list[str]) -> None:
    full = CausewayError(ErrorKind.WAREHOUSE, "disk full")
    with pytest.raises(CausewayError, match="disk full"):
        run(log, ScriptedReader([full, batch(1)], log=log), RecordingDestination(log))
    assert not any(line.startswith("apply") for line in log)


def test_an_idle_source_stores_its_position_seldom(log: list[str]) -> None:
    run(
        log,
        ScriptedReader([batch(1), batch(2, rows=0), batch(3, rows=0), batch(1000, rows=0)], log=log),
        RecordingDestination(log),
    )
    assert [line for line in log if line.startswith("apply")] == ["apply 0/1", "apply 0/3E8"]


def test_the_position_of_a_source_that_falls_silent_is_stored_in_the_end(log: list[str]) -> None:
    reader = ScriptedReader([batch(1), batch(2, rows=0), None, None], log=log)
    run(log, reader, RecordingDestination(log))
    assert log[-3:] == ["apply 0/2", "confirm 0/2", "close"]


def test_a_destination_that_goes_back_is_a_bug_and_ends_the_lane(log: list[str]) -> None:
    with pytest.raises(AssertionError, match="monotonic"):
        run(log, ScriptedReader([batch(5), batch(4)], log=log), RecordingDestination(log))


def two_sources(log: list[str], other_log: list[str], take_up: Callable[[str], Lsn | None], **more: Any) -> LaneLoop:
    """`shop` with one batch, and `market` with two; `take_up` decides when each begins."""
    return LaneLoop(
        RecordingDestination(other_log),
        [ScriptedReader([batch(9)], log=log), ScriptedReader([batch(1), batch(2)], log=other_log, name="market")],
        wake=threading.Event(),
        capture=QUICK,
        take_up=take_up,
        **{"stop": threading.Event(), "until": {}, **more},
    )


def test_a_source_out_of_reach_is_given_up_when_the_others_have_caught_up(log: list[str]) -> None:
    other_log: list[str] = []

    def take_up(source: str) -> Lsn:
        if source == "shop":
            raise CausewayError(ErrorKind.CONNECTION, "does not answer")
        return Lsn(1000)

    loop = two_sources(log, other_log, take_up)
    with pytest.raises(CausewayError, match="shop: does not answer"):
        loop.run()
    assert loop.done
    assert log == []
    assert "confirm 0/2" in other_log
    assert {name: one.state for name, one in loop.progress.items()} == {"shop": "waiting", "market": "caught_up"}


def test_a_source_is_taken_up_once_when_it_answers(log: list[str]) -> None:
    other_log: list[str] = []
    asked: list[str] = []

    def take_up(source: str) -> Lsn:
        asked.append(source)
        if source == "shop" and asked.count("shop") < 3:
            raise CausewayError(ErrorKind.CONNECTION, "does not answer")
        return Lsn(1000)

    two_sources(log, other_log, take_up).run()
    assert (asked.count("shop"), asked.count("market")) == (3, 1)
    assert [line for line in log if line.startswith("confirm")] == ["confirm 0/9"]


def test_a_source_that_fails_rolls_back_nothing_of_another(log: list[str]) -> None:
    other_log: list[str] = []
    stop = threading.Event()

    def take_up(source: str) -> None:
        if source == "shop":
            raise CausewayError(ErrorKind.CONNECTION, "does not answer")

    loop = two_sources(
        log,
        other_log,
        take_up,
        stop=stop,
        until=None,
        after_turn=lambda: stop.set() if "confirm 0/2" in other_log else None,
    )
    loop.run()
    assert "rollback" in other_log  # of shop, as RecordingDestination writes it
    assert "rollback market" not in other_log


def test_a_source_that_is_away_for_days_is_still_tried(log: list[str]) -> None:
    lost = CausewayError(ErrorKind.CONNECTION, "gone")
    wake, stop = threading.Event(), threading.Event()

    def after_turn() -> None:
        wake.set()
        if "confirm 0/1" in log:
            stop.set()

    LaneLoop(
        RecordingDestination(log),
        [ScriptedReader(*([lost] for _ in range(1100)), [batch(1)], log=log)],
        wake=wake,
        stop=stop,
        capture=CaptureSettings(reconnect_first_s=1e-6, reconnect_longest_s=1e-6),
        after_turn=after_turn,
    ).run()
    assert "confirm 0/1" in log


def test_a_silent_host_keeps_no_other_source_waiting(log: list[str]) -> None:
    other_log: list[str] = []
    stop, answered = threading.Event(), threading.Event()
    asked: list[str] = []

    def knock(source: str) -> None:
        asked.append(source)
        if source == "shop":
            assert answered.wait(60)  # as connecting to a host that drops packets

    def after_turn() -> None:
        if "confirm 0/3" in other_log:
            answered.set()
        if "confirm 0/9" in log:
            stop.set()

    LaneLoop(
        RecordingDestination(other_log),
        [
            ScriptedReader([batch(9)], log=log),
            ScriptedReader([batch(1), None, batch(2), None, batch(3)], log=other_log, name="market"),
        ],
        wake=threading.Event(),
        stop=stop,
        capture=QUICK,
        knock=knock,
        after_turn=after_turn,
    ).run()
    assert sorted(asked) == ["market", "shop"]
