"""A fixed schedule: ticks lie on a grid, so work that takes time moves none of the following ones."""

from __future__ import annotations

import asyncio
import math
from typing import Protocol


class Clock(Protocol):
    """Where time comes from: epoch seconds for what is said, monotonic seconds for what is waited for."""

    def time(self) -> float:
        """Return epoch seconds."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""


class Schedule:
    """Ticks at ``start + n * interval_seconds`` (monotonic); a tick that was missed is counted, not made up for.

    >>> schedule = Schedule(start=100.0, interval_seconds=10.0)
    >>> schedule.wait_seconds(100.5), schedule.wait_seconds(131.0), schedule.missed
    (9.5, 9.0, 2)
    """

    def __init__(self, *, start: float, interval_seconds: float) -> None:
        self._start = start
        self._interval = interval_seconds
        self._tick = 0
        self.missed = 0

    def wait_seconds(self, now: float) -> float:
        """Return how long to wait for the next tick at monotonic ``now``."""
        earliest = max(self._tick + 1, math.ceil((now - self._start) / self._interval))
        self.missed += earliest - (self._tick + 1)
        self._tick = earliest
        return max(self._start + earliest * self._interval - now, 0.0)


async def stopped_within(stop: asyncio.Event, seconds: float) -> bool:
    """Wait ``seconds``; tell whether ``stop`` was set, which ends the wait."""
    if seconds <= 0.0:
        await asyncio.sleep(0)
        return stop.is_set()
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return False
    return True
