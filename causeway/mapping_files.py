"""The mappings of a lane while it runs: files that are changed are taken up by content, and each mapping is held to its table, and to
what the lane's publication has of it.

Contract: a file that can't be read as a mapping leaves the ones in force as they were, for it does not say what it is about; one
that does not fit its table is given as broken, and the others are used. Mappings of a source that has not answered yet are in force
as far as their tables are known without it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping as Map
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from loguru import logger

from causeway.publishing import as_published, find_published, mapped
from causeway.sources import OtherwiseKnown, Sources, describe_source
from cdc.publications import Publication, put_back
from cdc.relation import Relation
from cdc.wanted import Wanted
from config.errors import CausewayError
from transforms.compiled import AnyMapping, BrokenMapping, CompiledMapping
from transforms.compiler import compile_each
from transforms.mapping import Mapping, load_mappings


class MappingFiles:
    """The mappings of some sources, compiled against their tables as the catalogs have them now. Connects nowhere until `take_up`."""

    def __init__(
        self,
        folders: Sequence[Path],
        sources: Sources,
        *,
        otherwise: OtherwiseKnown = lambda _name: (),
        publications: Map[str, str] = MappingProxyType({}),
    ) -> None:
        """Read the files; CausewayError MAPPING where one is no mapping. `otherwise` knows the tables of a source without it.

        publications: by source, what the mappings are to find in it.
        """
        self._folders = folders
        self._sources = sources
        self._otherwise = otherwise
        self._digest = _digest(folders)
        self._loaded = self._load()
        self._relations: dict[str, tuple[Relation, ...]] = {name: tuple(otherwise(name)) for name in sources}
        self._publications = publications
        self._published: dict[str, Publication | None] = {}
        self._answered: set[str] = set()
        self._absent: set[tuple[str, str]] = set()
        self._appeared: set[tuple[str, str]] = set()
        self.unread = ""  # why what the files say now is not in force
        self.current: tuple[AnyMapping, ...] = ()
        self._compile()

    def take_up(self, source: str) -> None:
        """Hold a source's mappings to its tables, now that it can be asked; CausewayError as of describe_source."""
        self._ask(source)
        self._answered.add(source)
        self._compile(source)

    def has_answered(self, source: str) -> bool:
        """Return whether a source was taken up."""
        return source in self._answered

    @property
    def broken(self) -> tuple[BrokenMapping, ...]:
        """Those that do not fit their tables."""
        return tuple(one for one in self.current if isinstance(one, BrokenMapping))

    @property
    def loaded(self) -> tuple[Mapping, ...]:
        """All that the files say, whether it fits its tables or not."""
        return self._loaded

    @property
    def whole(self) -> tuple[CompiledMapping, ...]:
        """Those that fit their tables."""
        return tuple(one for one in self.current if isinstance(one, CompiledMapping))

    def wanted(self, source: str) -> Wanted:
        """Return what the operational lane wants published of a source by the mappings in force."""
        return mapped(source, self._sources[source], self._loaded)

    def take_appeared(self) -> tuple[tuple[str, str], ...]:
        """Return the tables (source, schema.table) that have come into their publication since this was asked last, also those that were
        taken out meanwhile and put back: of what their rows were before, the log has nothing.
        """
        appeared, self._appeared = self._appeared, set()
        return tuple(sorted(appeared))

    def status(self) -> dict[str, Any]:
        """The mappings that do not fit their tables, and why files are not in force, as JSON values."""
        broken = [
            {
                "mapping": one.name,
                "entity": one.mapping.entity,
                "source": one.mapping.source,
                "table": one.mapping.table,
                "problem": "; ".join(one.problems),
            }
            for one in self.broken
        ]
        return {"mappings": broken, **({"mappings_unread": self.unread} if self.unread else {})}

    def changed(self) -> bool:
        """Take up files whose content has changed; True where the mappings in force are others now."""
        digest = _digest(self._folders)
        if digest == self._digest:
            return False
        self._digest = digest
        try:
            self._loaded = self._load()
        except CausewayError as error:
            self.unread = str(error)
            logger.error("the mappings have changed and can't be read; those from before stay in force: {}", error)
            return False
        self.unread = ""
        logger.info("the mappings have changed: {} are in force", len(self._loaded))
        self.look_again()
        return True

    def look_again(self) -> bool:
        """Compile against the catalogs as they are now; True where a mapping has broken or was mended."""
        for name in self._answered:
            try:
                self._ask(name)
            except CausewayError as error:
                logger.warning("the mappings are held to the tables as they were: {}", error)
        return self._compile()

    def _ask(self, name: str) -> None:
        source = self._sources[name]
        self._relations[name] = describe_source(name, source, otherwise=self._otherwise)
        if name in self._publications:
            published = find_published(name, source, self._publications[name])
            self._appeared |= {(name, table) for table in put_back(self._published.get(name), published)}
            self._published[name] = published

    def _load(self) -> tuple[Mapping, ...]:
        return tuple(mapping for mapping in load_mappings(self._folders) if mapping.source in self._sources)

    def _compile(self, source: str | None = None) -> bool:
        """Compile the mappings of one source, or of all; True where one has broken or was mended."""
        self._note_absent()
        before = {one.name: one.problems for one in self.broken}
        due = [mapping for mapping in self._loaded if source in (None, mapping.source) and self._is_known(mapping)]
        kept = [one for one in self.current if source not in (None, one.mapping.source)]
        made = [as_published(one, self._published) for one in compile_each(due, self._relations)]
        self.current = (*kept, *made)
        now = {one.name: one.problems for one in self.broken}
        for one in self.broken:
            if before.get(one.name) != one.problems:
                what = f"mapping {one.name} ({one.mapping.entity} from {one.mapping.source}: {one.mapping.table})"
                logger.error(
                    "{} does not fit its table, it gives no records until it does: {}", what, "; ".join(one.problems)
                )
        for name in before.keys() - now.keys():
            logger.info("mapping {} fits its table again", name)
        return before != now

    def _is_known(self, mapping: Mapping) -> bool:
        """Whether it can be said of a mapping that it fits its table, or does not."""
        tables = {relation.qualified_name for relation in self._relations[mapping.source]}
        return mapping.source in self._answered or mapping.table in tables

    def _note_absent(self) -> None:
        published = {name: one.tables for name, one in self._published.items() if one is not None}
        read = {(mapping.source, mapping.table) for mapping in self._loaded if mapping.source in published}
        absent = {(source, table) for source, table in read if table not in published[source]}
        self._appeared = ((self._appeared | self._absent) & read) - absent
        self._absent = absent


def _digest(folders: Sequence[Path]) -> bytes:
    """Digest of all that the folders' mappings say."""
    digest = hashlib.blake2b(digest_size=16)
    for folder in folders:
        for path in sorted([*folder.rglob("*.sql"), *folder.glob("maps.yaml")]):
            try:
                content = path.read_bytes()
            except OSError:
                content = b""
            digest.update(f"{path}:{len(content)}:".encode() + content)
    return digest.digest()
