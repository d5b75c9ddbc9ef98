"""A buffer that keeps what it is given, for tests of sources; and clocks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from collectors.buffer import Record


@dataclass
class Kept:
    """``takes``: a list of records for each call; ``ending`` is set with the last of ``calls``."""

    ending: asyncio.Event = field(default_factory=asyncio.Event)
    calls: int = 1_000_000
    takes: list[list[Record]] = field(default_factory=list)
    offered: int = 0
    waiting = 0

    async def start(self) -> None:
        """Nothing to open."""

    async def offer(self, records: Iterable[Record]) -> None:
        """Keep ``records``."""
        self.offered += 1
        await self.send(records)

    async def send(self, records: Iterable[Record]) -> None:
        """Keep ``records``."""
        self.takes.append(list(records))
        if len(self.takes) >= self.calls:
            self.ending.set()

    async def flush(self, timeout_seconds: float) -> bool:
        """Nothing waits."""
        return True

    async def stop(self) -> None:
        """Nothing to close."""

    @property
    def values(self) -> list[bytes]:
        """Return every value, in order."""
        return [value for take in self.takes for _, value in take]


class LoopClock:
    """The event loop's time, and a time of day that stands still."""

    def __init__(self, now: float) -> None:
        self._now = now

    def time(self) -> float:
        """Return the time of day."""
        return self._now

    def monotonic(self) -> float:
        """Return the loop's time."""
        return asyncio.get_running_loop().time()
