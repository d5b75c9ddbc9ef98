"""Topics are made as they must be, and one that is there with other settings is reported, not changed."""

from __future__ import annotations

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from schemas.errors import ShutdownError
from schemas.topics import ALERTS, METRICS_RAW, STATE, STATUS
from streams.kafka.admin import is_empty
from streams.kafka.clients import client_options
from streams.kafka.topics import TopicSpec, check_topics, ensure_topics, topic_specs
from streams.settings import Settings


async def _create(settings: Settings, *new: NewTopic) -> None:
    admin = AIOKafkaAdminClient(**client_options(settings))
    await admin.start()
    await admin.create_topics(list(new))
    await admin.close()


async def test_created_topics_are_as_specified(topics: Settings) -> None:
    assert await check_topics(topics) == []
    admin = AIOKafkaAdminClient(**client_options(topics))
    await admin.start()
    names = [topics.topic(spec.name) for spec in topic_specs(topics)]
    counts = {t["topic"]: len(t["partitions"]) for t in await admin.describe_topics(names)}
    await admin.close()
    assert counts[topics.topic(METRICS_RAW)] == counts[topics.topic(STATE)] == topics.partitions
    assert counts[topics.topic(ALERTS)] == 1
    assert len(counts) == len(names)


async def test_differences_are_told_with_their_repair_and_left_alone(broker_settings: Settings) -> None:
    raw, status = broker_settings.topic(METRICS_RAW), broker_settings.topic(STATUS)
    await _create(
        broker_settings,
        NewTopic(raw, 3, 1, topic_configs={"message.timestamp.type": "CreateTime"}),
        NewTopic(status, broker_settings.partitions, 1, topic_configs={"cleanup.policy": "delete"}),
    )
    differences = await ensure_topics(broker_settings)
    told = {(one.topic, one.setting): (one.wanted, one.found) for one in differences}
    assert told == {
        (raw, "partitions"): ("4", "3"),
        (raw, "message.timestamp.type"): ("LogAppendTime", "CreateTime"),
        (raw, "max.message.bytes"): ("4259840", "1048588"),
        (status, "cleanup.policy"): ("compact", "delete"),
        (status, "segment.bytes"): ("16777216", "1073741824"),
        (status, "min.cleanable.dirty.ratio"): ("0.1", "0.5"),
        (status, "max.compaction.lag.ms"): ("600000", "9223372036854775807"),
    }
    repairs = {one.setting: one.repair for one in differences}
    assert "GPU_HEALTH_PARTITIONS=3" in repairs["partitions"]
    assert f"--entity-name {status} --add-config cleanup.policy=compact" in repairs["cleanup.policy"]
    assert await ensure_topics(broker_settings) == differences


async def test_an_absent_topic_is_told_by_the_check(broker_settings: Settings) -> None:
    differences = await check_topics(broker_settings)
    assert {one.found for one in differences} == {"absent"}
    assert len(differences) == len(topic_specs(broker_settings))


async def test_extra_topics_with_two_policies(broker_settings: Settings) -> None:
    both = TopicSpec("changelog", None, "compact", config={"cleanup.policy": "compact,delete"})
    assert await ensure_topics(broker_settings, [both]) == []
    assert await ensure_topics(broker_settings, [both]) == []


async def test_more_replicas_than_brokers_is_an_error_that_says_so(broker_settings: Settings) -> None:
    with pytest.raises(ShutdownError, match="replication factor"):
        await ensure_topics(broker_settings.model_copy(update={"replication": 3}))


async def test_is_empty(topics: Settings) -> None:
    assert await is_empty(topics, METRICS_RAW)
    assert not await is_empty(topics, "never-made")
    producer = AIOKafkaProducer(**client_options(topics))
    await producer.start()
    await producer.send_and_wait(topics.topic(METRICS_RAW), b"{}")
    await producer.stop()
    assert not await is_empty(topics, METRICS_RAW)
