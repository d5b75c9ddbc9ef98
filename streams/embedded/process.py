"""Child processes that die with their parent, write to one log file, and are stopped in order."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from schemas.errors import ShutdownError

_PR_SET_PDEATHSIG = 1
_POLL_SECONDS = 0.05


class ChildCrashed(ShutdownError):
    """A child ended by itself; the message carries the tail of its log."""


def die_with_parent(parent_pid: int, death_signal: signal.Signals) -> Callable[[], None]:
    """Return a function to run in a new child, before exec, that ties its life to ``parent_pid``.

    Linux sends ``death_signal`` when the thread that forked ends, SIGKILL of the parent included, so fork
    from the main thread. The parent may be gone before the request is made: then the child ends at once.
    Elsewhere than on Linux the function does nothing.
    """
    if not sys.platform.startswith("linux"):
        return lambda: None
    # Loaded here, in the parent: a forked child of a process with threads must not import or allocate much.
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def tie() -> None:
        prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != parent_pid:
            os._exit(1)

    return tie


def spawn(
    arguments: Sequence[str],
    *,
    log_path: Path,
    death_signal: signal.Signals = signal.SIGTERM,
    environment: Mapping[str, str] | None = None,
    user: int | None = None,
    group: int | None = None,
    cwd: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start ``arguments`` in its own session, with its output appended to ``log_path``.

    Its own session keeps a Ctrl-C in the terminal from reaching it: the supervisor decides the order.
    """
    log_path.parent.mkdir(parents=True, exist_ok=True)
    with log_path.open("ab") as log:
        return subprocess.Popen(
            list(arguments),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=dict(environment) if environment is not None else None,
            cwd=cwd,
            user=user,
            group=group,
            extra_groups=[] if user is not None else None,
            start_new_session=True,
            preexec_fn=die_with_parent(os.getpid(), death_signal),
        )


def log_tail(path: Path, lines: int = 20) -> str:
    """Return the last ``lines`` lines of a log; the empty string when there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 16_384))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def describe_exit(name: str, code: int | None, log_path: Path) -> str:
    """Say in one message that a child ended, how, and what its log says last."""
    if code is not None and code < 0:
        how = f"was killed by {signal.Signals(-code).name}"
    else:
        how = f"ended with code {code}"
    return f"{name} {how}; the end of {log_path}:\n{log_tail(log_path)}"


async def stop(
    process: subprocess.Popen[bytes],
    *,
    ask: signal.Signals = signal.SIGTERM,
    patience_seconds: float = 10.0,
) -> None:
    """Ask a child to end, wait, then kill it; return when it is gone."""
    if process.poll() is not None:
        return
    process.send_signal(ask)
    if await ended(process, patience_seconds):
        return
    process.kill()
    process.wait()


async def ended(process: subprocess.Popen[bytes], patience_seconds: float) -> bool:
    """Wait at most ``patience_seconds`` for a child to end; tell whether it did."""
    deadline = asyncio.get_running_loop().time() + patience_seconds
    while process.poll() is None:
        if asyncio.get_running_loop().time() >= deadline:
            return False
        await asyncio.sleep(_POLL_SECONDS)
    return True
