"""`causeway verify` inside a running analytical lane: the same comparison, with the lane held for an instant only.

First both sides are seen at one point and compared at leisure, while the lane goes on. To repair, the lane is held anew for some
thousand of the rows that differed at a time: they are compared once more, as they are now, and those that differ still are written
as the source has them at that point. Nothing else moves meanwhile. At the end the tables that were repaired are compared again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from causeway.comparing import compared, not_comparable
from causeway.control import Request
from causeway.holding import Cut, SourceHolder
from causeway.lane_sources import LaneSources
from causeway.repairing import PIECE_ROWS, apply_pieces, commit, repair_pieces
from causeway.sources import find_source, naming
from causeway.turns import Turns
from causeway.verdict import SourceVerdict, TableVerdict, not_there, wanted_tables
from cdc import checksum as source_side
from cdc.batch import ChangeBatch
from cdc.catalog import describe, find_described
from cdc.exported_snapshot import ConsistentView
from cdc.snapshot import partitioned
from config.errors import CausewayError, ErrorKind
from warehouse.checksum import postgres_expressions
from warehouse.differences import Difference, Differences, key_table
from warehouse.mirror import Mirror
from warehouse.mirror_view import MirrorView
from warehouse.names import MirrorTable
from warehouse.store import Warehouse

# More are mended faster with the lane stopped, or by copying the table anew.
MOST_REPAIRED_ROWS = 200_000


class LaneVerifier:
    """Verifies and repairs sources of a running lane; its methods are called by a command's thread."""

    def __init__(
        self,
        sources: LaneSources,
        warehouse: Warehouse,
        mirror: Mirror,
        turns: Turns,
    ) -> None:
        self._sources = sources
        self._warehouse = warehouse
        self._mirror = mirror
        self._turns = turns

    def verify(self, request: Request) -> dict[str, Any]:
        """Carry out {"source", "tables", "repair"}; return the verdict as JSON values. CausewayError as `SourceHolder`'s."""
        name = request.text("source")
        source = find_source(self._sources.settings, name)
        tables = wanted_tables(name, source, request.texts("tables"))
        holder = SourceHolder(
            self._sources.readers[name],
            source,
            self._turns,
            longest_s=self._sources.settings.capture.longest_hold_s,
            gone=request.gone,
        )
        with naming(name):
            repair = bool(request.arguments.get("repair"))
            verdict, differing = self._compare(holder, name, tables, request, keep=repair)
            if differing:
                mended = {table: self._mend(holder, name, table, rows) for table, rows in differing.items()}
                verdict = self._compared_again(holder, verdict, mended, request)
            return verdict.as_dict()

    def _compare(
        self, holder: SourceHolder, name: str, tables: Sequence[str], request: Request, *, keep: bool
    ) -> tuple[SourceVerdict, dict[str, list[Difference]]]:
        """Compare tables; with `keep` return the rows that differ, by table."""
        verdicts: list[TableVerdict] = []
        differing: dict[str, list[Difference]] = {}

        def follow(view: ConsistentView) -> None:
            self._mirror.follow(name, find_described(view.connection, tables)[0])

        with holder.cut(self._warehouse, before=follow) as cut:
            relations, missing = find_described(cut.view.connection, tables)
            verdicts += map(not_there, missing)
            mirrors, roots = MirrorView(cut.cursor, name), partitioned(cut.view.connection, relations)
            problems = not_comparable(mirrors, relations, cut.view.lsn)
            for number, relation in enumerate(relations):
                table = relation.qualified_name
                request.progress({"table": table, "done": number, "of": len(relations)})
                if table in problems:
                    verdicts.append(TableVerdict(table=table, problem=problems[table]))
                    continue
                is_root = relation.oid in roots
                with compared(cut.view.connection, mirrors, relation, partitioned=is_root) as comparison:
                    verdicts.append(comparison.verdict)
                    if keep and comparison.differences is not None:
                        _check_few(table, comparison.verdict.differing_rows)
                        differing[table] = comparison.differences.listed(0, MOST_REPAIRED_ROWS)
            return SourceVerdict(source=name, lsn=cut.view.lsn, tables=verdicts), differing

    def _mend(self, holder: SourceHolder, name: str, table: str, rows: Sequence[Difference]) -> int:
        """Mend the rows that differ still; return how many did."""
        return sum(
            self._mend_some(holder, name, table, rows[first : first + PIECE_ROWS])
            for first in range(0, len(rows), PIECE_ROWS)
        )

    def _mend_some(self, holder: SourceHolder, name: str, table: str, rows: Sequence[Difference]) -> int:
        mended = 0

        def while_held(cut: Cut) -> None:
            nonlocal mended
            (relation,) = describe(cut.view.connection, [table])
            mirrored = MirrorTable(name, relation)
            keys = key_table(mirrored, rows)
            hashes = source_side.keys_of_rows(cut.view.connection, relation, postgres_expressions(relation), keys)
            position = self._turns.between_batches(lambda: self._mirror.position(name))
            assert position is not None, "a reader that streams has a position"
            with Differences(MirrorView(cut.cursor, name), mirrored) as differences:
                differences.add(hashes, source_side.KEY, source_side.NUMBER)
                differences.compare_keys(keys)
                pieces = list(repair_pieces(cut.view.connection, differences, position, cut.view.lsn))
            mended = holder.while_cut(lambda: self._write(name, pieces))

        with holder.cut(self._warehouse, while_held):
            return mended

    def _write(self, name: str, pieces: Sequence[ChangeBatch]) -> int:
        """On the lane's thread: write and commit; where that fails, the source's stream goes on from where it was."""
        position = self._mirror.position(name)
        assert position is not None, "a reader that streams has a position"
        try:
            rows = apply_pieces(self._mirror, pieces)
            if rows:
                commit(self._mirror, position)
        except CausewayError:
            self._mirror.rollback(name)
            self._mirror.position(name)  # nothing of the stream was lost, so that its reader need not begin anew
            raise
        return rows

    def _compared_again(
        self, holder: SourceHolder, first: SourceVerdict, mended: Mapping[str, int], request: Request
    ) -> SourceVerdict:
        again, _ = self._compare(holder, first.source, list(mended), request, keep=False)
        found = {table.table: replace(table, repaired_rows=mended[table.table]) for table in again.tables}
        return replace(again, tables=[found.get(table.table, table) for table in first.tables])


def _check_few(table: str, rows: int) -> None:
    if rows > MOST_REPAIRED_ROWS:
        raise CausewayError(
            ErrorKind.REFUSED,
            f"{table} differs in {rows:,} rows; a running lane is repaired in up to {MOST_REPAIRED_ROWS:,}.",
            hint="Stop the lane and verify with --repair again, or copy the table anew with `causeway copy`.",
            table=table,
        )
