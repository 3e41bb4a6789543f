"""The mapping file: a header of comments and one SELECT over one table of a source, in that source's dialect.

    -- mapping: shop_orders
    -- entity: sales_order
    -- source: shop
    -- table: public.orders
    -- version: 1
    -- backfill: from 2026-01-01 on placed_at        (or all, as without it; or none)
    SELECT id AS source_key, ... FROM public.orders WHERE ...

Contract: this module reads files and headers only; what the SELECT says is the compiler's. Line numbers are the file's.
Raise `version` whenever the meaning of a mapping changes: records and extracts carry it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path

from config.errors import CausewayError, ErrorKind
from transforms.canonical import ENTITIES
from transforms.names import nearest
from transforms.statusmaps import StatusMaps, load_status_maps

HEADER_FIELDS = ("mapping", "entity", "source", "table", "version")
_OPTIONAL = ("backfill",)
_BACKFILL = re.compile(r"(all)|(none)|from\s+(\d{4}-\d{2}-\d{2})\s+on\s+(\S.*)")
_HEADER = re.compile(r"--\s*(\w+)\s*:\s*(.*?)\s*$")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_TABLE = re.compile(r"[^.\s]+\.[^.\s]+")


class MappingError(CausewayError):
    """Mappings that can't be used. `problems`: every mistake found, each ``file:line: message``."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        count = f"{len(problems)} mistake{'s' if len(problems) > 1 else ''} in the mappings"
        super().__init__(ErrorKind.MAPPING, "\n".join((f"{count}:", *self.problems)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Backfill:
    """Which records from before the lane went live begin in the operational lane. A record that it has begun it follows, always.

    `from_date`: those whose date (`on`: SQL of the source, of a kind of date) is that day or later, or null; of whichever time.
    `none`: only what is inserted from then on.
    """

    none: bool = False
    from_date: str = ""
    on: str = ""

    @property
    def is_all(self) -> bool:
        return not self.none and not self.from_date


@dataclass(frozen=True, kw_only=True)
class Mapping:
    """One mapping as its file gives it. `text`: the whole file, so that its line numbers are the file's."""

    name: str
    entity: str
    source: str
    table: str
    version: int
    path: Path
    text: str
    maps: StatusMaps = field(default_factory=StatusMaps)
    backfill: Backfill = Backfill()

    @cached_property
    def digest(self) -> str:
        """Digest of all that the mapping says, with its source's status maps: 16 hexadecimal digits."""
        words = json.dumps(self.maps.words.get(self.source, {}), sort_keys=True)
        return hashlib.blake2b(f"{self.text}\x1f{words}".encode(), digest_size=8).hexdigest()

    def problem(self, line: int, message: str) -> str:
        """Return a mistake as it is reported."""
        return f"{self.path}:{line}: {message}"


def load_mappings(folders: Sequence[Path]) -> tuple[Mapping, ...]:
    """Return all mappings of these folders (``*.sql`` at any depth; `maps.yaml` in the folder itself).

    MappingError names every file and line that is wrong, over all folders.
    """
    problems: list[str] = []
    found: list[Mapping] = []
    for folder in folders:
        found += _load_folder(folder, problems)
    problems += _given_twice(found)
    if problems:
        raise MappingError(problems)
    return tuple(found)


def _load_folder(folder: Path, problems: list[str]) -> list[Mapping]:
    if not folder.is_dir():
        problems.append(f"{folder}:1: there is no such folder of mappings")
        return []
    maps, map_problems = load_status_maps(folder)
    problems += map_problems
    paths = sorted(folder.rglob("*.sql"))
    if not paths:
        problems.append(f"{folder}:1: the folder holds no mapping (*.sql)")
    loaded = (_load_file(path, maps, problems) for path in paths)
    return [mapping for mapping in loaded if mapping is not None]


def _load_file(path: Path, maps: StatusMaps, problems: list[str]) -> Mapping | None:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{path}:1: cannot be read: {error}")
        return None
    return parse_mapping(path, text, maps, problems)


def parse_mapping(path: Path, text: str, maps: StatusMaps, problems: list[str]) -> Mapping | None:
    """Return the mapping that a file's text holds; None, and its mistakes appended to `problems`, where the header is wrong."""
    header, lines, found = _read_header(text)
    found += [(1, f"the header lacks `-- {name}: ...`") for name in HEADER_FIELDS if name not in header]
    found += [(lines[name], message) for name, message in _wrong_values(header)]
    if found:
        problems += [f"{path}:{line}: {message}" for line, message in sorted(found)]
        return None
    version = int(header.pop("version"))
    backfill = _backfill(header.pop("backfill", "all"))
    return Mapping(
        name=header.pop("mapping"), version=version, path=path, text=text, maps=maps, backfill=backfill, **header
    )


def _read_header(text: str) -> tuple[dict[str, str], dict[str, int], list[tuple[int, str]]]:
    """Return the header's values and lines by name, and (line, mistake) pairs. It ends at the first line of SQL."""
    header: dict[str, str] = {}
    lines: dict[str, int] = {}
    mistakes: list[tuple[int, str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("--"):
            break
        found = _HEADER.fullmatch(line)
        if found is None or found[1] not in (*HEADER_FIELDS, *_OPTIONAL):
            continue  # an ordinary comment
        if found[1] in header:
            mistakes.append((number, f"`{found[1]}` is given twice"))
        header[found[1]], lines[found[1]] = found[2], number
    return header, lines, mistakes


def _wrong_values(header: dict[str, str]) -> list[tuple[str, str]]:
    wrong: list[tuple[str, str]] = [
        (name, f"`{name}` must be lower case letters, digits and underscores, not {header[name]!r}")
        for name in ("mapping", "source")
        if name in header and not _NAME.fullmatch(header[name])
    ]
    entity, table, version = (header.get(name) for name in ("entity", "table", "version"))
    if entity is not None and entity not in ENTITIES:
        wrong.append(("entity", f"there is no entity {entity!r}{nearest(entity, ENTITIES)}"))
    if table is not None and not _TABLE.fullmatch(table):
        wrong.append(("table", f"`table` must be schema.table, not {table!r}"))
    if version is not None and not (version.isdecimal() and int(version) > 0):
        wrong.append(("version", f"`version` must be a whole number from 1, not {version!r}"))
    if "backfill" in header and not _is_backfill(header["backfill"]):
        wrong.append(
            ("backfill", f"`backfill` must be all, none, or from YYYY-MM-DD on COLUMN, not {header['backfill']!r}")
        )
    return wrong


def _is_backfill(text: str) -> bool:
    found = _BACKFILL.fullmatch(text)
    if found is None or found[3] is None:
        return found is not None
    try:
        date.fromisoformat(found[3])
    except ValueError:
        return False
    return True


def _backfill(text: str) -> Backfill:
    found = _BACKFILL.fullmatch(text)
    assert found is not None
    return Backfill(none=found[2] is not None, from_date=found[3] or "", on=found[4] or "")


def _given_twice(mappings: Sequence[Mapping]) -> list[str]:
    first: dict[str, Mapping] = {}
    problems = []
    for mapping in mappings:
        other = first.setdefault(mapping.name, mapping)
        if other is not mapping:
            problems.append(mapping.problem(1, f"mapping {mapping.name!r} is also in {other.path}"))
    return problems
