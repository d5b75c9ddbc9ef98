"""What the system must have said, computed from the raw topic; and what it said, read from its topics."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import ConsumerRecord, TopicPartition

from schemas.topics import ALERTS, METRICS_RAW, STATE
from streams.kafka_client import client_options
from streams.position import POSITION_KEY, decode
from streams.settings import Settings
from tests.chaos.counting import ALERT_EVERY, alert, unpack


@dataclass(frozen=True, slots=True)
class Outcome:
    """State of each key, how often each alert was said, and the position of each partition."""

    states: dict[bytes, tuple[int, int, int]]
    alerts: Counter[bytes]
    positions: dict[int, int]


async def read_topic(settings: Settings, topic: str) -> AsyncIterator[ConsumerRecord]:
    """Yield every committed record of ``topic`` (without prefix) up to its end as it is now."""
    reader = AIOKafkaConsumer(
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        enable_auto_commit=False,
        group_id=None,
        fetch_max_wait_ms=20,
        **client_options(settings),
    )
    await reader.start()
    try:
        name = settings.topic(topic)
        await reader._client._wait_on_metadata(name)
        tps = [TopicPartition(name, partition) for partition in reader.partitions_for_topic(name) or ()]
        reader.assign(tps)
        await reader.seek_to_beginning(*tps)
        ends = await reader.end_offsets(tps)
        while any([await reader.position(tp) < end for tp, end in ends.items()]):
            for records in (await reader.getmany(timeout_ms=500)).values():
                for record in records:
                    yield record
    finally:
        await reader.stop()


async def truth(settings: Settings) -> Outcome:
    """Compute the outcome from the raw topic alone."""
    states: dict[bytes, tuple[int, int, int]] = {}
    alerts: Counter[bytes] = Counter()
    positions: dict[int, int] = {}
    async for record in read_topic(settings, METRICS_RAW):
        positions[record.partition] = record.offset + 1
        count, total, _ = states.get(record.key, (0, 0, -1))
        count, total = count + 1, total + int(record.value.split(b" ", 1)[0])
        states[record.key] = (count, total, record.offset)
        if count % ALERT_EVERY == 0:
            alerts[alert(record.key, count, total, record.offset)] += 1
    return Outcome(states, alerts, positions)


async def said(settings: Settings) -> Outcome:
    """Read the outcome from the topics of states and alerts."""
    states: dict[bytes, tuple[int, int, int]] = {}
    positions: dict[int, int] = {}
    async for record in read_topic(settings, STATE):
        if record.key == POSITION_KEY:
            positions.update(decode(record.value).inputs[METRICS_RAW].offsets)
        else:
            states[record.key] = unpack(record.value)
    alerts = Counter([record.value async for record in read_topic(settings, ALERTS)])
    return Outcome(states, alerts, positions)


def differences(expected: Outcome, actual: Outcome) -> list[str]:
    """Name what was lost, doubled or made up; empty where the outcomes are equal."""
    found = []
    for key, state in expected.states.items():
        if actual.states.get(key) != state:
            found.append(f"state of {key!r}: {actual.states.get(key)} where {state} was due")
    lost = expected.alerts - actual.alerts
    surplus = actual.alerts - expected.alerts
    if lost:
        found.append(f"{lost.total()} alerts lost, e.g. {next(iter(lost))!r}")
    if surplus:
        found.append(f"{surplus.total()} alerts doubled or made up, e.g. {next(iter(surplus))!r}")
    return found
