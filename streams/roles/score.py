"""Role score: every message of the raw topic, one logic a partition, its state in the hot table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from aiokafka.partitioner import murmur2

from agents.ports import Clock
from agents.score.options import ScoreOptions
from agents.score.partition import ScorePartition
from schemas.topics import METRICS_RAW, STATE
from streams.clock import SystemClock
from streams.hot_state.owned_partitions import OwnedPartitions
from streams.inputs.files import decoders
from streams.inputs.reading import InputsReader
from streams.settings import Settings
from streams.telemetry.registry import Telemetry
from streams.telemetry.score import ScoreMetrics
from streams.telemetry.server import MetricsServer
from streams.transport.app import HealthApp, create_app

ROLE = "score"


def build(settings: Settings, telemetry: Telemetry | None = None, clock: Clock | None = None) -> HealthApp:
    """Return the Faust app of role score."""
    return assemble(settings, clock, telemetry)[0]


def assemble(
    settings: Settings, clock: Clock | None = None, telemetry: Telemetry | None = None
) -> tuple[HealthApp, OwnedPartitions]:
    """Return the app and the partitions that it will own."""
    app = create_app(ROLE, settings)
    telemetry = telemetry or Telemetry(ROLE, settings.restarts)
    metrics = ScoreMetrics(telemetry)
    inputs = InputsReader(settings, decoders(), fail=app.fail)
    app.before_flow(inputs.start)
    app.after_stop(inputs.stop)

    def logic(partition: int, partitions: int) -> ScorePartition:
        options = ScoreOptions(
            max_gpus=max(1, settings.max_unknown_gpus // partitions),
            status_records_per_second=settings.status_records_per_second / partitions,
            dead_letters_per_minute=max(1, settings.dead_letters_per_minute // partitions),
        )
        return metrics.watch(ScorePartition(partition, partitioner(partitions), inputs.table, options))

    owned = OwnedPartitions(
        app,
        settings,
        role=ROLE,
        topic=METRICS_RAW,
        table_topic=STATE,
        make_logic=logic,
        clock=clock or SystemClock(),
        observer=metrics,
    )
    owned.attach()
    # An instance serves as well as a class.
    app.service(cast(Any, MetricsServer(telemetry, settings.metrics_host, settings.metrics_port)))

    async def follow() -> None:
        await metrics.follow(owned)

    app.task(follow)
    return app, owned


def partitioner(partitions: int) -> Callable[[bytes], int]:
    """Return Kafka's default partitioner for a topic of ``partitions``.

    >>> partitioner(8)(b"GPU-1") in range(8)
    True
    """

    def partition_of(key: bytes) -> int:
        hashed: int = murmur2(key) & 0x7FFFFFFF
        return hashed % partitions

    return partition_of
