"""Load: a subject's samples into the raw topic, at a rate or in a burst."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from time import monotonic

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas.topics import METRICS_RAW
from streams.kafka.clients import client_options
from streams.settings import Settings
from tests.chaos.subject import Keyed

_BURST = 20


class Load:
    """Sends ``rate`` of ``samples`` a second until told to stop.

    What reached the topic is the truth: a sample that a broker's death swallowed was never sent.
    """

    def __init__(self, settings: Settings, samples: Iterator[Keyed], *, rate: float) -> None:
        self._settings = settings
        self._samples = samples
        self._rate = rate
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        """Begin to send; call after :meth:`open`."""
        self._task = asyncio.create_task(self._run(), name="load")

    async def open(self) -> None:
        """Connect, and put something into each partition that makes its owner write a position.

        A partition's past is history before its first start, and what comes after is not: nothing that is
        judged may be sent before every partition has an owner.
        """
        self._producer = AIOKafkaProducer(
            linger_ms=5, enable_idempotence=True, request_timeout_ms=60_000, **client_options(self._settings)
        )
        await self._producer.start()
        for partition in range(self._settings.partitions):
            await self._producer.send(self._settings.topic(METRICS_RAW), b"primer", partition=partition)
        await self._producer.flush()

    async def stop(self) -> None:
        """Stop, and wait until all that was sent is safe."""
        self._stopping.set()
        if self._task is not None:
            await self._task
        if self._producer is not None:
            await self._producer.stop()

    async def burst(self, count: int) -> None:
        """Send ``count`` samples as fast as the broker takes them."""
        for _ in range(count):
            await self._send()
        assert self._producer is not None
        await self._producer.flush()

    async def _run(self) -> None:
        due = monotonic()
        while not self._stopping.is_set():
            try:
                for _ in range(_BURST):
                    await self._send()
            except KafkaError:
                await asyncio.sleep(0.5)
            due = max(due + _BURST / self._rate, monotonic() - 1.0)
            await asyncio.sleep(max(0.0, due - monotonic()))

    async def _send(self) -> None:
        assert self._producer is not None
        key, value = next(self._samples)
        await self._producer.send(self._settings.topic(METRICS_RAW), key=key, value=value)
