"""What is asked of the broker about topics: make them, wait for their leaders, read their ends and settings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import TopicAlreadyExistsError, for_code
from aiokafka.protocol.offset import OffsetRequest

from schemas.errors import ShutdownError
from streams.kafka.clients import client_options
from streams.settings import Settings

_LATEST = -1
_LEADERS_SECONDS = 30.0
_POLL_SECONDS = 0.1


@asynccontextmanager
async def open_admin(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """Give a started admin client, closed after."""
    admin = AIOKafkaAdminClient(**client_options(settings))
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()


@asynccontextmanager
async def _open_client(settings: Settings) -> AsyncIterator[AIOKafkaClient]:
    client = AIOKafkaClient(**client_options(settings))
    try:
        await client.bootstrap()
        yield client
    finally:
        await client.close()


async def create_topics(admin: AIOKafkaAdminClient, new: Sequence[NewTopic]) -> None:
    """Create topics; one that another process has just created is as good.

    Raises
    ------
    ShutdownError
        The broker refuses.
    """
    answer = await admin.create_topics(list(new))
    for result in answer.to_object()["topic_errors"]:
        if result["error_code"] not in (0, TopicAlreadyExistsError.errno):
            reason = result["error_message"] or for_code(result["error_code"]).__name__
            raise ShutdownError(f"the broker does not create topic {result['topic']}: {reason}")


async def await_leaders(settings: Settings, admin: AIOKafkaAdminClient, names: Sequence[str]) -> None:
    """Return when every partition's leader answers for it.

    The metadata names a leader a moment before that broker has made the partition; a client that comes in
    between logs errors and waits.

    Raises
    ------
    ShutdownError
        Some partition has no leader for 30 s.
    """
    deadline = asyncio.get_running_loop().time() + _LEADERS_SECONDS
    async with _open_client(settings) as client:
        while waiting := await _unanswered(admin, client, names):
            if asyncio.get_running_loop().time() >= deadline:
                raise ShutdownError(f"no leader after {_LEADERS_SECONDS:g} s: {', '.join(sorted(waiting))}")
            await asyncio.sleep(_POLL_SECONDS)


async def is_empty(settings: Settings, name: str) -> bool:
    """Tell whether topic ``name`` (without prefix) exists and nothing was ever written to it."""
    async with open_admin(settings) as admin, _open_client(settings) as client:
        ends = await _ends(client, await admin.describe_topics([settings.topic(name)]))
    return bool(ends) and all(end == 0 for end in ends.values())


async def topic_configs(admin: AIOKafkaAdminClient, wanted: Mapping[str, Iterable[str]]) -> dict[str, dict[str, str]]:
    """Return the values of the settings ``wanted`` of each topic; one that the broker lacks is left out.

    Raises
    ------
    ShutdownError
        The broker does not show them.
    """
    resources = [
        ConfigResource(ConfigResourceType.TOPIC, name, dict.fromkeys(settings)) for name, settings in wanted.items()
    ]
    configs: dict[str, dict[str, str]] = {name: {} for name in wanted}
    for answer in await admin.describe_configs(resources):
        for resource in answer.to_object()["resources"]:
            if resource["error_code"]:
                raise ShutdownError(
                    f"the broker does not show the settings of topic {resource['resource_name']}: "
                    f"{resource['error_message'] or for_code(resource['error_code']).__name__}"
                )
            entries = resource["config_entries"]
            configs[resource["resource_name"]] = {e["config_names"]: e["config_value"] for e in entries}
    return configs


async def _unanswered(admin: AIOKafkaAdminClient, client: AIOKafkaClient, names: Sequence[str]) -> set[str]:
    described = await admin.describe_topics(list(names))
    ends = await _ends(client, described)
    return {
        topic["topic"]
        for topic in described
        if topic["error_code"]
        or not topic["partitions"]
        or any(ends.get((topic["topic"], p["partition"])) is None for p in topic["partitions"])
    }


async def _ends(client: AIOKafkaClient, described: Sequence[Any]) -> dict[tuple[str, int], int | None]:
    """Ask each partition's leader for its end offset; None where it does not answer for it."""
    asked: dict[int, dict[str, list[tuple[int, int]]]] = {}
    ends: dict[tuple[str, int], int | None] = {}
    for topic in described:
        for partition in topic["partitions"]:
            ends[topic["topic"], partition["partition"]] = None
            of_leader = asked.setdefault(partition["leader"], {})
            of_leader.setdefault(topic["topic"], []).append((partition["partition"], _LATEST))
    for node, topics in asked.items():
        if node < 0 or not await client.ready(node):
            continue
        answer = await client.send(node, OffsetRequest(-1, 0, list(topics.items())))
        for name, partitions in answer.topics:
            for partition, error, _time, offset, *_ in partitions:
                ends[name, partition] = None if error else offset
    return ends
