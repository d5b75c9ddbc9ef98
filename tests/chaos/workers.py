"""Worker processes that faults are done to, each restarted when it ends, as the stack does."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from streams.settings import Settings

_RESTART_SECONDS = 0.5
_END_SECONDS = 40.0
_ROOT = Path(__file__).resolve().parents[2]


class Worker:
    """One place for a worker; a process runs there while ``wanted``.

    Parameters
    ----------
    arguments
        What Python runs.
    """

    def __init__(self, name: str, settings: Settings, folder: Path, arguments: Sequence[str]) -> None:
        self.name = name
        self.log_path = folder / f"{name}.log"
        self.starts = 0
        self.ends: list[int] = []
        self._arguments = tuple(arguments)
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(_ROOT),
            "GPU_HEALTH_BROKER": settings.broker,
            "GPU_HEALTH_TOPIC_PREFIX": settings.topic_prefix,
            "GPU_HEALTH_PARTITIONS": str(settings.partitions),
            "GPU_HEALTH_SESSION_TIMEOUT_SECONDS": str(settings.session_timeout_seconds),
        }
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """Return the process id; 0 where nothing runs."""
        return self._process.pid if self._process is not None and self._process.returncode is None else 0

    def start(self) -> None:
        """Run a process here, and again whenever it ends."""
        if self._keeper is None:
            self._keeper = asyncio.create_task(self._keep(), name=f"keep {self.name}")

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End the process for good; wait until it is gone."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
            self._keeper = None
        self.send(signal.SIGCONT)
        self.send(number)
        if self._process is not None:
            self.ends.append(await asyncio.wait_for(self._process.wait(), _END_SECONDS))
            self._process = None

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if a process runs."""
        if self.pid:
            os.kill(self.pid, number)

    def log_tail(self, lines: int = 30) -> str:
        """Return the end of the log."""
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])

    async def _keep(self) -> None:
        while True:
            with self.log_path.open("ab") as log:
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    *self._arguments,
                    env=self._environment,
                    cwd=_ROOT,
                    stdout=log,
                    stderr=asyncio.subprocess.STDOUT,
                )
            self.starts += 1
            self.ends.append(await self._process.wait())
            self._process = None
            await asyncio.sleep(_RESTART_SECONDS)
