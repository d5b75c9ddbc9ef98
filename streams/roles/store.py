"""Role store as a Faust app: the app gives it process, signals and web, the loop reads and commits itself."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final, cast

import faust
from mode import Service

from streams.roles.store_loop import StoreLoop
from streams.settings import Settings
from streams.telemetry.registry import Telemetry
from streams.telemetry.server import MetricsServer
from streams.transport.app import create_app

log = logging.getLogger(__name__)

# Less than the supervisor gives a role to end.
_FAREWELL_SECONDS: Final = 15.0


class StoreService(Service):
    """Runs the loop and the database's maintenance; an error in either ends the worker."""

    def __init__(self, settings: Settings, telemetry: Telemetry, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.loop_of_store = StoreLoop(settings, lambda: self.should_stop, telemetry)
        self._ended = asyncio.Event()

    async def on_stop(self) -> None:
        """Let the loop store and commit what it has read: the service cuts its tasks off after this."""
        try:
            await asyncio.wait_for(self._ended.wait(), _FAREWELL_SECONDS)
        except TimeoutError:
            log.warning("the database is slow: what was read and not stored is left to the next reader")

    @Service.task
    async def _store(self) -> None:
        try:
            await self.loop_of_store.run()
        finally:
            self._ended.set()

    @Service.task
    async def _maintain(self) -> None:
        await self.loop_of_store.maintain(self.sleep)


def build(settings: Settings, telemetry: Telemetry | None = None) -> faust.App:
    """Return the app of role store."""
    app = create_app("store", settings)
    # Faust's own consumer would join the same group without any topic.
    app.producer_only = True
    app.boot_strategy.enable_kafka = False
    telemetry = telemetry or Telemetry("store")
    service = StoreService(settings, telemetry, beacon=app.beacon)
    app.service(cast(Any, service))  # an instance serves as well as a class
    app.service(cast(Any, MetricsServer(telemetry, settings.metrics_host, settings.metrics_port)))
    return app
