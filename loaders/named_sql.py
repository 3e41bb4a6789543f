"""Named statements of this package's .sql files: each begins at a line ``-- name: NAME``."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import LiteralString, cast

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def statements(file: str) -> dict[str, LiteralString]:
    """Return the statements of `file` by name. The files ship with the package, so their text is as good as a literal."""
    text = resources.files("loaders").joinpath(file).read_text(encoding="utf-8")
    parts = _NAME.split(text)[1:]
    return {name: cast("LiteralString", sql.strip()) for name, sql in zip(parts[::2], parts[1::2], strict=True)}
