"""`causeway trace`: one order's story across all systems, from its source rows to what Odoo has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from causeway.console import DEFAULT_CONFIG, ConfigOption, JsonOption, out, print_json
from causeway.exits import Exit
from config.loading import load_settings

Story = dict[str, Any]


def trace(
    entity: Annotated[str, typer.Argument(metavar="ENTITY", help="Kind of record, such as sales_order.")],
    key: Annotated[str, typer.Argument(metavar="KEY", help="Its id, its number at the source, or its name in Odoo.")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Tell all of one order: source rows, mappings, canonical records, deliveries with Odoo's words, and where Odoo has them."""
    from loaders.tracing.trace import trace as told
    from transforms.canonical import ENTITIES

    if entity not in ENTITIES:
        raise typer.BadParameter(f"there is no entity {entity}; known are {', '.join(ENTITIES)}")
    settings = load_settings(config)
    stories = told(settings.state, settings.odoo, entity, key)
    if as_json:
        print_json(stories)
    for story in () if as_json else stories:
        for line in _lines(story):
            out.print(line, markup=False, soft_wrap=True)
    if not stories:
        if not as_json:
            out.print(f"There is no {entity} {key}, neither in the outbox nor under this name in Odoo.", markup=False)
        raise typer.Exit(Exit.FOUND)


def _lines(story: Story) -> Iterator[str]:
    row, outbox, identity = story["source_row"], story["outbox"], story["identity"]
    yield f"{story['record_id']}: {_state(outbox)}"
    where = f"{row['source']} {row['table'] or ''} {', '.join(f'{name} {value}' for name, value in row['key'].items())}"
    yield f"  from     {' '.join(where.split())}, LSN {row['lsn']}, committed {row['committed_at']}, by {row['origin']}"
    yield f"  mapping  {story['mapping']['name'] or 'not noted'}, version {story['mapping']['version']}"
    yield f"  record   {_fields(story['record'])}"
    if identity["canonical_id"] != story["record_id"]:
        yield f"  is       {identity['canonical_id']}, by {identity['matched_by']}"
    for one in story["deliveries"]:
        what = f" as {one['model']} {one['odoo_id']}" if one["model"] else ""
        yield f"  {one['at'][:19]}  {one['outcome']}{what}{': ' + one['error'] if one['error'] else ''}"
        if one["confirmed_at"]:
            how = f"by Odoo's log at {one['confirmed_lsn']}" if one["confirmed_lsn"] else "by reading it back"
            yield f"  {one['confirmed_at'][:19]}  confirmed {how}"
    for place in story["odoo"]:
        yield f"  in Odoo  {place['model']} {place['id']} ({place['external_id'] or 'without external id'})"
    yield ""


def _state(outbox: Story) -> str:
    words = [outbox["status"] if outbox["operation"] == "upsert" else f"{outbox['status']}, deleted at the source"]
    if outbox["waits_for"]:
        words.append(f"waits for {outbox['waits_for']}")
    if outbox["closed_by"]:
        words.append(f"by {outbox['closed_by']}: {outbox['closed_why']}")
    if outbox["error"]:
        words.append(outbox["error"])
    return "; ".join(words)


def _fields(record: Story) -> str:
    left_out = {"source", "source_key", "source_position", "mapping_version", "canonical_id"}
    return ", ".join(f"{name} {value}" for name, value in record.items() if value is not None and name not in left_out)
