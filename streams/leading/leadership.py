"""Who leads: the worker that the group assigns the one partition to; further workers stand by."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import faust

from agents.ports import Clock
from streams.leading.leader import Leader
from streams.leading.port import Led, Scope
from streams.settings import Settings
from streams.telemetry.registry import Telemetry
from streams.transport.app import STATE_ERRORS, HealthApp

log = logging.getLogger(__name__)


class Leadership:
    """Begins to lead when the group assigns the topic that elects to this worker, and ends with it.

    Parameters
    ----------
    make
        Returns the role's logic, afresh for each time that this worker leads.
    """

    def __init__(
        self,
        app: HealthApp,
        settings: Settings,
        scope: Scope,
        make: Callable[[], Led],
        *,
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        self._app = app
        self._settings = settings
        self._scope = scope
        self._make = make
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
        topic = self._app.topic(
            self._settings.topic(self._scope.elects), key_serializer="raw", value_serializer="raw"
        )
        self._app.agent(topic, name=f"leads-{self._scope.role}")(_pass_over)

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
            name = self._settings.topic(self._scope.elects)
            if not any(tp.topic == name for tp in self._app.consumer.assignment()):
                log.info("Standing by: another worker leads")
                return
            leader = Leader(
                self._settings,
                self._scope,
                self._make(),
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
