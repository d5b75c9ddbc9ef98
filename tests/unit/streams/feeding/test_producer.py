"""The raw producer while its broker is away: nothing lost, order kept, tried again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaError, RequestTimedOutError

from schemas.topics import METRICS_RAW
from streams.feeding import producer as raw_producer
from streams.feeding.producer import RawProducer
from streams.settings import Settings


class _Metadata:
    def topics(self) -> set[str]:
        return {METRICS_RAW}


class _Client:
    async def fetch_all_metadata(self) -> _Metadata:
        return _Metadata()


class FlakyBroker:
    """A producer whose next sends and answers fail as often as told."""

    client = _Client()

    def __init__(self, **options: Any) -> None:
        self.taken: list[bytes] = []
        self.failing_sends = 2
        self.failing_answers = 1

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def send(self, topic: str, *, value: bytes, key: bytes | None) -> asyncio.Future[None]:
        if self.failing_sends:
            self.failing_sends -= 1
            raise KafkaConnectionError("away")
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        error: KafkaError | None = None
        if self.failing_answers:
            self.failing_answers -= 1
            error = RequestTimedOutError("slow")
        if error is None:
            self.taken.append(value)
            answer.set_result(None)
        else:
            answer.set_exception(error)
        return answer


async def test_messages_are_tried_until_the_broker_takes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[FlakyBroker] = []

    def make(**options: Any) -> FlakyBroker:
        made.append(FlakyBroker(**options))
        return made[-1]

    monkeypatch.setattr(raw_producer, "AIOKafkaProducer", make)
    monkeypatch.setattr(raw_producer, "_FIRST_PAUSE_SECONDS", 0.01)
    producer = RawProducer(Settings(broker="broker:9092"))
    await producer.start()
    await producer.send([(b"k", b"1")])
    assert await producer.flush(10.0)
    await producer.send([(b"k", b"2"), (b"k", b"3")])
    assert await producer.flush(10.0)
    await producer.stop()
    assert made[0].taken == [b"1", b"2", b"3"]
    assert (producer.sent, producer.dropped, producer.refused, producer.waiting) == (3, 0, 0, 0)


async def test_flush_says_when_the_broker_stays_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def make(**options: Any) -> FlakyBroker:
        broker = FlakyBroker(**options)
        broker.failing_sends = 10**9
        return broker

    monkeypatch.setattr(raw_producer, "AIOKafkaProducer", make)
    producer = RawProducer(Settings(broker="broker:9092"))
    await producer.start()
    await producer.send([(b"k", b"1")])
    assert not await producer.flush(0.05)
    assert producer.waiting == 1
    await producer.stop()
