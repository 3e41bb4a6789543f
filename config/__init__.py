"""Settings models, their loading and secrets, and the bridge's errors. Imports none of the other packages."""

from __future__ import annotations

from config.errors import CausewayError, Disposition, ErrorKind, disposition
from config.loading import DEFAULT_FILE, ENV_PREFIX, SettingsError, load_settings
from config.settings import Connection, Lane, Settings, SourceRole, SourceSettings

__all__ = [
    "DEFAULT_FILE",
    "ENV_PREFIX",
    "CausewayError",
    "Connection",
    "Disposition",
    "ErrorKind",
    "Lane",
    "Settings",
    "SettingsError",
    "SourceRole",
    "SourceSettings",
    "disposition",
    "load_settings",
]
