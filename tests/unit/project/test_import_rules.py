"""The import rules in pyproject.toml: each is broken once, in a copy of the layout, and the checker has to say so."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
MODULES = (
    "config/settings.py",
    "cdc/lsn.py",
    "cdc/relation.py",
    "cdc/column_types.py",
    "cdc/batch.py",
    "cdc/destination.py",
    "cdc/stream.py",
    "transforms/canonical.py",
    "transforms/mapping/compiler.py",
    "loaders/outbox.py",
    "warehouse/mirror.py",
    "causeway/cli.py",
    "causeway/demo/play.py",
    "sandbox/postgres.py",
)
ALLOWED = {
    "config/settings.py": "import pydantic",
    "cdc/__init__.py": "from cdc.stream import Stream\nfrom cdc.batch import Batch",
    "cdc/stream.py": "import config.settings\nfrom cdc.lsn import Lsn",
    "cdc/batch.py": "import cdc.stream",
    "transforms/canonical.py": "from cdc.batch import Batch\nimport config.settings",
    "transforms/mapping/compiler.py": "from cdc.relation import Relation\nfrom cdc.column_types import ColumnType",
    "loaders/outbox.py": "import odoorpc\nimport transforms.canonical\nfrom cdc.lsn import Lsn",
    "warehouse/mirror.py": "from cdc.destination import Destination\nimport transforms.canonical",
    "causeway/cli.py": "import causeway.demo\nimport cdc\nimport loaders.arriving.outbox\nimport warehouse.mirror",
    "causeway/demo/play.py": "import sandbox.postgres",
}
VIOLATIONS = [
    ("config/settings.py", "import cdc.lsn", "config imports none"),
    ("config/settings.py", "import sandbox", "config imports none"),
    ("cdc/stream.py", "import transforms.canonical", "cdc imports config only"),
    ("cdc/stream.py", "from warehouse import mirror", "cdc imports config only"),
    ("transforms/canonical.py", "import loaders.arriving.outbox", "transforms imports config and"),
    ("transforms/mapping/compiler.py", "import warehouse", "transforms imports config and"),
    ("loaders/outbox.py", "from warehouse.mirror import Mirror", "loaders imports config"),
    ("warehouse/mirror.py", "from loaders.arriving.outbox import Outbox", "warehouse imports config"),
    ("warehouse/mirror.py", "import causeway.cli", "warehouse imports config"),
    ("transforms/canonical.py", "import cdc", "of cdc"),
    ("transforms/mapping/compiler.py", "from cdc import Batch", "of cdc"),
    ("loaders/outbox.py", "from cdc.stream import Stream", "of cdc"),
    ("warehouse/mirror.py", "def f():\n    import cdc.stream", "of cdc"),
    ("sandbox/postgres.py", "import config.settings", "sandbox is the outside world"),
    ("sandbox/postgres.py", "from cdc.lsn import Lsn", "sandbox is the outside world"),
    ("causeway/cli.py", "import sandbox.postgres", "only the demo"),
    ("causeway/cli.py", "import odoorpc", "OdooRPC is imported"),
    ("warehouse/mirror.py", "import odoorpc", "OdooRPC is imported"),
]


def lay_out(folder: Path) -> None:
    """Write a small package tree that uses every import the rules allow."""
    shutil.copy(ROOT / "pyproject.toml", folder)
    for module in MODULES:
        path = folder / module
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        for parent in path.relative_to(folder).parents[:-1]:
            (folder / parent / "__init__.py").touch()
    for module, text in ALLOWED.items():
        (folder / module).write_text(text + "\n")


def lint(folder: Path) -> tuple[int, str]:
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def broken(report: str) -> list[str]:
    return [line for line in report.splitlines() if " BROKEN" in line]


def test_every_import_that_the_design_allows_passes(tmp_path: Path) -> None:
    lay_out(tmp_path)
    status, report = lint(tmp_path)
    assert status == 0, report


@pytest.mark.parametrize(("module", "text", "contract"), VIOLATIONS)
def test_an_import_against_the_rules_breaks_its_contract(tmp_path: Path, module: str, text: str, contract: str) -> None:
    lay_out(tmp_path)
    with (tmp_path / module).open("a") as file:
        file.write(text + "\n")
    status, report = lint(tmp_path)
    assert status == 1, report
    assert any(name.startswith(contract) for name in broken(report)), report
