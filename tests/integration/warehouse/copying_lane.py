"""A source, its mirror and the lane's loop between them, in the test's own thread: tables are copied while the test writes."""

from __future__ import annotations

from dataclasses import dataclass

from cdc.catalog import describe
from cdc.checksum import bucket_checksums as source_checksums
from cdc.destination import Destination
from config.settings import TableSettings
from tests.fixtures.copying_loop import CopyingLoop
from tests.integration.transforms.oracle import prepare
from warehouse.checksum import bucket_checksums, postgres_expressions
from warehouse.mirror import Mirror
from warehouse.store import Warehouse


@dataclass(kw_only=True)
class CopyingLane(CopyingLoop):
    """See the module."""

    warehouse: Warehouse
    mirror: Mirror

    def destination(self) -> Destination:
        return self.mirror

    def capture(self, *tables: str) -> None:
        """Capture these tables from the lane's next start on; the publication follows."""
        self.source.tables = tuple(TableSettings(name=name) for name in tables)
        listed = ", ".join(f"TABLE ONLY public.{name.removeprefix('public.')}" for name in tables)
        self.source.execute(f"ALTER PUBLICATION {self.source.slot} SET {listed}")

    def state(self, table: str) -> str | None:
        """The table's state in meta.tables."""
        query = "SELECT state FROM meta.tables WHERE source = 'shop' AND table_name = ?"
        row = self.warehouse.cursor().execute(query, [table]).fetchone()
        return None if row is None else str(row[0])

    def assert_equal(self) -> None:
        """Assert that every captured table's mirror has the source's rows, by their checksums."""
        with self.source.database.connect() as connection:
            prepare(connection)
            for relation in describe(connection, [table.name for table in self.source.tables]):
                expected = source_checksums(connection, relation, postgres_expressions(relation), digits=1)
                found = bucket_checksums(self.warehouse, "shop", relation, digits=1)
                assert {name: (one.rows, one.hash_sum) for name, one in found.items()} == {
                    name: (one.rows, one.hash_sum) for name, one in expected.items()
                }, relation.qualified_name
