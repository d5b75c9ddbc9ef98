"""Is the broker there, are its topics as they must be, does anyone lag."""

from __future__ import annotations

import asyncio
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaError

from schemas.errors import ShutdownError
from schemas.topics import DEAD_LETTER, INPUTS, METRICS_RAW, STATUS
from streams.doctor.finding import Finding
from streams.doctor.messages import check_messages
from streams.doctor.settings import check_inputs
from streams.kafka.clients import client_options
from streams.kafka.topics import check_topics
from streams.settings import Settings

_TIMEOUT_SECONDS: Final = 20.0
_COORDINATOR_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.2
_LAG_MESSAGES: Final = 10_000
_ROLES: Final = ("score", "store")
_CLEANUP: Final = "transaction.abort.timed.out.transaction.cleanup.interval.ms"
_CLEANUP_MS: Final = 1_000


async def check_broker(settings: Settings) -> list[Finding]:
    """Return the findings about the broker, its topics and the lag of the roles that read the raw topic."""
    if not settings.broker:
        return [
            Finding(
                check="broker",
                state="problem",
                what="no broker",
                evidence="GPU_HEALTH_BROKER is not set and no stack runs here",
                repair="gpu-health up, or GPU_HEALTH_BROKER=host:9092",
            )
        ]
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            differences = await check_topics(settings)
            findings = [Finding(check="broker", state="ok", what="reachable", evidence=settings.broker)]
            findings += [
                Finding(
                    check="topics",
                    state="problem",
                    what=f"{one.topic}: {one.setting} is {one.found}",
                    evidence=f"wanted {one.wanted}",
                    repair=one.repair,
                )
                for one in differences
            ]
            if not differences:
                findings.append(Finding(check="topics", state="ok", what="all there, as they must be"))
            findings += await _cleanup_interval(settings)
            absent = {one.topic for one in differences if one.setting == "existence"}
            if settings.topic(METRICS_RAW) not in absent:
                findings += await _lags(settings)
            if settings.topic(INPUTS) not in absent:
                findings += await check_inputs(settings)
            if not absent & {settings.topic(DEAD_LETTER), settings.topic(STATUS)}:
                findings += await check_messages(settings)
            return findings
    except (KafkaError, OSError, TimeoutError, ShutdownError) as error:
        return [
            Finding(
                check="broker",
                state="problem",
                what=f"{settings.broker} cannot be asked",
                evidence=f"{type(error).__name__}: {error}"[:300],
                repair="check that it runs, its advertised listeners, and GPU_HEALTH_KAFKA_SECURITY_*",
            )
        ]


async def _cleanup_interval(settings: Settings) -> list[Finding]:
    """A broker that looks for dead transactions seldom makes every reader wait after a worker was killed."""
    admin = AIOKafkaAdminClient(**client_options(settings))
    await admin.start()
    try:
        node = (await admin.describe_cluster())["brokers"][0]["node_id"]
        resource = ConfigResource(ConfigResourceType.BROKER, str(node), {_CLEANUP: None})
        answers = await admin.describe_configs([resource])
    finally:
        await admin.close()
    for answer in answers:
        for entry in answer.to_object()["resources"][0]["config_entries"]:
            if entry["config_names"] == _CLEANUP and int(entry["config_value"]) > _CLEANUP_MS:
                return [
                    Finding(
                        check="broker",
                        state="warning",
                        what=f"a killed worker delays readers by up to {int(entry['config_value']) / 1000:g} s more",
                        evidence=f"{_CLEANUP}={entry['config_value']}",
                        repair=f"set {_CLEANUP}={_CLEANUP_MS} on the broker; a managed Kafka may not offer it",
                    )
                ]
    return []


async def _lags(settings: Settings) -> list[Finding]:
    topic = settings.topic(METRICS_RAW)
    admin = AIOKafkaAdminClient(**client_options(settings))
    consumer = AIOKafkaConsumer(**client_options(settings))
    try:
        await admin.start()
        await consumer.start()
        described = await admin.describe_topics([topic])
        partitions = [TopicPartition(topic, one["partition"]) for one in described[0]["partitions"]]
        ends = await consumer.end_offsets(partitions)
        begins = await consumer.beginning_offsets(partitions)
        findings: list[Finding] = []
        for role in _ROLES:
            group = settings.group(role)
            known = await _committed(admin, group, topic)
            lag = sum(ends[tp] - max(known.get(tp, 0), begins[tp]) for tp in partitions)
            findings.append(_lag(group, role, known=bool(known), lag=lag))
        return findings
    finally:
        await consumer.stop()
        await admin.close()


async def _committed(admin: AIOKafkaAdminClient, group: str, topic: str) -> dict[TopicPartition, int]:
    """Return the offsets of a group; a broker that no group has used yet first has to make their topic."""
    deadline = asyncio.get_running_loop().time() + _COORDINATOR_SECONDS
    while True:
        try:
            found = await admin.list_consumer_group_offsets(group)
        except GroupCoordinatorNotAvailableError:
            if asyncio.get_running_loop().time() >= deadline:
                return {}
            await asyncio.sleep(_POLL_SECONDS)
            continue
        return {tp: one.offset for tp, one in found.items() if tp.topic == topic and one.offset >= 0}


def _lag(group: str, role: str, *, known: bool, lag: int) -> Finding:
    if not known:
        return Finding(
            check="lag",
            state="warning" if lag else "ok",
            what=f"{group} has not read yet",
            evidence=f"{lag} messages wait",
            repair=f"gpu-health worker --role {role}" if lag else "",
        )
    behind = lag > _LAG_MESSAGES
    return Finding(
        check="lag",
        state="warning" if behind else "ok",
        what=f"{group} is behind" if behind else f"{group} keeps up",
        evidence=f"{lag} messages",
        repair=f"start another: gpu-health worker --role {role}" if behind else "",
    )
