"""The documentation against the code: every command, setting, exit code and field is in the reference, and nothing that is gone."""

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
import typer
from pydantic import BaseModel

from causeway.cli import app
from causeway.exits import Exit
from causeway.metrics import METRICS
from config.policies import Policies
from config.settings import Settings
from transforms.canonical import ENTITIES

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
FENCE = re.compile(r"^```(console|bash)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in models_in(part)]


def settings_of(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, str]]:
    """Yield each setting's dotted name and its meaning."""
    for name, field in model.model_fields.items():
        here = f"{path}{field.alias or name}"
        inner = models_in(field.annotation)
        if not inner:
            yield here, field.description or ""
            continue
        container = get_origin(field.annotation)
        suffix = ".NAME" if container is dict else "[]" if container is tuple else ""
        yield from settings_of(inner[0], f"{here}{suffix}.")


@cache
def commands() -> dict[str, set[str]]:
    """Return each command's name with its long options."""
    found: dict[str, set[str]] = {}

    def walk(command: Any, name: str) -> None:
        for word, inner in getattr(command, "commands", {}).items():
            walk(inner, f"{name} {word}")
        if not hasattr(command, "commands"):
            found[name] = {word for option in command.params for word in option.opts if word.startswith("--")}

    walk(typer.main.get_command(app), "causeway")
    return found


def rows(page: Path) -> list[list[str]]:
    """Return the cells of the tables' rows that begin with a name in backticks."""
    lines = [line for line in page.read_text().splitlines() if line.startswith("| `")]
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines]


def test_the_settings_page_names_every_setting_with_its_meaning_and_none_that_is_gone() -> None:
    documented = {name: meaning for name, _, _, meaning in rows(REFERENCE / "settings.md")}
    known = {name: meaning.strip("`") for name, meaning in settings_of(Settings) if not name.startswith("policies.")}
    assert documented == known | {"policies": "file of the policies"}


def test_the_policies_page_names_every_policy_with_its_meaning_and_none_that_is_gone() -> None:
    documented = {name: meaning for name, _, _, meaning in rows(REFERENCE / "policies.md")}
    assert documented == {name: meaning.strip("`") for name, meaning in settings_of(Policies)}


def test_the_metrics_page_names_every_metric_and_none_that_is_gone() -> None:
    documented = [tuple(cells) for cells in rows(REFERENCE / "metrics.md")]
    assert documented == [(each.name, each.kind, ", ".join(each.labels), each.help) for each in METRICS]


def test_the_commands_page_names_every_command_and_option_and_none_that_is_gone() -> None:
    text = (REFERENCE / "commands.md").read_text()
    known = commands()
    assert all(f"`{name}" in text for name in known), [name for name in known if f"`{name}" not in text]
    options = set().union(*known.values()) - {"--help"}
    assert set(re.findall(r"`(--[a-z-]+)", text)) == options


def test_the_canonical_model_page_names_every_field_of_every_entity_and_none_that_is_gone() -> None:
    text = (REFERENCE / "canonical-model.md").read_text()
    sections = {section.split("\n", 1)[0]: section for section in text.split("\n## ")[1:]}
    assert list(sections) == list(ENTITIES)
    for name, model in ENTITIES.items():
        documented = re.findall(r"^\| `(\w+)` \|.*\| (required)? ?\|$", sections[name], re.MULTILINE)
        fields = [(field, "required" * model.model_fields[field].is_required()) for field in model.business_fields()]
        assert documented == fields, name


def test_the_exit_codes_page_names_every_code() -> None:
    text = (REFERENCE / "exit-codes.md").read_text()
    documented = re.findall(r"^\| (\d+) \| (\w+) \|", text, re.MULTILINE)
    assert documented == [(str(code.value), code.name) for code in Exit]


def blocks() -> Iterator[tuple[Path, str]]:
    """Yield each line that a reader is to type, with its page."""
    for page in PAGES:
        for _, block in FENCE.findall(page.read_text()):
            for line in block.replace("\\\n", " ").splitlines():
                yield page, line


def causeway_lines() -> list[tuple[str, str]]:
    return [(page.name, found[1]) for page, line in blocks() if (found := re.search(r"(?:^|[/ ])(causeway .*)$", line))]


@pytest.mark.parametrize(("page", "line"), causeway_lines())
def test_a_command_in_a_block_exists_with_the_options_it_is_given(page: str, line: str) -> None:
    words = shlex.split(line)
    name = next((name for name in commands() if words[: len(name.split())] == name.split()), None)
    assert name is not None, f"{page}: {line}"
    given = {word.split("=")[0] for word in words if word.startswith("--")}
    assert given <= commands()[name], f"{page}: {line}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_command_named_in_the_text_exists(page: Path) -> None:
    prose = FENCE.sub("", page.read_text())
    named = {" ".join(words.split()) for words in re.findall(r"`(causeway(?: [a-z][a-z-]*)+)", prose)}
    groups = {name.rpartition(" ")[0] for name in commands()}
    assert named <= set(commands()) | groups, named


def test_every_make_target_in_a_block_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    used = {found[1] for _, line in blocks() if (found := re.match(r"make (\w+)", line))}
    assert used
    assert used <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        path, _, anchor = target.partition("#")
        if "://" in target:
            continue
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", linked.read_text(), re.MULTILINE)
            assert anchor in {heading.lower().replace(" ", "-") for heading in headings}, target


def test_the_index_leads_to_every_page() -> None:
    index = (DOCS / "index.md").read_text()
    pages = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")} - {"index.md"}
    assert set(re.findall(r"\]\(([^)#]+)\)", index)) == pages
