"""The raw producer while its broker is away: nothing lost, order kept, tried again."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaError, RequestTimedOutError
from tenacity import wait_fixed

from schemas.topics import METRICS_RAW
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

    def __init__(self) -> None:
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


async def test_messages_are_tried_until_the_broker_takes_them(caplog: pytest.LogCaptureFixture) -> None:
    broker = FlakyBroker()
    producer = RawProducer(Settings(broker="broker:9092"), pauses=wait_fixed(0.01), connect=lambda **options: broker)
    await producer.start()
    await producer.send([(b"k", b"1")])
    assert await producer.flush(10.0)
    await producer.send([(b"k", b"2"), (b"k", b"3")])
    assert await producer.flush(10.0)
    await producer.stop()
    assert broker.taken == [b"1", b"2", b"3"]
    assert (producer.sent, producer.dropped, producer.refused, producer.waiting) == (3, 0, 0, 0)
    assert caplog.text.count("the broker does not take messages") == 1, "one report an outage"


async def test_flush_says_when_the_broker_stays_away() -> None:
    broker = FlakyBroker()
    broker.failing_sends = 10**9
    producer = RawProducer(Settings(broker="broker:9092"), connect=lambda **options: broker)
    await producer.start()
    await producer.send([(b"k", b"1")])
    assert not await producer.flush(0.05)
    assert producer.waiting == 1
    await producer.stop()
