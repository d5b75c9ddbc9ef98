"""What the system must have said, computed from the raw topic; and what it said, read from its topics."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import ConsumerRecord, TopicPartition

from streams.kafka.clients import client_options
from streams.settings import Settings
from streams.transport.identity import topic_identities


@dataclass(frozen=True, slots=True)
class Outcome:
    """State of each key, how often each record was said, and the samples counted in the states.

    ``contents`` has the whole of those records that are worth reading where they differ.
    """

    states: dict[bytes, object]
    said: Counter[bytes]
    samples: int
    contents: dict[bytes, bytes] = field(default_factory=dict)


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
        identity = (await topic_identities(reader, [name]))[name]
        tps = [TopicPartition(name, partition) for partition in range(identity.partitions)]
        reader.assign(tps)
        await reader.seek_to_beginning(*tps)
        ends = await reader.end_offsets(tps)
        while any([await reader.position(tp) < end for tp, end in ends.items()]):
            for records in (await reader.getmany(timeout_ms=500)).values():
                for record in records:
                    yield record
    finally:
        await reader.stop()


def unequal(expected: object, actual: object, path: str = "") -> Iterator[str]:
    """Yield the places where two nested values differ."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        for name in [*expected, *(actual.keys() - expected.keys())]:
            yield from unequal(expected.get(name), actual.get(name), f"{path}.{name}")
    elif expected != actual:
        yield f"{path} {actual} where {expected} was due"


def differences(expected: Outcome, actual: Outcome) -> list[str]:
    """Name what was lost, doubled or made up; empty where the outcomes are equal."""
    found = []
    for key, state in expected.states.items():
        if actual.states.get(key) != state:
            found.append(f"state of {key!r}: " + "; ".join(unequal(state, actual.states.get(key))))
    made_up = actual.states.keys() - expected.states.keys()
    if made_up:
        found.append(f"{len(made_up)} states made up, e.g. {next(iter(made_up))!r}")
    lost = expected.said - actual.said
    surplus = actual.said - expected.said
    for what, records, outcome in (("lost", lost, expected), ("doubled or made up", surplus, actual)):
        if records:
            first = next(iter(records))
            found.append(
                f"{records.total()} records {what}, e.g. {first!r} {outcome.contents.get(first, b'').decode()}"
            )
    return found
