"""``python -m causeway``: the same as the command `causeway`; the supervisor starts its lanes so."""

from __future__ import annotations

from causeway.cli import main

if __name__ == "__main__":
    main()
