"""Role notify: whoever owns the one partition of gpu-alerts leads; further workers stand by."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import Any, cast

import faust

from agents.ports import Clock
from schemas.topics import ALERTS
from streams.clock import SystemClock
from streams.notify.leader import ROLE, Leader
from streams.notify.receivers.file import load_receivers
from streams.notify.receivers.port import Receiver
from streams.settings import Settings
from streams.telemetry.registry import Telemetry
from streams.telemetry.server import MetricsServer
from streams.transport.app import STATE_ERRORS, HealthApp, create_app

log = logging.getLogger(__name__)


def build(settings: Settings, telemetry: Telemetry | None = None, clock: Clock | None = None) -> HealthApp:
    """Return the Faust app of role notify.

    Raises
    ------
    ShutdownError
        The receivers file or a secret is unusable.
    """
    receivers = load_receivers(settings.receivers, os.environ)
    app = create_app(ROLE, settings)
    telemetry = telemetry or Telemetry(ROLE, settings.restarts)
    Leadership(app, settings, receivers, telemetry, clock or SystemClock()).attach()
    # An instance serves as well as a class.
    app.service(cast(Any, MetricsServer(telemetry, settings.metrics_port)))
    return app


class Leadership:
    """Begins to lead when the group assigns gpu-alerts to this worker, and ends with it."""

    def __init__(
        self,
        app: HealthApp,
        settings: Settings,
        receivers: tuple[Receiver, ...],
        telemetry: Telemetry,
        clock: Clock,
    ) -> None:
        self._app = app
        self._settings = settings
        self._receivers = receivers
        self._telemetry = telemetry
        self._clock = clock
        self._leader: Leader | None = None
        # A rebalance may begin while the leader of the one before is still restoring.
        self._changing = asyncio.Lock()

    def attach(self) -> None:
        """Connect to the app; call once, before it starts."""
        self._app.on_partitions_revoked.connect(self._on_revoked)
        self._app.on_rebalance_complete.connect(self._on_assigned)
        self._app.before_stop(self.close)
        topic = self._app.topic(self._settings.topic(ALERTS), key_serializer="raw", value_serializer="raw")
        self._app.agent(topic, name="leads-notify")(_pass_over)

    async def close(self) -> None:
        """Lead no longer; after a failure, without a last checkpoint."""
        async with self._changing:
            leader, self._leader = self._leader, None
            if leader is not None:
                await leader.close(commit=not self._app.failed)

    async def _on_revoked(self, *args: Any, **kwargs: Any) -> None:
        """Before another gets it: Faust waits for this."""
        try:
            await self.close()
        except STATE_ERRORS as error:
            self._app.fail(error)

    async def _on_assigned(self, *args: Any, **kwargs: Any) -> None:
        """Lead, if this worker is the one to."""
        rebalance = self._app.rebalancing_count
        async with self._changing:
            if rebalance != self._app.rebalancing_count or self._app.failed or self._leader is not None:
                return
            name = self._settings.topic(ALERTS)
            if not any(tp.topic == name for tp in self._app.consumer.assignment()):
                log.info("Standing by: another worker leads")
                return
            leader = Leader(
                self._settings,
                self._receivers,
                clock=self._clock,
                telemetry=self._telemetry,
                fail=self._app.fail,
            )
            try:
                await leader.open()
            except STATE_ERRORS as error:
                self._app.fail(error)
                await leader.close(commit=False)
            else:
                self._leader = leader


async def _pass_over(stream: faust.StreamT[Any]) -> None:
    """Keep the membership in the group: the leader reads the topic itself, from its own position."""
    async for _ in stream:
        pass
