"""What a lane wants published of a source, by its mappings, and which mappings need what a publication does not have.

Contract: the analytical lane wants everything. The operational lane wants the tables that mappings read, and of these the columns that
they name, whether they fit their tables now or not: a broken mapping's rows must be noted, too. Of Odoo's own database it wants the
names that we have given, and the columns that tell what became of deliveries, from now on.
"""

from __future__ import annotations

from collections.abc import Mapping as Map
from collections.abc import Sequence

from causeway.sources import connect_source, naming
from cdc.publications import Publication, find_publication
from cdc.wanted import PublishedTable, Wanted, everything, there
from config.settings import Lane, Settings, SourceSettings
from loaders.confirming.odoo_log import NAMES_COLUMNS, NAMES_KEY, NAMES_TABLE, TABLES
from transforms.compiled import AnyMapping, BrokenMapping
from transforms.mapping import Mapping, load_mappings
from transforms.reads import columns_read


def wanted_of(settings: Settings, name: str, lane: Lane) -> Wanted:
    """Return what a lane wants of a source, by the mapping files as they are; CausewayError MAPPING where they can't be read."""
    source = settings.sources[name]
    if lane is Lane.ANALYTICAL:
        return everything(source, lane)
    if name == settings.confirming:
        return of_odoo(settings, name)
    return mapped(name, source, load_mappings(settings.mappings))


def of_odoo(settings: Settings, name: str) -> Wanted:
    """Return what confirms deliveries, as far as this Odoo has it: apps that are not installed have no tables. CausewayError as the
    connection's.
    """
    listed = settings.sources[name].column_lists
    names = PublishedTable(
        name=NAMES_TABLE,
        columns=NAMES_COLUMNS if listed else None,
        row_filter=f"module = '{settings.odoo.prefix}'",  # a Name: letters, digits and underscores
        identity=NAMES_KEY,
    )
    rows = (
        PublishedTable(name=table.name, columns=table.published if listed else None, from_now_on=True)
        for table in TABLES.values()
    )
    with connect_source(name, settings.sources[name], "catalog") as connection, naming(name):
        return there(connection, Wanted(tables=(names, *rows), exact=False))


def mapped(name: str, source: SourceSettings, mappings: Sequence[Mapping]) -> Wanted:
    """Return what the operational lane wants of a source by these mappings, its tables in the settings' order."""
    read: dict[str, list[Mapping]] = {}
    for mapping in mappings:
        if mapping.source == name:
            read.setdefault(mapping.table, []).append(mapping)
    return Wanted(
        tables=tuple(
            PublishedTable(
                name=table,
                row_filter=source.row_filters.get(table),
                columns=_columns(read[table]) if source.column_lists else None,
            )
            for table in source.table_names
            if table in read
        ),
        exact=False,
    )


def _columns(mappings: Sequence[Mapping]) -> tuple[str, ...] | None:
    each = [columns_read(mapping) for mapping in mappings]
    return None if None in each else tuple(sorted({name for columns in each for name in columns or ()}))


def find_published(name: str, source: SourceSettings, publication: str) -> Publication | None:
    """Return a source's publication as it is, None where it does not exist; CausewayError as the connection's."""
    with connect_source(name, source, "catalog") as connection, naming(name):
        return find_publication(connection, publication)


def as_published(one: AnyMapping, published: Map[str, Publication | None]) -> AnyMapping:
    """Return a mapping, as broken where its source's publication does not have all that it reads.

    Without a publication nothing is lacking: the lane's first run makes it.
    """
    publication = published.get(one.mapping.source)
    if publication is None or isinstance(one, BrokenMapping):
        return one
    problems = _lacking(one.mapping, publication)
    return BrokenMapping(mapping=one.mapping, problems=problems) if problems else one


def _lacking(mapping: Mapping, publication: Publication) -> tuple[str, ...]:
    table = publication.tables.get(mapping.table)
    mend = f"`causeway slots create {mapping.source}`, as the tables' owner, publishes it"
    if table is None:
        return (
            mapping.problem(1, f"needs {mapping.table}, which publication {publication.name} does not have: {mend}"),
        )
    if table.columns is None:
        return ()
    lacking = {name: line for name, line in (columns_read(mapping) or {}).items() if name not in table.columns}
    return tuple(
        mapping.problem(
            line,
            f"needs column {name} of {mapping.table}, which publication {publication.name} does not publish: {mend}",
        )
        for name, line in lacking.items()
    )
