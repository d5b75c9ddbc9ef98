"""How far a role is behind, in seconds: the age of the oldest record of a topic that its group has not committed.

Kafka tells offsets, not times. So the ends of the partitions are noted as they grow, and the age of an offset is the
time since the end was first seen beyond it: nothing is fetched for it. It is the least that is known: what was there
before the first look counts from then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Final

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from streams.kafka.admin import open_admin
from streams.kafka.clients import client_options
from streams.settings import Settings

# Beyond that every second one of the older half goes: the age of what is old need not be exact.
_KEPT_LOOKS: Final = 1024


class Backlog:
    """Turns offsets into an age, look by look."""

    def __init__(self) -> None:
        self._looks: dict[int, deque[tuple[float, int]]] = {}

    def look(self, now: float, ends: Mapping[int, int], done: Mapping[int, int]) -> float:
        """Return the age in seconds of the oldest record that is not done; 0 where all are.

        Parameters
        ----------
        now
            Seconds that only grow.
        ends, done
            By partition: the next offset to be written, and the next to be read by the role.

        Examples
        --------
        >>> backlog = Backlog()
        >>> looks = [(0, 5, 5), (2, 9, 5), (4, 12, 5), (6, 12, 9)]
        >>> [backlog.look(now, {0: end}, {0: done}) for now, end, done in looks]
        [0.0, 0.0, 2.0, 2.0]
        """
        oldest = now
        for partition, end in ends.items():
            looks = self._looks.setdefault(partition, deque())
            if not looks or end > looks[-1][1]:
                looks.append((now, end))
                if len(looks) > _KEPT_LOOKS:
                    half = _KEPT_LOOKS // 2
                    every = list(looks)
                    looks = self._looks[partition] = deque([*every[:half:2], *every[half:]])
            elif end < looks[-1][1]:  # the topic began again
                looks.clear()
                looks.append((now, end))
            reached = done.get(partition, 0)
            while looks and looks[0][1] <= reached and len(looks) > 1:
                looks.popleft()
            if looks[0][1] > reached:
                oldest = min(oldest, looks[0][0])
        return float(now - oldest)


class RoleBacklog:
    """Measures how far ``role`` is behind on ``topic`` (without the prefix of the settings).

    It asks as a member of the role's group would, without joining it: a role that hangs is seen by the others.
    """

    def __init__(self, settings: Settings, *, role: str, topic: str) -> None:
        self._settings = settings
        self._group = settings.group(role)
        self._topic = settings.topic(topic)
        self._backlog = Backlog()
        self._consumer: AIOKafkaConsumer | None = None
        self._partitions: list[TopicPartition] = []

    async def seconds(self, now: float) -> float:
        """Return the age of the oldest record that the role has not read; ``now`` in seconds that only grow.

        Raises
        ------
        aiokafka.errors.KafkaError
            The broker does not answer.
        """
        consumer = self._consumer
        if consumer is None:
            consumer = AIOKafkaConsumer(
                group_id=self._group, enable_auto_commit=False, **client_options(self._settings)
            )
            await consumer.start()
            self._consumer = consumer
        found = await consumer.end_offsets(await self._find())
        ends = {tp.partition: end for tp, end in found.items()}
        done = {tp.partition: await consumer.committed(tp) or 0 for tp in found}
        return self._backlog.look(now, ends, done)

    async def close(self) -> None:
        """Let go of the broker."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()

    async def _find(self) -> list[TopicPartition]:
        """Return the partitions, asked for until the topic is there."""
        if not self._partitions:
            async with open_admin(self._settings) as admin:
                (found,) = await admin.describe_topics([self._topic])
            numbers = sorted(one["partition"] for one in found["partitions"])
            self._partitions = [TopicPartition(self._topic, number) for number in numbers]
        return self._partitions
