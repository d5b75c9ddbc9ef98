"""The live part of a simulated fleet: samples when they are due, log lines at once, heartbeats each interval."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import count, islice
from typing import Final

from collectors.buffer import Buffer
from collectors.schedule import Clock, stopped_within
from collectors.simulator.world import Record, World

_CHUNK: Final = 2_000


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


class SimulatedFleet:
    """Gives the fleet's samples from ``pace.start`` on (a :class:`collectors.source.Source`).

    A tick that is late is sent late, none is left out.

    Parameters
    ----------
    duration_seconds
        Of simulated time; None: until stopped.
    keyed
        False: without keys, as the original guide's collector sends.
    """

    def __init__(
        self,
        world: World,
        pace: Pace,
        *,
        interval_seconds: float,
        duration_seconds: float | None,
        keyed: bool = True,
    ) -> None:
        self._world = world
        self._pace = pace
        self._interval_seconds = interval_seconds
        self._duration_seconds = duration_seconds
        self._keyed = keyed

    async def run(self, buffer: Buffer, *, clock: Clock, stop: asyncio.Event) -> bool:
        """Send samples when they are due, for the duration or until ``stop``."""
        world, pace, interval_seconds = self._world, self._pace, self._interval_seconds
        # The history took its time to send: what fell due meanwhile comes at once, and the rest when it is due.
        began = clock.monotonic() - max(0.0, clock.time() - pace.present)

        async def stopped_before(time: float) -> bool:
            return await stopped_within(stop, began + pace.due_seconds(time) - clock.monotonic())

        async def emit(records: Iterable[Record]) -> None:
            await buffer.send((key if self._keyed else None, value) for key, value in records)

        for tick in count():
            time = pace.start + tick * interval_seconds
            if self._duration_seconds is not None and time - pace.start >= self._duration_seconds:
                break
            if await stopped_before(time):
                break
            await emit(world.samples([time], interval_seconds=interval_seconds))
            await emit(world.heartbeats(time, interval_seconds=interval_seconds))
            for moment in world.event_times(time, time + interval_seconds):
                if await stopped_before(moment):
                    return True
                await emit(world.events(moment, moment + 1e-3))
        return True


class SimulatedHistory:
    """Gives the fleet's past up to ``end`` (epoch s), marked as history (a :class:`collectors.source.Source`).

    Parameters
    ----------
    seconds
        How long it is; ``interval_seconds`` apart in its last part (see :meth:`World.history`).
    on_sent
        Is told how many records went.
    """

    def __init__(
        self,
        world: World,
        end: float,
        *,
        seconds: float,
        interval_seconds: float,
        keyed: bool = True,
        on_sent: Callable[[int], None] = lambda count: None,
    ) -> None:
        self._records = world.history(end - seconds, end, recent_interval_seconds=interval_seconds)
        self._keyed = keyed
        self._on_sent = on_sent

    async def run(self, buffer: Buffer, *, clock: Clock, stop: asyncio.Event) -> bool:
        """Send all of it."""
        while not stop.is_set() and (chunk := list(islice(self._records, _CHUNK))):
            await buffer.send((key if self._keyed else None, value) for key, value in chunk)
            self._on_sent(len(chunk))
        return True
