"""What the operational lane wants published, by its mappings."""

from __future__ import annotations

from pathlib import Path

import pytest

from causeway.publishing import as_published, mapped
from causeway.sources import naming
from cdc.publications import Publication
from cdc.wanted import PublishedTable
from config.errors import CausewayError, ErrorKind
from config.settings import Connection, SourceRole, SourceSettings, TableSettings
from transforms.compiled import BrokenMapping
from transforms.mapping import Mapping, parse_mapping
from transforms.statusmaps import StatusMaps

SELECT = "SELECT id AS source_key, upper(o.label) AS name FROM public.orders AS o WHERE kind <> 'draft'"


def mapping(select: str = SELECT, *, table: str = "public.orders", source: str = "shop", extra: str = "") -> Mapping:
    header = f"-- mapping: one\n-- entity: product\n-- source: {source}\n-- table: {table}\n-- version: 1\n{extra}"
    found = parse_mapping(Path("one.sql"), header + select, StatusMaps(), [])
    assert found is not None
    return found


def settings(**more: object) -> SourceSettings:
    tables = (TableSettings(name="public.lines"), TableSettings(name="public.orders", row_filter="id > 3"))
    made = SourceSettings(role=SourceRole.CHANNEL, connection=Connection(dsn="dbname=x"), tables=tables)
    return made.model_copy(update=more)


def test_the_captured_tables_that_mappings_of_the_source_read_with_the_columns_that_they_name() -> None:
    read = [
        mapping(extra="-- backfill: from 2026-01-01 on placed_at::date\n"),
        mapping("SELECT id AS source_key, note AS name FROM public.orders"),
        mapping(table="public.elsewhere"),
        mapping(table="public.lines", source="other"),
    ]
    wanted = mapped("shop", settings(), read)
    columns = ("id", "kind", "label", "note", "placed_at")
    assert wanted.tables == (PublishedTable(name="public.orders", row_filter="id > 3", columns=columns),)
    assert not wanted.exact


def test_whole_tables_where_the_settings_say_so_or_a_mapping_can_not_be_read() -> None:
    (whole,) = mapped("shop", settings(column_lists=False), [mapping()]).tables
    (unread,) = mapped("shop", settings(), [mapping(), mapping("SELECT FROM WHERE")]).tables
    assert whole.columns is unread.columns is None


def test_a_mapping_that_is_broken_by_itself_keeps_its_own_problems() -> None:
    publication = Publication(
        name="p", all_tables=False, all_operations=True, via_root=True, generated_columns=False, tables={}, entries={}
    )
    broken = BrokenMapping(mapping=mapping(), problems=("one.sql:6: there is no column 'label'",))
    assert as_published(broken, {"shop": publication}) is broken


def test_a_hint_s_command_has_the_source_s_name() -> None:
    with pytest.raises(CausewayError) as failed, naming("shop"):
        raise CausewayError(ErrorKind.SCHEMA, "no.", hint="`causeway slots plan SOURCE` prints it.")
    assert str(failed.value) == "shop: no. `causeway slots plan shop` prints it."
