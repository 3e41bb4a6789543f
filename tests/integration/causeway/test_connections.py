"""Connections to sources and to the state database end within a minute where the server has gone without a word."""

from __future__ import annotations

import psycopg
import pytest

from cdc import connection as source
from config.settings import Connection, StateSettings
from config.silence import LONGEST_SILENCE_S
from loaders import state
from tests.fixtures.postgres import FreshDatabase


def every_connection(settings: Connection) -> list[psycopg.Connection]:
    return [
        source.connect(settings, application_name="test"),
        source.connect_replication(settings, application_name="test"),
        state.connect(StateSettings(connection=settings)),
    ]


@pytest.mark.parametrize(("more", "timeout_ms"), [("", LONGEST_SILENCE_S * 1000), (" tcp_user_timeout=5000", 5000)])
def test_every_connection_notices_silence_as_the_settings_say_or_within_a_minute(
    database: FreshDatabase, more: str, timeout_ms: int
) -> None:
    for connection in every_connection(Connection(dsn=database.dsn + more)):
        with connection:
            given = connection.info.get_parameters()
        assert given["tcp_user_timeout"] == str(timeout_ms)
        idle, interval, count = (int(given[f"keepalives_{name}"]) for name in ("idle", "interval", "count"))
        assert idle + interval * count == LONGEST_SILENCE_S
