"""The topics of the system: names, partitions, cleanup, retention; made where missing, compared where not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from schemas.raw import MAX_MESSAGE_BYTES
from schemas.topics import (
    ALERTS,
    DEAD_LETTER,
    EVENTS,
    FAILURE_EVENTS,
    HEALTH_SCORES,
    HOURS,
    INPUTS,
    METRICS_RAW,
    NOTIFICATIONS,
    NOTIFY_STATE,
    OPERATOR_ACTIONS,
    RECOMMENDATIONS,
    RISK_SCORES,
    STATE,
    STATUS,
)
from streams.kafka.admin import await_leaders, create_topics, open_admin, topic_configs
from streams.settings import Settings

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
# The largest message beside its key and the headers of record and batch: what is longer than a message may be
# reaches us as long as its batch, compressed, does not exceed this, and is a dead letter then.
MAX_RECORD_BYTES: Final = MAX_MESSAGE_BYTES + 64 * 1024
_RAW_CONFIG = {"message.timestamp.type": "LogAppendTime", "max.message.bytes": str(MAX_RECORD_BYTES)}
# An active segment of the default 1 GiB is never compacted: a restore would read hours of writes.
_STATE_CONFIG = {
    "segment.bytes": str(16 * 1024 * 1024),
    "min.cleanable.dirty.ratio": "0.1",
    "max.compaction.lag.ms": "600000",
}


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """What a topic must be.

    Parameters
    ----------
    name
        Name without the prefix of the settings.
    partitions
        Number of partitions; ``None``: as many as the raw topic has.
    cleanup
        ``delete`` or ``compact``.
    retention_ms
        For ``delete``: -1 is unlimited.
    config
        Further broker settings.
    """

    name: str
    partitions: int | None
    cleanup: Literal["delete", "compact"]
    retention_ms: int = -1
    config: dict[str, str] = field(default_factory=dict)

    def broker_config(self) -> dict[str, str]:
        """Return the whole configuration that the topic is created with and checked against."""
        config = {"cleanup.policy": self.cleanup, **self.config}
        if self.cleanup == "delete":
            config["retention.ms"] = str(self.retention_ms)
        return config


def topic_specs(settings: Settings) -> tuple[TopicSpec, ...]:
    """Return every topic of the system; names lack the prefix of the settings."""
    raw_ms = settings.raw_retention_hours * _HOUR_MS
    return (
        TopicSpec(METRICS_RAW, None, "delete", raw_ms, _RAW_CONFIG),
        TopicSpec(DEAD_LETTER, 1, "delete", 30 * _DAY_MS),
        TopicSpec(STATUS, None, "compact", config=_STATE_CONFIG),
        TopicSpec(HEALTH_SCORES, None, "delete", 30 * _DAY_MS),
        TopicSpec(RISK_SCORES, None, "delete", 90 * _DAY_MS),
        TopicSpec(HOURS, None, "delete", 30 * _DAY_MS),
        TopicSpec(EVENTS, None, "delete", 90 * _DAY_MS),
        TopicSpec(RECOMMENDATIONS, None, "delete", 90 * _DAY_MS),
        TopicSpec(ALERTS, 1, "delete", 30 * _DAY_MS),
        TopicSpec(NOTIFICATIONS, 1, "delete", 90 * _DAY_MS),
        TopicSpec(OPERATOR_ACTIONS, 1, "delete", -1),
        TopicSpec(FAILURE_EVENTS, 1, "delete", -1),
        TopicSpec(INPUTS, 1, "compact"),
        TopicSpec(STATE, None, "compact", config=_STATE_CONFIG),
        TopicSpec(NOTIFY_STATE, 1, "compact", config=_STATE_CONFIG),
    )


@dataclass(frozen=True, slots=True)
class TopicDifference:
    """One setting of an existing topic that is not as the system needs it, and how a person repairs it."""

    topic: str
    setting: str
    wanted: str
    found: str
    repair: str

    def __str__(self) -> str:
        return f"topic {self.topic}: {self.setting} is {self.found}, not {self.wanted}; repair: {self.repair}"


async def ensure_topics(settings: Settings, extra: Sequence[TopicSpec] = ()) -> list[TopicDifference]:
    """Create every missing topic; return how the existing ones differ from what they must be.

    No existing topic is changed. When this returns, every topic has its leaders.

    Parameters
    ----------
    settings
        Broker, prefix, number of partitions, replication.
    extra
        Topics beside those of :func:`topic_specs`, such as the changelogs of Faust's tables.

    Raises
    ------
    ShutdownError
        The broker refuses to create a topic, or its leaders do not appear.
    """
    specs = {settings.topic(spec.name): spec for spec in (*topic_specs(settings), *extra)}
    async with open_admin(settings) as admin:
        existing = set(await admin.list_topics())
        missing = [
            NewTopic(name, _partitions(spec, settings), settings.replication, topic_configs=spec.broker_config())
            for name, spec in specs.items()
            if name not in existing
        ]
        if missing:
            await create_topics(admin, missing)
        await await_leaders(settings, admin, list(specs))
        # All of them: one that was just made elsewhere may be missing in this broker's list, yet exist.
        return await _compare(admin, settings, specs)


async def check_topics(settings: Settings, extra: Sequence[TopicSpec] = ()) -> list[TopicDifference]:
    """Return how the broker's topics differ from what they must be, absent ones included; change nothing."""
    async with open_admin(settings) as admin:
        specs = {settings.topic(spec.name): spec for spec in (*topic_specs(settings), *extra)}
        existing = set(await admin.list_topics())
        absent = [
            TopicDifference(
                name, "existence", "present", "absent", "start any role: `gpu-health worker --role store`"
            )
            for name in specs
            if name not in existing
        ]
        return absent + await _compare(admin, settings, {n: s for n, s in specs.items() if n in existing})


def _partitions(spec: TopicSpec, settings: Settings) -> int:
    return settings.partitions if spec.partitions is None else spec.partitions


async def _compare(
    admin: AIOKafkaAdminClient, settings: Settings, specs: Mapping[str, TopicSpec]
) -> list[TopicDifference]:
    if not specs:
        return []
    found = {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics(list(specs))}
    differences = [
        _partition_difference(name, _partitions(spec, settings), found[name])
        for name, spec in specs.items()
        if found[name] != _partitions(spec, settings)
    ]
    configs = await topic_configs(admin, {name: spec.broker_config() for name, spec in specs.items()})
    for name, spec in specs.items():
        for setting, wanted in spec.broker_config().items():
            value = configs[name].get(setting, "unknown")
            if value != wanted:
                # The tool reads a comma as the next setting unless the value is in brackets.
                written = f"[{wanted}]" if "," in wanted else wanted
                repair = (
                    f"kafka-configs.sh --bootstrap-server {settings.broker} --alter --entity-type topics "
                    f"--entity-name {name} --add-config {setting}={written}"
                )
                differences.append(TopicDifference(name, setting, wanted, value, repair))
    return differences


def _partition_difference(name: str, wanted: int, found: int) -> TopicDifference:
    # Adding partitions to a keyed topic sends the keys elsewhere, away from their state.
    repair = (
        f"set GPU_HEALTH_PARTITIONS={found} if this is the number of all such topics; otherwise stop every "
        f"worker and delete the topic: it is made anew at the next start, without what it held"
    )
    return TopicDifference(name, "partitions", str(wanted), str(found), repair)
