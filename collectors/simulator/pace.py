"""The live part of a simulated fleet: samples when they are due, log lines at once, heartbeats each interval."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from itertools import count

from collectors.schedule import Clock
from collectors.simulator.world import Record, World

Emit = Callable[[Iterable[Record]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Pace:
    """How simulated time follows real time.

    Parameters
    ----------
    start
        Epoch seconds of the first live sample.
    present
        Epoch seconds now, at the start; never before ``start``.
    speed
        Simulated seconds a real second, until the simulation has caught up with the present: a sample from
        the future would be refused.
    wait
        False: samples come as fast as they are made (for files and tests).
    """

    start: float
    present: float
    speed: float = 1.0
    wait: bool = True

    def due_seconds(self, time: float) -> float:
        """Return after how many real seconds simulated ``time`` is due.

        >>> Pace(start=0.0, present=3600.0, speed=2.0).due_seconds(100.0)
        50.0
        """
        if not self.wait:
            return 0.0
        return max((time - self.start) / self.speed, time - self.present)


async def run_live(
    world: World,
    emit: Emit,
    pace: Pace,
    *,
    interval_seconds: float,
    duration_seconds: float | None,
    clock: Clock,
    stop: asyncio.Event,
) -> None:
    """Emit the fleet's samples from ``pace.start`` on, for ``duration_seconds`` (None: until ``stop``).

    A tick that is late is sent late, none is left out.
    """
    # The history took its time to send: what fell due meanwhile comes at once, and the rest when it is due.
    began = clock.monotonic() - max(0.0, clock.time() - pace.present)

    async def stopped_before(time: float) -> bool:
        seconds = began + pace.due_seconds(time) - clock.monotonic()
        if seconds <= 0.0:
            await asyncio.sleep(0)
            return stop.is_set()
        try:
            async with asyncio.timeout(seconds):
                await stop.wait()
        except TimeoutError:
            return False
        return True

    for tick in count():
        time = pace.start + tick * interval_seconds
        if duration_seconds is not None and time - pace.start >= duration_seconds:
            return
        if await stopped_before(time):
            return
        await emit(world.samples([time], interval_seconds=interval_seconds))
        await emit(world.heartbeats(time, interval_seconds=interval_seconds))
        following = time + interval_seconds
        for moment in world.event_times(time, following):
            if await stopped_before(moment):
                return
            await emit(world.events(moment, moment + 1e-3))
