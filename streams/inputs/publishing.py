"""Publishes side inputs: a new version where the payload is new, nothing where it is not."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import ProducerFenced
from aiokafka.structs import TopicPartition
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from agents.ports import Clock
from schemas.side_input import InputKey, SideInput
from schemas.times import format_time
from schemas.topics import INPUTS
from streams.clock import SystemClock
from streams.inputs.reading import InputsTable, read_to_end
from streams.kafka.clients import TRANSACTION_TIMEOUT_MS, client_options
from streams.settings import Settings

log = logging.getLogger(__name__)

# A later version becomes effective this far ahead, so that every worker has it when the first sample of its
# time comes.
LEAD_SECONDS: Final = 60.0
_READ_WAIT_MS: Final = 10


def _say(state: RetryCallState) -> None:
    log.info("Another process publishes side inputs at the same time; beginning again")


# Without chance in the pauses two publishers would fence each other for ever.
_UNTIL_ALONE: Final = AsyncRetrying(
    retry=retry_if_exception_type(ProducerFenced),
    stop=stop_after_attempt(10),
    wait=wait_random_exponential(multiplier=0.5, max=5.0),
    before_sleep=_say,
    reraise=True,
)


@dataclass(frozen=True, slots=True)
class Publication:
    """One input to publish; ``payload`` is typed (a struct or a dataclass) or JSON-able."""

    kind: str
    id: str
    payload: Any
    effective_from: float | None = None


async def publish(
    settings: Settings,
    kind: str,
    id: str,
    payload: Any,
    effective_from: float | None = None,
    *,
    clock: Clock | None = None,
) -> int:
    """Publish one input; return the version that now holds ``payload``.

    Parameters
    ----------
    effective_from
        Event time, epoch seconds. None: from the beginning of time for a first version, a minute ahead for
        a later one.
    """
    versions = await publish_all(settings, [Publication(kind, id, payload, effective_from)], clock=clock)
    return versions[0]


async def publish_all(
    settings: Settings, publications: Iterable[Publication], *, clock: Clock | None = None
) -> list[int]:
    """Publish several inputs in one transaction; return their versions, in order.

    Two publishers at once do not give one version twice: the later one fences the earlier, which begins again.
    """
    return await _UNTIL_ALONE(_attempt, settings, list(publications), clock or SystemClock())


async def publish_files(settings: Settings) -> dict[str, int]:
    """Publish the files that the settings name, or the packaged ones; return the version of each kind.

    Raises
    ------
    UserFileError
        A file cannot be used.
    """
    # The kinds import every model: only who publishes files pays for that.
    from streams.inputs.files import DEFAULT_ID, load_files

    loaded = load_files(settings)
    versions = await publish_all(settings, [Publication(name, DEFAULT_ID, one) for name, one in loaded.items()])
    return dict(zip(loaded, versions, strict=True))


async def _attempt(settings: Settings, publications: list[Publication], clock: Clock) -> list[int]:
    topic = settings.topic(INPUTS)
    producer = AIOKafkaProducer(
        transactional_id=settings.group("inputs"),
        transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
        **client_options(settings),
    )
    await producer.start()
    try:
        table = await read_published(settings)
        versions: list[int] = []
        records: list[tuple[bytes, bytes]] = []
        for one in publications:
            raw = msgspec.json.encode(one.payload)
            latest = table.latest(one.kind, one.id)
            if latest is not None and latest.raw == raw:
                versions.append(latest.version)
                continue
            key, value = _record(one, raw, latest.version + 1 if latest else 1, clock.time())
            table.take(key, value)
            records.append((key, value))
            versions.append(latest.version + 1 if latest else 1)
        if records:
            await producer.begin_transaction()
            sent = [await producer.send(topic, key=key, value=value, partition=0) for key, value in records]
            await asyncio.gather(*sent)
            await producer.commit_transaction()
        return versions
    finally:
        await producer.stop()


def _record(one: Publication, raw: bytes, version: int, now: float) -> tuple[bytes, bytes]:
    effective = one.effective_from
    if effective is None and version > 1:
        effective = now + LEAD_SECONDS
    value = SideInput(
        kind=one.kind,
        id=one.id,
        version=version,
        effective_from=None if effective is None else format_time(effective),
        payload=msgspec.Raw(raw),
        published_at=format_time(now),
    )
    key = InputKey(kind=one.kind, id=one.id, version=version)
    return msgspec.json.encode(key), msgspec.json.encode(value)


async def read_published(settings: Settings) -> InputsTable:
    """Return all that is published, payloads left as they are.

    Raises
    ------
    aiokafka.errors.KafkaError
        The broker is away.
    """
    table = InputsTable({})
    reader = AIOKafkaConsumer(
        isolation_level="read_committed",
        enable_auto_commit=False,
        group_id=None,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=_READ_WAIT_MS,
        **client_options(settings),
    )
    await reader.start()
    try:
        tp = TopicPartition(settings.topic(INPUTS), 0)
        await read_to_end(reader, tp, lambda record: table.take(record.key, record.value))
    finally:
        await reader.stop()
    return table
