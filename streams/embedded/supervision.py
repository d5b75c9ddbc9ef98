"""Keeps one process running: waits for its end, says why, waits longer each time, starts it again."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from schemas.errors import ShutdownError
from streams.embedded.process import describe_exit, spawn, stop
from streams.embedded.run_file import ProcessState

_POLL_SECONDS = 0.2
_LOG_BYTES = 16 * 1024 * 1024


class Part(Protocol):
    """A process that can be kept running."""

    log_path: Path
    process: subprocess.Popen[bytes] | None

    async def start(self) -> None:
        """Start it; return when it serves, or at least runs."""

    async def stop(self) -> None:
        """End it in order."""

    def crash(self) -> str | None:
        """Return why it is gone; None while it runs."""


class Worker:
    """A process of our own: a role, or the simulated fleet. It dies with its supervisor, at once.

    Its state is safe against kill -9 by design, and waiting for brokers that die too would only keep it.

    Parameters
    ----------
    name
        Shown to people.
    arguments
        The command line.
    log_path
        Where its output goes.
    environment
        The whole environment; the number of restarts is added as GPU_HEALTH_RESTARTS.
    again
        The command line of later starts, where it is another one.
    """

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        *,
        log_path: Path,
        environment: Mapping[str, str],
        again: Sequence[str] | None = None,
    ) -> None:
        self.name = name
        self.log_path = log_path
        self.process: subprocess.Popen[bytes] | None = None
        self._arguments = tuple(arguments)
        self._again = self._arguments if again is None else tuple(again)
        self._environment = dict(environment)
        self._starts = 0

    async def start(self) -> None:
        """Start the process; call it from the main thread."""
        if self.log_path.exists() and self.log_path.stat().st_size > _LOG_BYTES:
            self.log_path.replace(self.log_path.with_suffix(".previous.log"))
        self.process = spawn(
            self._again if self._starts else self._arguments,
            log_path=self.log_path,
            death_signal=signal.SIGKILL,
            environment={**self._environment, "GPU_HEALTH_RESTARTS": str(self._starts)},
        )
        self._starts += 1

    async def stop(self) -> None:
        """Let it write its last checkpoint; kill it after 20 s."""
        if self.process is not None:
            await stop(self.process, ask=signal.SIGTERM, patience_seconds=20.0)

    def crash(self) -> str | None:
        """Return why it is gone, with the tail of its log; None while it runs."""
        if self.process is None or self.process.poll() is None:
            return None
        return describe_exit(self.name, self.process.returncode, self.log_path)


@dataclass(slots=True)
class Backoff:
    """How long to wait before the next start: doubled each time, from the first again after a long life.

    >>> backoff = Backoff()
    >>> [backoff.next_delay_seconds(lived) for lived in (1.0, 1.0, 1.0, 61.0, 1.0)]
    [0.5, 1.0, 2.0, 0.5, 1.0]
    """

    first_seconds: float = 0.5
    limit_seconds: float = 30.0
    long_life_seconds: float = 60.0
    _delay_seconds: float = 0.0

    def next_delay_seconds(self, lived_seconds: float) -> float:
        """Return the wait after a process that lived ``lived_seconds``."""
        if lived_seconds >= self.long_life_seconds or not self._delay_seconds:
            self._delay_seconds = self.first_seconds
        else:
            self._delay_seconds = min(2 * self._delay_seconds, self.limit_seconds)
        return self._delay_seconds


class Supervised:
    """A part, how it fares, and the loop that keeps it running.

    Parameters
    ----------
    name
        Shown to people.
    part
        What is kept running.
    report
        Told, in a message with the tail of the log, each time the part ends by itself.
    changed
        Called when the state below changed.
    """

    def __init__(self, name: str, part: Part, *, report: Callable[[str], None], changed: Callable[[], None]) -> None:
        self.name = name
        self.part = part
        self.state = "starting"
        self.restarts = 0
        self.last_exit = ""
        self._report = report
        self._changed = changed
        self._backoff = Backoff()

    async def start(self) -> None:
        """Start the part for the first time; what it raises is for the caller to judge."""
        await self.part.start()
        self._become("running")

    async def watch(self) -> None:
        """Start the part again whenever it has ended; never return."""
        started = time.monotonic()
        while True:
            reason = self.part.crash()
            if reason is None:
                await asyncio.sleep(_POLL_SECONDS)
                continue
            await self._again(reason, time.monotonic() - started)
            started = time.monotonic()

    async def stop(self) -> None:
        """End the part in order."""
        await self.part.stop()
        self._become("stopped")

    def describe(self) -> ProcessState:
        """Return how the part fares, for the run file."""
        process = self.part.process
        return ProcessState(
            name=self.name,
            pid=process.pid if process is not None and self.state == "running" else None,
            state=self.state,
            restarts=self.restarts,
            last_exit=self.last_exit,
            log=str(self.part.log_path),
        )

    async def _again(self, reason: str, lived_seconds: float) -> None:
        delay_seconds = self._backoff.next_delay_seconds(lived_seconds)
        self.last_exit = reason.splitlines()[0]
        self._report(f"{reason}\n{self.name}: started again in {delay_seconds:g} s")
        self._become("waiting")
        await asyncio.sleep(delay_seconds)
        self.restarts += 1
        self._become("starting")
        try:
            await self.part.start()
        except ShutdownError as error:
            # Still gone: the next look at it finds that, reports it, and waits longer.
            self._report(f"{self.name} did not start: {error}")
            return
        self._become("running")

    def _become(self, state: str) -> None:
        self.state = state
        self._changed()
