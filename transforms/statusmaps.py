"""Status maps: what each source's words mean, kept as data in the `maps.yaml` of a folder of mappings.

    market:                      # source
      sales_order.status:        # domain: the entity and field whose words it gives
        PAID: confirmed          # the source's word: ours

Contract: a domain is an entity's field that holds one of a few words, and every word on the right is one of them; so a map
that was loaded can't give a word that the model refuses. A word that is not on the left becomes `unknown: WORD`, which no
model accepts: the record is refused rather than given a status that nobody decided.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from transforms.canonical import ENTITIES
from transforms.fields import FieldKind, entity_fields

FILE_NAME = "maps.yaml"
UNKNOWN = "unknown: "


@dataclass(frozen=True, slots=True)
class StatusMaps:
    """The maps of one folder: source -> domain -> the source's word -> the canonical word."""

    words: Mapping[str, Mapping[str, Mapping[str, str]]] = field(default_factory=dict)

    def of(self, source: str, domain: str) -> Mapping[str, str] | None:
        """Return a source's words for a domain; None where it has no such map."""
        return self.words.get(source, {}).get(domain)

    def domains(self, source: str) -> tuple[str, ...]:
        return tuple(self.words.get(source, {}))


def load_status_maps(folder: Path) -> tuple[StatusMaps, list[str]]:
    """Return the maps of a folder (none where it has no `maps.yaml`) and all their mistakes, each ``file: field: what``."""
    path = folder / FILE_NAME
    if not path.is_file():
        return StatusMaps(), []
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        return StatusMaps(), [f"{path}: cannot be read as YAML: {' '.join(str(error).split())}"]
    problems: list[str] = []
    words = _checked(content or {}, problems)
    return StatusMaps(words), [f"{path}: {problem}" for problem in problems]


def _checked(content: object, problems: list[str]) -> dict[str, dict[str, dict[str, str]]]:
    checked: dict[str, dict[str, dict[str, str]]] = {}
    for source, domains in _entries(content, "", problems):
        for domain, words in _entries(domains, source, problems):
            where = f"{source}.{domain}"
            allowed = _allowed_words(domain)
            if not allowed:
                problems.append(f"{where}: must be ENTITY.FIELD of a field that holds one of a few words")
                continue
            checked.setdefault(source, {})[domain] = _checked_words(words, where, allowed, problems)
    return checked


def _entries(content: object, where: str, problems: list[str]) -> list[tuple[str, object]]:
    """Return a YAML mapping's entries with its keys as text."""
    if isinstance(content, dict):
        return [(str(key), value) for key, value in content.items()]
    problems.append(f"{where or 'the file'}: must hold names with values, holds {type(content).__name__}")
    return []


def _allowed_words(domain: str) -> tuple[str, ...]:
    entity, _, name = domain.partition(".")
    if entity not in ENTITIES or name not in entity_fields(entity):
        return ()
    found = entity_fields(entity)[name]
    return found.words if found.kind is FieldKind.WORD else ()


def _checked_words(words: object, where: str, allowed: tuple[str, ...], problems: list[str]) -> dict[str, str]:
    checked = {}
    for word, canonical in _entries(words, where, problems):
        # YAML reads on, off, yes and no as true and false: such a word must be quoted, and then it is text.
        if canonical in allowed and isinstance(canonical, str):
            checked[word] = canonical
        else:
            problems.append(f"{where}.{word}: {canonical!r} is not one of {', '.join(allowed)}")
    return checked
