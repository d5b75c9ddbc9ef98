"""Sends what the outbox holds, each receiver at its own pace: one that is away delays no other."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Final

import aiohttp

from agents.ports import Clock
from streams.leading.lease import Lease
from streams.notify.outbox import Outbox
from streams.notify.receivers.port import Attempt, Outcome, Receiver
from streams.telemetry.registry import Telemetry

log = logging.getLogger(__name__)

_LONGEST_WAIT_SECONDS: Final = 60.0


class Senders:
    """One task a receiver."""

    def __init__(self, receivers: Sequence[Receiver], outbox: Outbox, clock: Clock, telemetry: Telemetry) -> None:
        self._receivers = receivers
        self._outbox = outbox
        self._clock = clock
        self._telemetry = telemetry
        self._failing: set[str] = set()

    async def run(self, lease: Lease) -> None:
        """Send, where ``lease`` holds, until cancelled; what is under way then is sent again by whoever goes on."""
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
            asyncio.TaskGroup() as group,
        ):
            for receiver in self._receivers:
                group.create_task(self._serve(session, receiver, lease), name=f"send to {receiver.name}")

    async def _serve(self, session: aiohttp.ClientSession, receiver: Receiver, lease: Lease) -> None:
        while True:
            await lease.hold()
            entry = self._outbox.next(receiver.name, self._clock.time())
            if entry is None:
                await self._wait(receiver.name)
                continue
            result = await receiver.attempt(session, entry.notification_id, entry.body.encode(), self._clock.time())
            self._outbox.settle(entry, result, self._clock.time())
            self._telemetry.deliveries.labels(receiver.name, result.outcome.value).inc()
            self._report(receiver.name, result)

    async def _wait(self, receiver: str) -> None:
        seconds = min(self._outbox.due(receiver) - self._clock.time(), _LONGEST_WAIT_SECONDS)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(seconds, 0.0)):
                await self._outbox.changed(receiver)

    def _report(self, receiver: str, result: Attempt) -> None:
        """One outage is one line."""
        if result.outcome is Outcome.DELIVERED:
            if receiver in self._failing:
                self._failing.discard(receiver)
                log.warning("Receiver %s takes notifications again", receiver)
        elif result.outcome is Outcome.GONE:
            log.error("Receiver %s answered 410 and is disabled until its address changes", receiver)
        elif result.outcome is Outcome.REFUSED:
            log.warning("Receiver %s refused a notification: %s", receiver, result.detail)
        elif receiver not in self._failing:
            self._failing.add(receiver)
            log.warning("Receiver %s cannot be told now, trying again until it can: %s", receiver, result.detail)
