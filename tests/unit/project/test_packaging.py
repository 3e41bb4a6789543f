"""What is installed is what was written: requirements are pinned without an address, and the wheel holds every data file."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
REQUIREMENTS = sorted(ROOT.glob("requirements*.txt"))
PACKAGES = sorted({name.removesuffix(".*") for name in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]})


def pinned(file: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", file.read_text(), re.MULTILINE))


@pytest.mark.parametrize("file", REQUIREMENTS, ids=lambda file: file.name)
def test_requirements_are_pinned_and_hashed_and_name_no_address(file: Path) -> None:
    text = file.read_text()
    assert "://" not in text
    assert not re.search(r"^\s*-(?!-hash=)", text, re.MULTILINE)
    entries = re.split(r"^(?=[A-Za-z0-9])", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE), flags=re.MULTILINE)
    for entry in filter(str.strip, entries):
        assert re.match(r"[a-z0-9-]+==\S+ \\\n(    --hash=sha256:[0-9a-f]{64}( \\)?\n)+$", entry), entry


def test_the_requirements_files_agree_with_each_other() -> None:
    run = pinned(ROOT / "requirements.txt")
    for name in ("requirements-dev.txt", "requirements-debezium.txt"):
        other = pinned(ROOT / name)
        assert {package: other.get(package) for package in run} == run, name


def test_every_dependency_of_the_project_is_pinned() -> None:
    project = PROJECT["project"]
    extras = project["optional-dependencies"]
    for file, wanted in (
        ("requirements.txt", project["dependencies"] + extras["sandbox"]),
        ("requirements-dev.txt", extras["dev"]),
        ("requirements-debezium.txt", extras["debezium"]),
    ):
        names = {re.split(r"[^A-Za-z0-9-]", dependency)[0] for dependency in wanted}
        assert names <= set(pinned(ROOT / file)), file


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_the_packages(tmp_path: Path) -> None:
    pytest.importorskip(
        "setuptools", minversion="77", reason="make test installs the setuptools that builds the project"
    )
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    present = [name for name in PACKAGES if (ROOT / name).is_dir()]
    for name in present:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    wanted = {
        str(path.relative_to(source)) for name in present for path in (source / name).rglob("*") if path.is_file()
    }
    code = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    built = subprocess.run(
        [sys.executable, "-c", code, tmp_path], cwd=source, env=environment, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    assert wanted <= set(zipfile.ZipFile(wheel).namelist())
