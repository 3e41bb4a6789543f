"""The five databases of the sandbox, and the role that reads them.

`create_databases` makes `shop`, `market` and `wms` with their tables, and `odoo` and `causeway` empty: the stand-in Odoo and
the bridge make their own. `create_capture_role` makes the role that a DBA would grant the bridge. `open_sources` opens the
superuser's connections through which a day, a load or a file of orders is played.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from sandbox.postgres import SUPERUSER, EmbeddedPostgres

SOURCES = ("shop", "market", "wms")
ODOO = "odoo"
STATE = "causeway"
DATABASES = (*SOURCES, ODOO, STATE)

CAPTURE_ROLE = "causeway"

_SCHEMAS = Path(__file__).parent / "schemas"


@dataclass(frozen=True, kw_only=True)
class Sources:
    """A connection to each of the sources, in autocommit: what is played on them says BEGIN and COMMIT itself."""

    shop: psycopg.Connection
    market: psycopg.Connection
    wms: psycopg.Connection

    def of(self, database: str) -> psycopg.Connection:
        """The connection to the source named `database`."""
        return {"shop": self.shop, "market": self.market, "wms": self.wms}[database]


def create_databases(server: EmbeddedPostgres) -> None:
    """Make the five databases, the sources' tables in them."""
    for name in DATABASES:
        server.create_database(name)
    for name in SOURCES:
        apply_schema(server.dsn(name), name)


def apply_schema(dsn: str, source: str) -> None:
    """Make the tables of `source` in the empty database behind `dsn`."""
    with psycopg.connect(dsn) as connection:
        connection.execute((_SCHEMAS / f"{source}.sql").read_bytes())


@contextmanager
def open_sources(server: EmbeddedPostgres) -> Iterator[Sources]:
    """Open the connections to shop, market and wms, and close them at the end."""
    with ExitStack() as stack:
        shop, market, wms = (stack.enter_context(server.connect(name, autocommit=True)) for name in SOURCES)
        yield Sources(shop=shop, market=market, wms=wms)


def create_capture_role(server: EmbeddedPostgres, *, password: str | None = None) -> None:
    """Make the role `causeway`, with no more than capture needs, and owner of its own state database.

    REPLICATION and SELECT, the latter on tables that are still to be made too. It can't make publications: CREATE PUBLICATION
    ... FOR TABLE needs each table's owner, so the DBA makes them (`create_publication`).
    """
    role = sql.Identifier(CAPTURE_ROLE)
    with server.connect(autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN REPLICATION PASSWORD {}").format(role, sql.Literal(password)))
        connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(sql.Identifier(STATE), role))
    for name in (*SOURCES, ODOO):
        with server.connect(name, autocommit=True) as connection:
            _grant_reading(connection, name, role)


def create_publication(server: EmbeddedPostgres, database: str, name: str, tables: Sequence[str]) -> None:
    """Make the publication `name` of exactly these tables of the schema public, as the database's DBA."""
    names = sql.SQL(", ").join(sql.Identifier("public", table) for table in tables)
    with server.connect(database, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE PUBLICATION {} FOR TABLE {}").format(sql.Identifier(name), names))


def _grant_reading(connection: psycopg.Connection, database: str, role: sql.Identifier) -> None:
    grants = (
        "GRANT CONNECT ON DATABASE {database} TO {role}",
        "GRANT USAGE ON SCHEMA public TO {role}",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}",
        "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public GRANT SELECT ON TABLES TO {role}",
    )
    names = {"database": sql.Identifier(database), "role": role, "owner": sql.Identifier(SUPERUSER)}
    for grant in grants:
        connection.execute(sql.SQL(grant).format(**names))
