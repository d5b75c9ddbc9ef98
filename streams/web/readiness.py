"""When a worker of role view may be asked: its tables are whole and the broker was seen lately."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from typing import cast

import faust
from aiokafka.errors import KafkaError
from faust.tables.manager import TableManager

from agents.ports import Clock
from schemas.topics import METRICS_RAW
from streams.kafka.backlog import RoleBacklog
from streams.settings import Settings
from streams.telemetry.registry import Telemetry
from streams.web.routes import Readiness

logger = logging.getLogger(__name__)

_PROBE_EVERY_SECONDS = 3.0
BROKER_SEEN_WITHIN_SECONDS = 15.0


class BrokerWatch:
    """Asks the broker for the ends of the assigned partitions, and how far role score is: proof that it answers."""

    def __init__(self, app: faust.App, settings: Settings, clock: Clock, telemetry: Telemetry) -> None:
        self._app = app
        self._score = RoleBacklog(settings, role="score", topic=METRICS_RAW)
        self.score_lag_seconds: float | None = None
        self._clock = clock
        self._telemetry = telemetry
        self._seen_at: float | None = None
        self._topics: set[str] = set()
        self._tables_were_whole = False

    async def run(self) -> None:
        """Probe until the app stops."""
        try:
            while not self._app.should_stop:
                try:
                    async with asyncio.timeout(_PROBE_EVERY_SECONDS):
                        await self._probe()
                except (KafkaError, TimeoutError) as exc:
                    logger.debug("the broker does not answer: %r", exc)
                await self._app.sleep(_PROBE_EVERY_SECONDS)
        finally:
            await self._score.close()

    def seen_ago_seconds(self) -> float | None:
        """Return the time since the broker's last answer, None before the first."""
        return None if self._seen_at is None else self._clock.monotonic() - self._seen_at

    def tables_whole(self) -> bool:
        """Whether the tables were restored once; a rebalance does not take back what is known."""
        # Faust restores all partitions of a GlobalTable as if they were its own before it completes.
        recovery = cast(TableManager, self._app.tables).recovery
        self._tables_were_whole = self._tables_were_whole or recovery.completed.is_set()
        return self._tables_were_whole

    async def _probe(self) -> None:
        consumer = self._app.consumer
        source = {tp for tp in consumer.assignment() if tp.topic not in self._app.tables.changelog_topics}
        ends = await consumer.highwaters(*source)
        if not ends:
            return
        self._seen_at = self._clock.monotonic()
        self._telemetry.broker_seen_seconds.set(self._clock.time())
        lags: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        for tp, end in ends.items():
            position = await consumer.position(tp)
            if end is not None and position is not None:
                lags[tp.topic].append((tp.partition, end - position))
        for topic in self._topics | lags.keys():  # of one that was taken away nothing is told
            self._telemetry.set_lag(topic, lags[topic])
        self._topics = set(lags)
        self.score_lag_seconds = await self._score.seconds(self._clock.monotonic())
        self._telemetry.lag_seconds.labels("score").set(self.score_lag_seconds)


def readiness(app: faust.App, watch: BrokerWatch) -> Readiness:
    """Return whether the worker may be asked, and why not."""
    whole = watch.tables_whole()
    ago = watch.seen_ago_seconds()
    lag = watch.score_lag_seconds
    seen = ago is not None and ago <= BROKER_SEEN_WITHIN_SECONDS
    return Readiness(
        ready=whole and seen,
        detail={
            "tables_restored": whole,
            "broker_seen_seconds_ago": None if ago is None else round(ago, 1),
            "score_lag_seconds": None if lag is None else round(lag, 1),
            "rebalancing": bool(app.rebalancing),
        },
    )
