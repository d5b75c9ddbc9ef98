"""Role store as a Faust app: the app gives it process, signals and web, the loop reads and commits itself."""

from __future__ import annotations

from typing import Any, cast

import faust
from mode import Service

from streams.app import create_app
from streams.settings import Settings
from streams.store_loop import StoreLoop
from streams.telemetry import Telemetry


class StoreService(Service):
    """Runs the loop and the database's maintenance; an error in either ends the worker."""

    def __init__(self, settings: Settings, telemetry: Telemetry, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.loop_of_store = StoreLoop(settings, lambda: self.should_stop, telemetry)

    @Service.task
    async def _store(self) -> None:
        await self.loop_of_store.run()

    @Service.task
    async def _maintain(self) -> None:
        await self.loop_of_store.maintain(self.sleep)


def build(settings: Settings, telemetry: Telemetry | None = None) -> faust.App:
    """Return the app of role store."""
    app = create_app("store", settings)
    # Faust's own consumer would join the same group without any topic.
    app.producer_only = True
    app.boot_strategy.enable_kafka = False
    service = StoreService(settings, telemetry or Telemetry("store"), beacon=app.beacon)
    app.service(cast(Any, service))  # an instance serves as well as a class
    return app
