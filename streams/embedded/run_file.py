"""What runs where: ``run.json`` in the data folder, written by the supervisor, read by every other command."""

from __future__ import annotations

import os
import re
from pathlib import Path

import msgspec
import psutil
from pydantic import SecretStr

from streams.settings import Settings

# The user:password part of a URL, a password among its parameters or in a list of key=value.
_URL_PASSWORD = re.compile(r"(?<=://)([^/@\s:]*):[^/@\s]*@")
_PASSWORD_PARAMETER = re.compile(r"((?:ssl)?password=)('[^']*'|[^&\s]*)")


class ProcessState(msgspec.Struct, frozen=True, kw_only=True):
    """One supervised process."""

    name: str
    pid: int | None
    state: str
    restarts: int
    last_exit: str
    log: str


class RunState(msgspec.Struct, frozen=True, kw_only=True):
    """The stack of one data folder; DSNs lack their passwords."""

    supervisor_pid: int
    supervisor_created: float
    data_dir: str
    started_at: str
    simulated: bool
    broker: str
    broker_embedded: bool
    metrics_dsn: str
    assets_dsn: str
    database_embedded: bool
    page: str
    processes: list[ProcessState]


def without_password(dsn: str) -> str:
    """Return a DSN that may be shown.

    >>> without_password("postgresql://me:secret@host/db?sslpassword=x&sslmode=require")
    'postgresql://me:***@host/db?sslpassword=***&sslmode=require'
    """
    return _PASSWORD_PARAMETER.sub(r"\1***", _URL_PASSWORD.sub(r"\1:***@", dsn))


def write_run(data_dir: Path, run: RunState) -> None:
    """Replace the run file in one move: a reader sees the old one or the new one whole."""
    path = data_dir / "run.json"
    part = path.with_name("run.json.part")
    part.write_bytes(msgspec.json.format(msgspec.json.encode(run), indent=2))
    part.replace(path)


def read_run(data_dir: Path) -> RunState | None:
    """Return the stack that runs on ``data_dir`` now; None when none does."""
    try:
        run = msgspec.json.decode((data_dir / "run.json").read_bytes(), type=RunState)
        alive = abs(psutil.Process(run.supervisor_pid).create_time() - run.supervisor_created) < 1.0
    except (FileNotFoundError, msgspec.DecodeError, psutil.NoSuchProcess):
        return None
    return run if alive else None


def remove_run(data_dir: Path) -> None:
    """Forget the stack: it has ended."""
    (data_dir / "run.json").unlink(missing_ok=True)


def supervisor_identity() -> tuple[int, float]:
    """Return this process's id and time of creation: together they are never those of another process."""
    return os.getpid(), psutil.Process().create_time()


def connected(settings: Settings) -> Settings:
    """Return settings in which unset servers are those of the stack that runs on ``data_dir``, if any does."""
    run = read_run(settings.data_dir)
    if run is None:
        return settings
    update: dict[str, object] = {}
    if not settings.broker and run.broker_embedded:
        update["broker"] = run.broker
    if not settings.metrics_dsn.get_secret_value() and run.database_embedded:
        update["metrics_dsn"] = SecretStr(run.metrics_dsn)
    return settings.model_copy(update=update)
