"""How far a role is behind, by a real broker: its group's offsets and the ends of the topic."""

from __future__ import annotations

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import TopicPartition

from schemas.topics import METRICS_RAW
from streams.kafka.backlog import RoleBacklog
from streams.kafka.clients import client_options
from streams.settings import Settings


async def test_the_age_of_what_a_role_has_not_read(topics: Settings) -> None:
    """Nobody reads at first; then the group commits, as role score does, a part and all of it."""
    topic = topics.topic(METRICS_RAW)
    partition = TopicPartition(topic, 1)
    backlog = RoleBacklog(topics, role="score", topic=METRICS_RAW)
    producer = AIOKafkaProducer(**client_options(topics))
    member = AIOKafkaConsumer(group_id=topics.group("score"), enable_auto_commit=False, **client_options(topics))
    await producer.start()
    await member.start()
    member.assign([partition])

    async def write(count: int) -> None:
        for _ in range(count):
            await producer.send_and_wait(topic, b"{}", partition=1)

    try:
        assert await backlog.seconds(100.0) == 0.0
        await write(3)
        assert await backlog.seconds(102.0) == 0.0  # seen for the first time
        assert await backlog.seconds(110.0) == 8.0
        await write(2)
        assert await backlog.seconds(120.0) == 18.0
        await member.commit({partition: 3})
        assert await backlog.seconds(125.0) == 5.0
        await member.commit({partition: 5})
        assert await backlog.seconds(130.0) == 0.0
    finally:
        await member.stop()
        await producer.stop()
        await backlog.close()
