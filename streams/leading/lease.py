"""Whether this worker may still act as leader: after a stall another one may lead, and only Kafka knows.

A process that was stopped longer than its session lasts is no leader any more, and does not know it: its tasks go on
where they were, perhaps in the middle of telling people. So whoever acts asks first. Where the process stood still
for long, the answer waits for a checkpoint that began afterwards: a leader that was replaced is fenced there, and
ends. A broker that is away is no stall: nobody else can be elected then, and what is due still goes out.
"""

from __future__ import annotations

import asyncio
from typing import Final

from agents.ports import Clock

# The session is counted from the last heartbeat, which may be a third of it old when the stall begins.
_STALL_RATIO: Final = 0.5
_PULSES: Final = 4


class Lease:
    """Held from the leader's start on; in doubt after each stall, until it is proved again."""

    def __init__(self, session_timeout_seconds: float, clock: Clock) -> None:
        self._limit = session_timeout_seconds * _STALL_RATIO
        self._clock = clock
        self._pulse = clock.monotonic()
        self._stalls = 0
        self._proved = 0
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Notice stalls until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(self._limit / _PULSES)

    def look(self) -> None:
        """Notice whether the process stood still."""
        now = self._clock.monotonic()
        if now - self._pulse > self._limit:
            self._stalls += 1
            self._changed.clear()
        self._pulse = now

    @property
    def doubted(self) -> bool:
        """Whether a checkpoint is due that proves it."""
        return self._proved != self._stalls

    @property
    def stalls(self) -> int:
        """How often the process stood still: to be told to :meth:`prove` after what began now."""
        return self._stalls

    def prove(self, stalls: int) -> None:
        """A checkpoint was committed that began after ``stalls`` stalls."""
        self._proved = max(self._proved, stalls)
        if not self.doubted:
            self._changed.set()

    async def hold(self) -> None:
        """Return once this worker leads for certain."""
        self.look()
        while self.doubted:
            await self._changed.wait()
