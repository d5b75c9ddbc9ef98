"""A source through a buffer, from its start to the last acknowledgement."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Sequence
from typing import Final

import click

from collectors.buffer import Buffer, BufferUnavailable, Record
from collectors.source import Source
from streams.clock import SystemClock

_STOPPED_FLUSH_SECONDS: Final = 5.0


class Lines:
    """Standard output as a :class:`collectors.buffer.Buffer`: each value a line, keys left out."""

    waiting = 0

    async def start(self) -> None:
        """Nothing to open."""

    async def offer(self, records: Iterable[Record]) -> None:
        """Print ``records``."""
        sys.stdout.buffer.writelines(value + b"\n" for _, value in records)
        sys.stdout.buffer.flush()

    async def send(self, records: Iterable[Record]) -> None:
        """Print ``records``."""
        await self.offer(records)

    async def flush(self, timeout_seconds: float) -> bool:
        """Nothing waits."""
        return True

    async def stop(self) -> None:
        """Nothing to close."""


async def feed(
    sources: Sequence[Source], buffer: Buffer, *, command: str, stop: asyncio.Event, flush_seconds: float
) -> int:
    """Run ``sources`` one after the other into ``buffer``; return the exit code: 0 where all went and answered.

    What goes wrong is printed to standard error as ``command: ...``.
    """
    try:
        await buffer.start()
    except BufferUnavailable as error:
        click.echo(f"{command}: {error}", err=True)
        return 1
    answered = True
    try:
        for source in sources:
            answered = await source.run(buffer, clock=SystemClock(), stop=stop)
            if not await buffer.flush(_STOPPED_FLUSH_SECONDS if stop.is_set() else flush_seconds):
                click.echo(f"{command}: {buffer.waiting} messages were not taken by the broker", err=True)
                return 1
    except BrokenPipeError:  # the reader of a pipe has seen enough
        sys.stderr.close()
    finally:
        await buffer.stop()
    return 0 if answered else 1
