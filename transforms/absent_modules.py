"""Modules that DuckDB asks for again and again though they are not installed.

For every parameter of every statement DuckDB (1.5.5) imports pandas, twice, to see whether the value is one of its own; Python
looks through all of sys.path each time it is not there. The statement that stores a lane's position has nine parameters: 2 ms
instead of 0.4.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec

_ASKED_FOR = ("pandas",)


def note_absent_modules() -> None:
    """Let imports of what is not installed fail at once (`sys.modules`: None in place of a module does)."""
    for name in _ASKED_FOR:
        if name not in sys.modules and find_spec(name) is None:
            sys.modules[name] = None  # type: ignore[assignment]
