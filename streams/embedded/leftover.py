"""Servers that an earlier run left behind, recognised by their own data folder in their command line."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import psutil

_PATIENCE_SECONDS = 10.0
_POLL_SECONDS = 0.05


def process_of(pid: int, folder: Path) -> psutil.Process | None:
    """Return process ``pid`` if it runs on ``folder``; another one that was given the same pid is not it."""
    try:
        process = psutil.Process(pid)
        arguments = process.cmdline()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None
    return process if any(str(folder) in argument for argument in arguments) else None


def end_leftover(pid_path: Path, folder: Path, *, ask: signal.Signals = signal.SIGTERM) -> None:
    """End the server of an earlier run whose pid is in the first line of ``pid_path``, if it still runs.

    A supervisor that was killed takes its servers with it on Linux, but they need a moment to close their
    files; elsewhere they stay. Two servers on one data folder would ruin it. A file whose pid belongs to
    somebody else now (after a restart of a container, say) is removed, since PostgreSQL would take that
    process for itself; one whose process is gone is left to the server, which looks for orphans of its own.
    """
    try:
        pid = int(pid_path.read_text().split()[0])
    except (FileNotFoundError, ValueError, IndexError):
        return
    process = process_of(pid, folder)
    if process is not None:
        process.send_signal(ask)
        if not _gone(process):
            process.kill()
            _gone(process)
    elif psutil.pid_exists(pid) and not _anybody_in(folder):
        pid_path.unlink(missing_ok=True)


def _gone(process: psutil.Process) -> bool:
    """Wait a while for a process that is not our child to end; a zombie nobody reaps has ended, too."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(_POLL_SECONDS)
    return False


def _anybody_in(folder: Path) -> bool:
    """Tell whether any process has ``folder`` as its working directory, as every process of PostgreSQL has."""
    return any(process.info["cwd"] == str(folder) for process in psutil.process_iter(["cwd"]))
