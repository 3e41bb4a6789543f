"""The interface that both protocols have, and which one an Odoo is spoken to by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from loaders.odoo.rpc.calls import CallKind


class Transport(Protocol):
    """A user of one Odoo over one kept-alive connection. Connects at the first call; raises OdooError only. Not thread-safe."""

    @property
    def version(self) -> str:
        """Odoo's version, e.g. ``18.0``."""

    def login(self) -> int:
        """Make sure of the user, and return the user's id. Raises OdooError: AUTHENTICATION, SETTINGS (no such database), CONNECTION, ..."""

    def call(self, model: str, method: str, args: Sequence[Any], named: Mapping[str, Any], kind: CallKind) -> Any:
        """Call a model's public method once; `named` has the context too. A method without a result gives None."""

    def close(self) -> None:
        """Close the connection; the next call opens another."""
