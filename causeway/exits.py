"""Exit codes of every command, and which error ends in which. docs/reference/exit-codes.md says the same."""

from __future__ import annotations

from enum import IntEnum

from config.errors import ErrorKind


class Exit(IntEnum):
    """What a command's end says to the program that called it."""

    OK = 0
    FOUND = 1  # the command ran; what it looked at is not as it should be
    SETTINGS = 2  # settings, mappings or arguments are wrong; nothing was done
    UNAVAILABLE = 3  # a server, a slot or a file is not to be had now; the same may succeed later
    REFUSED = 4  # going on would lose or corrupt something; the message says what a person must do
    INTERNAL = 70  # a bug (EX_SOFTWARE of sysexits.h)


_BY_KIND: dict[ErrorKind, Exit] = {
    ErrorKind.SETTINGS: Exit.SETTINGS,
    ErrorKind.MAPPING: Exit.SETTINGS,
    ErrorKind.CONNECTION: Exit.UNAVAILABLE,
    ErrorKind.SLOT_IN_USE: Exit.UNAVAILABLE,
    ErrorKind.THROTTLED: Exit.UNAVAILABLE,
    ErrorKind.TRANSIENT: Exit.UNAVAILABLE,
    ErrorKind.WAREHOUSE: Exit.UNAVAILABLE,
    ErrorKind.INTERNAL: Exit.INTERNAL,
}


def exit_code(kind: ErrorKind) -> Exit:
    """Return the exit code of a command that ended with an error of this kind."""
    return _BY_KIND.get(kind, Exit.REFUSED)
