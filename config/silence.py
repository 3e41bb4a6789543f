"""How libpq notices a server that has gone without a word: a cable, a firewall that forgot the connection, a host that was switched off.

The system's own patience is two hours where nothing is sent, and a quarter of an hour where something is. A minute is longer than a
failover of the network takes. Source: PostgreSQL documentation, libpq, keepalives and tcp_user_timeout; without effect on local sockets.
"""

from __future__ import annotations

from collections.abc import Mapping

LONGEST_SILENCE_S = 60
_PROBES, _BETWEEN_S = 3, 10


def noticing_silence(given: Mapping[str, object]) -> dict[str, str]:
    """Return parameters by which a connection ends after LONGEST_SILENCE_S without a sign of its server, but for those that are given."""
    parameters = {
        "keepalives_idle": LONGEST_SILENCE_S - _PROBES * _BETWEEN_S,
        "keepalives_interval": _BETWEEN_S,
        "keepalives_count": _PROBES,
        "tcp_user_timeout": LONGEST_SILENCE_S * 1000,  # ms; for what was sent and is not acknowledged
    }
    return {name: str(value) for name, value in parameters.items() if name not in given}
