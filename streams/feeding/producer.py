"""The sink of collectors, simulator and replay: raw messages keyed by gpu_id to gpu-metrics-raw."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.codec import has_lz4
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from tenacity import AsyncRetrying, RetryCallState, retry_if_result, wait_exponential
from tenacity.wait import wait_base

from collectors.buffer import BufferUnavailable, Record
from schemas.topics import METRICS_RAW
from streams.kafka.clients import client_options
from streams.kafka.topics import MAX_RECORD_BYTES
from streams.settings import Settings

log = logging.getLogger(__name__)

_BUFFER_BYTES: Final = 64 * 1024 * 1024
_BATCH_RECORDS: Final = 1000
_START_SECONDS: Final = 15.0
_PAUSES: Final = wait_exponential(multiplier=0.2, max=5.0)


class BrokerUnreachable(BufferUnavailable):
    """The broker or its raw topic cannot be reached; the text says what to do."""


class RawProducer:
    """A buffered producer that keeps trying (a :class:`collectors.buffer.Buffer` in memory).

    Records of one key keep their order but for a record that the broker refused once while it took the
    next. What the buffer cannot hold is lost, oldest first, and counted; it is memory alone.

    Parameters
    ----------
    settings
        Broker, security, topic prefix.
    buffer_bytes
        What may wait while the broker is away.
    pauses
        Between the tries to send what the broker did not take, in seconds.
    connect
        Makes the client.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        buffer_bytes: int = _BUFFER_BYTES,
        pauses: wait_base = _PAUSES,
        connect: Callable[..., Any] = AIOKafkaProducer,
    ) -> None:
        self._settings = settings
        self._connect = connect
        self._until_taken = AsyncRetrying(retry=retry_if_result(bool), wait=pauses, before_sleep=self._say_once)
        self._topic = settings.topic(METRICS_RAW)
        self._buffer: deque[Record] = deque()
        self._buffer_bytes = buffer_bytes
        self._bytes = 0
        self._producer: AIOKafkaProducer | None = None
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Condition()
        self._in_flight = 0
        self.sent = 0
        self.dropped = 0
        self.refused = 0

    async def start(self) -> None:
        """Connect.

        Raises
        ------
        BrokerUnreachable
            No broker, or no raw topic.
        """
        if not self._settings.broker:
            raise BrokerUnreachable(
                "no broker is set: set GPU_HEALTH_BROKER=host:port (`gpu-health status` shows it)"
            )
        producer = self._connect(
            **client_options(self._settings),
            enable_idempotence=True,
            compression_type="lz4" if has_lz4() else None,
            linger_ms=10,
            max_batch_size=512 * 1024,
            max_request_size=MAX_RECORD_BYTES,
        )
        try:
            async with asyncio.timeout(_START_SECONDS):
                await producer.start()
                known = await producer.client.fetch_all_metadata()
        except (KafkaError, TimeoutError, OSError) as error:
            await producer.stop()
            raise BrokerUnreachable(
                f"broker {self._settings.broker} cannot be reached ({type(error).__name__}: {error}): "
                "check GPU_HEALTH_BROKER and that the broker runs"
            ) from error
        if self._topic not in known.topics():
            await producer.stop()
            raise BrokerUnreachable(
                f"broker {self._settings.broker} has no topic {self._topic}: start `gpu-health up` or a worker once"
            )
        self._producer = producer
        self._task = asyncio.create_task(self._drain(producer))

    async def send(self, records: Iterable[Record]) -> None:
        """Take ``records``, waiting for room in the buffer; nothing is lost."""
        for record in records:
            if self._bytes >= self._buffer_bytes:
                async with self._changed:
                    await self._changed.wait_for(lambda: self._bytes < self._buffer_bytes or self._ended())
                    self._check()
            self._push(record)
            if len(self._buffer) >= _BATCH_RECORDS:
                await self._wake()
        await self._wake()

    async def offer(self, records: Iterable[Record]) -> None:
        """Take ``records`` without waiting for the broker; where the buffer is full the oldest ones go."""
        self._check()
        for record in records:
            self._push(record)
            while self._bytes > self._buffer_bytes and len(self._buffer) > 1:
                self._bytes -= len(self._buffer.popleft()[1])
                self.dropped += 1
        await self._wake()

    async def flush(self, timeout_seconds: float) -> bool:
        """Wait until all records are acknowledged; false when that takes longer than ``timeout_seconds``."""
        try:
            async with asyncio.timeout(timeout_seconds), self._changed:
                await self._changed.wait_for(lambda: self.waiting == 0 or self._ended())
        except TimeoutError:
            return False
        self._check()
        return self.waiting == 0

    async def stop(self) -> None:
        """Close without waiting for what is still in the buffer (flush first)."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._producer is not None:
            await self._producer.stop()

    @property
    def waiting(self) -> int:
        """Return how many records are not acknowledged yet."""
        return len(self._buffer) + self._in_flight

    def _push(self, record: Record) -> None:
        self._buffer.append(record)
        self._bytes += len(record[1])

    def _ended(self) -> bool:
        return self._task is not None and self._task.done()

    def _check(self) -> None:
        """Raise what ended the draining task, if anything did."""
        if self._task is not None and self._task.done() and not self._task.cancelled():
            self._task.result()

    async def _wake(self) -> None:
        async with self._changed:
            self._changed.notify_all()
        await asyncio.sleep(0)

    async def _drain(self, producer: AIOKafkaProducer) -> None:
        while True:
            batch: list[Record] = []
            async with self._changed:
                await self._changed.wait_for(lambda: bool(self._buffer))
            while self._buffer and len(batch) < _BATCH_RECORDS:
                record = self._buffer.popleft()
                self._bytes -= len(record[1])
                batch.append(record)
            await self._until_taken(self._deliver, producer, batch)

    async def _deliver(self, producer: AIOKafkaProducer, batch: list[Record]) -> int:
        """Send ``batch``, leave in it what has to be tried again, and return how many that are."""
        self._in_flight = len(batch)
        refused = self.refused
        failed = await self._publish(producer, batch)
        self.sent += len(batch) - len(failed) - (self.refused - refused)
        batch[:] = failed
        self._in_flight = len(batch)
        await self._wake()
        return len(batch)

    def _say_once(self, state: RetryCallState) -> None:
        if state.attempt_number == 1:  # one report an outage
            log.warning("the broker does not take messages, trying again; %d wait", self.waiting)

    async def _publish(self, producer: AIOKafkaProducer, batch: list[Record]) -> list[Record]:
        """Send ``batch``; return what has to be tried again."""
        waiting: list[asyncio.Future[object]] = []
        failed: list[Record] = []
        taken: list[Record] = []
        for position, (key, value) in enumerate(batch):
            try:
                waiting.append(await producer.send(self._topic, value=value, key=key))
                taken.append((key, value))
            except KafkaError as error:
                if self._again(error):
                    failed = batch[position:]  # the broker is away: what follows would wait as long
                    break
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        again: list[Record] = []
        for record, answer in zip(taken, answers, strict=True):
            if isinstance(answer, KafkaError):
                if self._again(answer):
                    again.append(record)
            elif isinstance(answer, BaseException):
                raise answer
        return again + failed

    def _again(self, error: KafkaError) -> bool:
        """Tell whether a record is worth another try; one that never will be taken is counted as refused."""
        if not isinstance(error, MessageSizeTooLargeError):
            return True
        self.refused += 1
        if self.refused == 1:
            log.warning("the broker refuses a message: %s", error)
        return False
