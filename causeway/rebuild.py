"""`causeway slots rebuild`: a lane whose slot is lost, dropped or another's gets a new one, and only what differs is written.

The analytical lane: a new slot, a view of the source at a point C behind the slot's own, the mirrors compared with it, the
differing rows written and the position moved to C in one DuckDB transaction; the stream goes on from C. A kill at any moment leaves
a position that its slot can't be read from, or the new one: then rebuild is run again, or is done.
The operational lane: a new slot, and the lane forgets where it was. Its next run reads the source's tables again, and what the
outbox has already, by content hash, is not delivered twice. Rows in which the mirrors differed it reads in any case.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.progress import track

from causeway.publishing import wanted_of
from causeway.repairing import HandOver
from causeway.runfiles import RunFolder
from causeway.sources import connect_source, find_source, naming, with_tables
from causeway.verdict import SourceVerdict, not_there
from causeway.verify import compare_all, opened_mirror
from cdc import preconditions, publications, slots
from cdc.batch import Position
from cdc.catalog import ServerFacts, find_described, server_facts
from cdc.connection import PlainConnection
from cdc.exported_snapshot import consistent_view
from cdc.lsn import Lsn
from cdc.relation import Relation
from cdc.slots import SlotStatus, Step
from cdc.table_catalog import table_facts
from cdc.timelines import failed_over
from config.errors import CausewayError, ErrorKind
from config.failpoints import failpoint
from config.settings import Lane, Settings, SourceSettings
from loaders.arriving.rows_to_read import note_repaired
from loaders.state import forget_position, read_position
from warehouse.rebasing import prepare_tables
from warehouse.store import Warehouse


@dataclass(frozen=True, kw_only=True)
class Rebuilt:
    """What was done for one lane: why, the statements run on the source, and of the analytical lane the mirrors' verdict."""

    lane: Lane
    reason: str
    steps: Sequence[Step] = field(default_factory=list)
    verdict: SourceVerdict | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "lane": self.lane.value,
            "reason": self.reason,
            "statements": [step.statement for step in self.steps],
            "verdict": None if self.verdict is None else self.verdict.as_dict(),
        }


def rebuild_source(
    settings: Settings,
    name: str,
    only: Lane | None,
    *,
    console: Console | None,
    force: bool = False,
    other_cluster: bool = False,
) -> list[Rebuilt]:
    """Rebuild the lanes of a source whose slot can't be read from where they are; with `force` those that can, too.

    other_cluster: compare with another cluster, or another timeline, than the lanes have read from.
    CausewayError: SLOT_IN_USE while a lane runs, REFUSED where nothing is to be rebuilt, IDENTITY without `other_cluster`.
    """
    find_source(settings, name)
    settings = with_tables(settings, name)
    lanes = [lane for lane in Lane if name in settings.sources_of(lane) and only in (None, lane)]
    done = []
    for lane in lanes:
        with RunFolder(settings.run_dir).lock(lane), naming(name):
            rebuilding = _Rebuilding(settings, name, lane)
            reason = rebuilding.reason(other_cluster=other_cluster) or ("asked for" if force else "")
            if reason:
                done.append(rebuilding.run(reason, console))
    if not done:
        raise CausewayError(
            ErrorKind.REFUSED,
            f"{name}: nothing is to be rebuilt: its lanes can go on from where they are, or never ran.",
            hint=f"`causeway verify {name} --repair` mends single rows; --force makes new slots all the same.",
            source=name,
        )
    return done


