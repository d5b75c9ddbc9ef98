"""What a source of raw messages is: exporters that are asked, recorded files, a simulated fleet."""

from __future__ import annotations

import asyncio
from typing import Protocol

from collectors.buffer import Buffer
from collectors.schedule import Clock


class Source(Protocol):
    """One way in. A new one is one new module; what it gives goes through any :class:`collectors.buffer.Buffer`.

    tests/unit/collectors/test_sources.py holds what every source must do.
    """

    async def run(self, buffer: Buffer, *, clock: Clock, stop: asyncio.Event) -> bool:
        """Give raw messages to ``buffer`` until ``stop`` is set or the source has no more.

        A live source offers and never waits for a broker that is away; one that can be read again sends. What goes
        wrong at the other end is told as a message (a heartbeat with ``exporter_up`` 0), counted or shown, and ends
        nothing.

        Returns
        -------
        answered
            Whether the last of what was asked gave an answer.
        """
