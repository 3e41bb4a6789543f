"""The cases that break capture, and the page that says what Causeway does with each, made from the tests.

    @pytest.mark.case("an explicit NULL", "told apart from a value that was not sent")
    def test_...                           the first words name a case below; the others say what Causeway does

    python -m tests.capture_cases          writes docs/reference/capture-cases.md anew

The tests are read, not run: their markers are literals. A test shows its case on each version that EVERY_POSTGRES gives it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.fixtures.postgres import NEWEST, VERSIONS

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reference" / "capture-cases.md"

CASES: dict[str, tuple[str, ...]] = {
    "Snapshot and position": (
        "a commit between the exported snapshot and the recorded LSN",
        "insert, update, delete, and insert then delete while the copy runs",
        "several rows at one LSN and a kill in the middle of their transaction",
        "changes after a logical decoding message, then a restart",
        "a new slot behind an old stored position",
        "a stored position behind the slot",
        "another cluster under the same name",
        "a promoted standby",
    ),
    "Acknowledgement": (
        "killed after the destination committed and before the slot was told",
        "a reply lost after the destination committed",
        "a keepalive before what was sent is durable",
        "two readers on one slot",
        "captured tables idle while others write",
        "a fast shutdown of Postgres",
        "wal_sender_timeout while a long batch is applied",
    ),
    "Transactions": (
        "millions of rows in one transaction",
        "interleaved large transactions",
        "a rolled-back savepoint in a spilled transaction",
        "a DELETE of every row",
        "TRUNCATE then INSERT in one transaction",
        "TRUNCATE of several tables",
        "TRUNCATE CASCADE",
        "TRUNCATE of one partition only",
    ),
    "Rows": (
        "unchanged TOAST in an insert and a partial update of one batch",
        "TOAST changed, then unchanged",
        "an explicit NULL in a TOAST column",
        "unchanged TOAST under REPLICA IDENTITY FULL",
        "unchanged TOAST in arrays and jsonb",
        "replica identity default",
        "replica identity index, where the key is not the primary key",
        "replica identity full",
        "replica identity nothing",
        "composite keys declared in another order",
        "a changed primary key",
        "a table without a key",
    ),
    "Schema": (
        "DDL between changes of one transaction",
        "a column added",
        "a column dropped",
        "a column renamed",
        "a column dropped and added again under the same name",
        "a changed type or modifier",
        "DROP and CREATE of the same table",
        "stored generated columns",
        "PostgreSQL 18's publish_generated_columns",
        "an enum value added while streaming",
        "nested partitions with publish_via_partition_root on",
        "partitions with publish_via_partition_root off",
        "partitions with another column order",
        "a partition attached",
        "a partition detached",
        "a table added to the publication while running",
        "a table dropped from the publication while running",
        "a table dropped from the publication and added again while nobody read",
        "row filters",
        "column lists",
        "names that are quoted, mixed-case or keywords",
    ),
    "Values": (
        "infinity and -infinity of date, timestamp and timestamptz",
        "BC dates",
        "24:00:00",
        "NaN and infinite numeric",
        "numeric of more than 38 digits",
        "numeric without precision",
        "money",
        "intervals with months",
        "arrays: nested, NULL elements, shifted bounds",
        "domains of domains",
        "enums",
        "composites",
        "hstore",
        "json and jsonb: duplicate keys, \\u0000 refused by Postgres",
        "bytea",
        "bit",
        "uuid",
        "inet",
        "macaddr",
        "ranges and multiranges",
        "tsvector",
        "xml",
        "oid",
        "empty strings",
        "1 MB strings",
        "every kind of NULL",
    ),
    "Slots": (
        "lost",
        "dropped",
        "recreated",
        "invalidated by max_slot_wal_keep_size",
        "invalidated by idle_replication_slot_timeout",
        "failover slots",
        "a standby as the source",
    ),
    "Tables of one source": ("one poison table neither stalls the others nor pins the slot",),
}

# What nothing shows yet; the page says so.
UNSHOWN: tuple[str, ...] = ()

_HEAD = """\
# Cases of capture

Each of these broke some bridge. Each has a test, where the page does not say otherwise, against a real PostgreSQL, compared with the source row by row.
This page is made from those tests (`python -m tests.capture_cases`); a page that is not theirs fails the build, and so does a case that has none
without the page saying so.
"""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A test that shows a case: what Causeway does (empty where another test says it), and the versions it runs on."""

    case: str
    handling: str
    test: str
    file: Path
    versions: tuple[int, ...]


def shown() -> Iterator[Shown]:
    """Read the `case` markers of all test files."""
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        text = file.read_text()
        if "mark.case(" in text:
            yield from _in_file(file, ast.parse(text))


def _in_file(file: Path, module: ast.Module) -> Iterator[Shown]:
    marks = [node.value for node in module.body if isinstance(node, ast.Assign) and _assigns(node, "pytestmark")]
    everywhere = any("EVERY_POSTGRES" in ast.unparse(mark) for mark in marks)
    for node in module.body:
        if isinstance(node, ast.FunctionDef):
            every = everywhere or any(ast.unparse(one) == "EVERY_POSTGRES" for one in node.decorator_list)
            for words in _cases(node):
                yield Shown(
                    case=words[0],
                    handling=words[1] if len(words) > 1 else "",
                    test=node.name,
                    file=file.relative_to(ROOT),
                    versions=VERSIONS if every else _given(node),
                )


def _assigns(node: ast.Assign, name: str) -> bool:
    return any(isinstance(target, ast.Name) and target.id == name for target in node.targets)


def _cases(function: ast.FunctionDef) -> Iterator[list[str]]:
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.case":
            yield [str(ast.literal_eval(argument)) for argument in decorator.args]


def _given(function: ast.FunctionDef) -> tuple[int, ...]:
    """The versions of @pytest.mark.parametrize("postgres_version", [...]); without it, the newest."""
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Call) and decorator.args and "postgres_version" in ast.unparse(decorator.args[0]):
            return tuple(int(version) for version in ast.literal_eval(decorator.args[1]))
    return (NEWEST,)


def page() -> str:
    """Return the page as the tests make it."""
    found: dict[str, list[Shown]] = {}
    for one in shown():
        found.setdefault(one.case, []).append(one)
    sections = [f"## {section}\n\n{_table(cases, found)}" for section, cases in CASES.items()]
    return "\n".join([_HEAD, *sections])


def _table(cases: tuple[str, ...], found: dict[str, list[Shown]]) -> str:
    rows = [_row(case, found.get(case, [])) for case in cases]
    return "\n".join(["| case | what Causeway does | shown on | tests |", "|---|---|---|---|", *rows, ""])


def _row(case: str, tests: list[Shown]) -> str:
    handling = next((one.handling for one in tests if one.handling), "")
    if not tests:
        return f"| {_cell(case)} | no test yet | | |"
    versions = sorted({version for one in tests for version in one.versions})
    names = "<br>".join(f"`{one.test}` ({one.file.parts[-2]}/{one.file.name})" for one in tests)
    return f"| {_cell(case)} | {_cell(handling)} | {', '.join(map(str, versions))} | {names} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page())