class _Rebuilding:
    """One lane of one source."""

    def __init__(self, settings: Settings, name: str, lane: Lane) -> None:
        self._settings = settings
        self._source: SourceSettings = settings.sources[name]
        self._name = name
        self._lane = lane
        self._slot = settings.slot_name(name, lane)

    def reason(self, *, other_cluster: bool) -> str:
        """Return why the lane can't go on from its position; empty where it can, or has none."""
        position = self._position()
        if position is None:
            return ""
        with self._connected() as connection:
            facts = server_facts(connection)
            found = next(iter(slots.status(connection, [self._slot])), None)
            try:
                self._check_identity(position, facts, found)
            except CausewayError as error:
                if position.slot == self._slot and not other_cluster:
                    raise
                return error.message
            try:
                preconditions.check_slot(found, position, self._slot, facts)
                if found is not None:
                    preconditions.check_gap(position, found)
            except CausewayError as error:
                if error.kind not in (ErrorKind.SLOT_MISSING, ErrorKind.GAP):
                    raise
                return error.message
            if publications.find_publication(connection, self._slot) is None:
                return f"publication {self._slot} does not exist."
            return ""

    def _check_identity(self, position: Position, facts: ServerFacts, found: SlotStatus | None) -> None:
        """As the lane does: a promoted standby that it can go on with is the cluster that it knows."""
        connection, name = self._source.connection, f"causeway {self._name} rebuild"
        same = failed_over(connection, position, facts, found, application_name=name)
        preconditions.check_identity(position, facts, self._slot, failed_over=same)

    def run(self, reason: str, console: Console | None) -> Rebuilt:
        """Make a new slot and bring the lane to it."""
        position = self._position()
        if position is None:
            raise CausewayError(
                ErrorKind.REFUSED,
                f"the {self._lane} lane has never been whole, so there is nothing to compare.",
                hint="Run it: it begins with a snapshot.",
                lane=self._lane,
            )
        with self._connected() as connection:
            steps = slots.drop_slot(connection, self._slot)
            failpoint("rebuild.slot_dropped")
            wanted = wanted_of(self._settings, self._name, self._lane)
            steps += slots.create(connection, self._source, self._lane, self._slot, wanted)
        failpoint("rebuild.slot_created")
        if self._lane is Lane.OPERATIONAL:
            forget_position(self._settings.state, self._name, self._lane.value)
            return Rebuilt(lane=self._lane, reason=reason, steps=steps)
        return Rebuilt(lane=self._lane, reason=reason, steps=steps, verdict=self._compare(position, console))

    def _compare(self, position: Position, console: Console | None) -> SourceVerdict:
        name, source = self._name, self._source
        with (
            Warehouse.open(self._settings.warehouse) as warehouse,
            consistent_view(source.connection, application_name=f"causeway {name} rebuild") as view,
        ):
            facts = server_facts(view.connection)
            moved = Position(
                source=name,
                lane=self._lane.value,
                lsn=view.lsn,
                slot=self._slot,
                system_identifier=facts.system_identifier,
                timeline=facts.timeline,
            )
            relations, missing = find_described(view.connection, source.table_names)
            facts_of = table_facts(view.connection, [relation.oid for relation in relations], self._slot)
            prepare_tables(warehouse, name, relations, facts_of, position.lsn)
            quiet = console is None or not console.is_terminal
            each = track(relations, f"comparing {name}", console=console, disable=quiet, transient=True)
            with warehouse.querying(), opened_mirror(self._settings, warehouse) as mirror:
                tables = compare_all(
                    warehouse,
                    name,
                    view,
                    relations,
                    mirror,
                    each=each,
                    repair=True,
                    position=moved,
                    hand_over=self._hand_over(view.lsn),
                )
            return SourceVerdict(source=name, lsn=view.lsn, tables=[*tables, *map(not_there, missing)])

    def _hand_over(self, lsn: Lsn) -> HandOver | None:
        """Let the operational lane read the rows again that differ: before the repair is committed, so that none is left out."""
        if self._name not in self._settings.feeding:
            return None

        def note(relation: Relation, keys: list[dict[str, str]]) -> None:
            note_repaired(self._settings.state, self._name, relation.qualified_name, keys, str(lsn))

        return note

    def _position(self) -> Position | None:
        if self._lane is Lane.OPERATIONAL:
            return read_position(self._settings.state, self._name, self._lane.value)
        if not self._settings.warehouse.path.exists():
            return None
        with (
            Warehouse.open(self._settings.warehouse) as warehouse,
            opened_mirror(self._settings, warehouse) as mirror,
        ):
            return mirror.position(self._name)

    def _connected(self) -> PlainConnection:
        return connect_source(self._name, self._source, "rebuild")
