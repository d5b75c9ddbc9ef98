"""Samples for the raw topic: keyed, numbered, from a seed."""

from __future__ import annotations

import asyncio
import random
from time import monotonic

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas.topics import METRICS_RAW
from streams.kafka_client import client_options
from streams.settings import Settings

_BURST = 20
_PAD = b"x" * 80


class Load:
    """Sends ``rate`` samples a second of ``keys`` GPUs until told to stop.

    What reached the topic is the truth: a sample that a broker's death swallowed was never sent.
    """

    def __init__(self, settings: Settings, *, rate: float, keys: int = 400, seed: int = 1) -> None:
        self.sent = 0
        self._settings = settings
        self._rate = rate
        self._random = random.Random(seed)
        self._keys = [b"gpu-%04d" % number for number in range(keys)]
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        """Begin to send."""
        await self.open()
        self._task = asyncio.create_task(self._run(), name="load")

    async def open(self) -> None:
        """Connect only; for bursts."""
        self._producer = AIOKafkaProducer(
            linger_ms=5, enable_idempotence=True, request_timeout_ms=60_000, **client_options(self._settings)
        )
        await self._producer.start()

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
        key = self._random.choice(self._keys)
        value = b"%d " % self._random.randrange(1000) + _PAD
        await self._producer.send(self._settings.topic(METRICS_RAW), key=key, value=value)
        self.sent += 1
