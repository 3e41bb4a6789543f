"""Packs: folders of mappings with their status maps that come with the bridge."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def pack_path(name: str) -> Path:
    """Return the folder of a pack, e.g. ``pack_path("demo")``; FileNotFoundError where there is none of that name."""
    path = Path(str(files(__name__).joinpath(name)))
    if not (path.is_dir() and any(path.rglob("*.sql"))):
        raise FileNotFoundError(f"there is no pack of mappings {name!r}")
    return path
