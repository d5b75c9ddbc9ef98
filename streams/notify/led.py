"""What the leader of role notify decides, commits and sends; only what is committed is sent."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping, Sequence
from random import Random
from typing import Any, Final

import msgspec
from aiokafka.errors import KafkaError

from agents.notify.decisions import NotifyLogic
from agents.notify.publisher import Receiver as Rule
from agents.ports import Checkpoint, Clock
from schemas.alert import AlertEvent
from schemas.notification import Notification
from schemas.operator_action import OperatorAction
from schemas.status import GpuStatus
from schemas.topics import ALERTS, METRICS_RAW, NOTIFY_STATE, OPERATOR_ACTIONS, STATUS
from streams.kafka.backlog import RoleBacklog
from streams.leading.lease import Lease
from streams.leading.port import Scope
from streams.notify.outbox import Outbox
from streams.notify.receivers.port import Receiver
from streams.notify.sender import Senders
from streams.settings import Settings
from streams.telemetry.registry import Telemetry

log = logging.getLogger(__name__)

SCOPE: Final = Scope("notify", elects=ALERTS, topics=(ALERTS, OPERATOR_ACTIONS, STATUS), state_topic=NOTIFY_STATE)
_MEASURE_SECONDS: Final = 2.0
_ALERT: Final = msgspec.json.Decoder(AlertEvent)
_STATUS: Final = msgspec.json.Decoder(GpuStatus)
_ACTION: Final = msgspec.json.Decoder(OperatorAction)


class NotifyLed:
    """The decisions and the outbox, with one task a receiver that sends."""

    def __init__(
        self, settings: Settings, receivers: Sequence[Receiver], *, clock: Clock, telemetry: Telemetry
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._telemetry = telemetry
        self._logic = NotifyLogic(
            [Rule(one.name, one.min_severity) for one in receivers],
            status_records_per_second=settings.status_records_per_second,
        )
        self._outbox = Outbox({one.name: one.address for one in receivers}, settings.web_url, Random())
        self._senders = Senders(receivers, self._outbox, clock, telemetry) if receivers else None
        self._committing: list[Notification] = []

    def restore(self, key: bytes, value: bytes) -> None:
        """Take one live record of the state topic."""
        self._logic.restore(key, value)
        self._outbox.restore(key, value)

    def restored(self, *, fresh: bool) -> None:
        """All records were given."""
        self._logic.restored(fresh=fresh)
        self._outbox.restored(self._clock.time())
        log.info("%d notifications wait to be sent", self._outbox.waiting)

    def take(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        """Take one committed record."""
        if topic == ALERTS:
            self._logic.alert(_ALERT.decode(value or b""))
        elif topic == OPERATOR_ACTIONS:
            self._logic.action(_ACTION.decode(value or b""))
        elif value is None:
            self._logic.forgotten((key or b"").decode("utf-8", "replace"))
        else:
            self._logic.status(_STATUS.decode(value))

    def advance(self, clock: float) -> None:
        """Decide."""
        self._logic.advance(clock)

    @property
    def pending(self) -> bool:
        """Whether what was read is not decided."""
        return self._logic.pending

    @property
    def urgent(self) -> bool:
        """Whether something waits to be sent, or was."""
        return self._logic.urgent or self._outbox.dirty

    @property
    def dirty(self) -> bool:
        """Whether anything waits for a checkpoint."""
        return self._logic.dirty or self._outbox.dirty

    def drain(self) -> Checkpoint:
        """Return decisions, state and outbox, and forget that they wait."""
        decided = self._logic.drain()
        self._outbox.add(decided.deliveries, self._clock.time())
        outputs, states = self._outbox.drain()
        self._committing = decided.notifications
        return Checkpoint(decided.checkpoint.outputs + outputs, decided.checkpoint.states + states)

    def committed(self) -> None:
        """What was drained may leave."""
        self._outbox.committed(self._clock.time())
        for notification in self._committing:
            self._telemetry.notifications.labels(notification.status, notification.reason).inc()
        self._committing = []

    def work(self, lease: Lease) -> Mapping[str, Coroutine[Any, Any, None]]:
        """Return the sending; what is under way when it is cancelled is sent again by the next leader."""
        works: dict[str, Coroutine[Any, Any, None]] = {"measure the lag of role score": self._measure()}
        if self._senders is not None:
            works["send"] = self._senders.run(lease)
        return works

    async def _measure(self) -> None:
        """Look every few seconds how far role score is behind; a broker that is away tells nothing of it."""
        backlog = RoleBacklog(self._settings, role="score", topic=METRICS_RAW)
        try:
            while True:
                try:
                    seconds = await backlog.seconds(self._clock.monotonic())
                except KafkaError as error:
                    log.debug("the lag of role score cannot be told: %r", error)
                else:
                    self._logic.lag(seconds)
                    self._telemetry.lag_seconds.labels("score").set(seconds)
                await asyncio.sleep(_MEASURE_SECONDS)
        finally:
            await backlog.close()
