"""The data directory of an embedded server: made by initdb, configured, and asked whether its server is ready.

`sandbox.postgres` owns the directory's life and the server's process; this module only knows what lies in the directory:
`data` (PGDATA), `s` (the socket's folder) and `server.log`.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox.private_directory import DATA_NAME
from sandbox.server_account import ServerAccount

SUPERUSER = "postgres"

_SETTINGS: Mapping[str, str] = {
    "wal_level": "logical",
    "max_replication_slots": "32",
    "max_wal_senders": "32",
    "max_connections": "200",
    # The data live as long as their owner, so there is no power failure to survive. A killed server still recovers: what it
    # has written is in the operating system's cache.
    "fsync": "off",
    "full_page_writes": "off",
    "wal_compression": "off",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "30min",
    "log_checkpoints": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}

# Whoever can enter the socket's folder is trusted; over TCP a password is checked.
_HOST_RULES = """\
local all         all              trust
local replication all              trust
host  all         all 127.0.0.1/32 scram-sha-256
host  replication all 127.0.0.1/32 scram-sha-256
"""


class PostgresStartError(RuntimeError):
    """The embedded server did not come up; the message ends with its log's last lines."""


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A data directory in the private directory `root`, and the programs and the account that serve it."""

    root: Path
    bin_path: Path
    account: ServerAccount

    @property
    def data(self) -> Path:
        """PGDATA."""
        return self.root / DATA_NAME

    @property
    def socket_folder(self) -> Path:
        """Where the server's socket lies; only the account and root can enter it."""
        return self.root / "s"

    @property
    def log(self) -> str:
        """What the server has logged so far."""
        path = self.root / "server.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def initialise(self, settings: Mapping[str, str], *, port: int, listen_addresses: str) -> None:
        """Run initdb and write the configuration, in which `settings` come last. Raises PostgresStartError."""
        for folder in (self.data, self.socket_folder):
            folder.mkdir(mode=0o700)
            self.account.own(folder)
        self.root.chmod(0o711)
        self._run_initdb()
        place = {
            "unix_socket_directories": str(self.socket_folder),
            "port": str(port),
            "listen_addresses": listen_addresses,
        }
        self.configure({**_SETTINGS, **place, **settings})
        (self.data / "pg_hba.conf").write_text(_HOST_RULES)

    def configure(self, settings: Mapping[str, str]) -> None:
        """Append settings to postgresql.conf; the last one of a name wins, and ALTER SYSTEM wins over all of them."""
        with (self.data / "postgresql.conf").open("a") as file:
            for name, value in settings.items():
                quoted = value.replace("'", "''")
                file.write(f"{name} = '{quoted}'\n")

    def launch(self) -> subprocess.Popen[bytes]:
        """Start the server as our child, without waiting for it."""
        with (self.root / "server.log").open("ab") as log:
            return subprocess.Popen(
                [self.bin_path / "postgres", "-D", self.data],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.root,
                user=self.account.uid,
                group=self.account.gid,
                extra_groups=self.account.extra_groups,
                # Ctrl-C in a terminal goes to us, and we stop the server.
                start_new_session=True,
            )

    def is_ready(self, pid: int) -> bool:
        """Whether the postmaster `pid` accepts connections: the line of postmaster.pid that pg_ctl waits for.

        src/bin/pg_ctl/pg_ctl.c, wait_for_postmaster_start.
        """
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"

    def _run_initdb(self) -> None:
        options = ["--no-sync", "--no-instructions", "--encoding=UTF8", "--locale=C", "--auth=trust"]
        try:
            subprocess.run(
                [self.bin_path / "initdb", "-D", self.data, "-U", SUPERUSER, *options],
                check=True,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                cwd=self.root,
                user=self.account.uid,
                group=self.account.gid,
                extra_groups=self.account.extra_groups,
            )
        except subprocess.CalledProcessError as error:
            raise PostgresStartError(f"initdb of the embedded PostgreSQL failed:\n{error.stderr}") from error
