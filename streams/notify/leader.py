"""What the one leader of role notify does: read, decide, commit, send.

It reads its topics whole by a consumer of its own, outside any group, from the positions that its state was
made from; Faust's group only tells who leads. Records, state, outbox and positions are one transaction, and
only what is committed is sent.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Any, Final

import msgspec
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import ConsumerRecord, TopicPartition

from agents.notify.decisions import NotifyLogic
from agents.ports import Checkpoint, Clock
from schemas.alert import AlertEvent
from schemas.operator_action import OperatorAction
from schemas.status import GpuStatus
from schemas.topics import ALERTS, NOTIFY_STATE, OPERATOR_ACTIONS, STATUS
from streams.hot_state.table import HotTable
from streams.kafka.clients import client_options
from streams.notify.outbox import Outbox
from streams.notify.receivers import WebhookReceiver
from streams.notify.sender import Senders
from streams.settings import Settings
from streams.telemetry.registry import Telemetry
from streams.transport.identity import topic_identities

log = logging.getLogger(__name__)

ROLE: Final = "notify"
_TOPICS: Final = (ALERTS, OPERATOR_ACTIONS, STATUS)
_POLL_MS: Final = 200
_FETCH_WAIT_MS: Final = 500
_POLL_RECORDS: Final = 5000
# An urgent checkpoint comes at once, but not more often than this: each costs a transaction marker.
_URGENT_GAP_SECONDS: Final = 0.1
# Under a flow that is never quite read to its end, decisions are taken all the same.
_UNDECIDED_SECONDS: Final = 5.0
_DECIDED: Final = "decided"
_ALERT: Final = msgspec.json.Decoder(AlertEvent)
_STATUS: Final = msgspec.json.Decoder(GpuStatus)
_ACTION: Final = msgspec.json.Decoder(OperatorAction)


class Leader:
    """Leads from :meth:`open` to :meth:`close`.

    Parameters
    ----------
    fail
        Called with the error that ends the process.
    """

    def __init__(
        self,
        settings: Settings,
        receivers: Sequence[WebhookReceiver],
        *,
        clock: Clock,
        telemetry: Telemetry,
        fail: Callable[[BaseException], None],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._telemetry = telemetry
        self._fail = fail
        self._logic = NotifyLogic(
            [receiver.rule() for receiver in receivers],
            status_records_per_second=settings.status_records_per_second,
        )
        self._outbox = Outbox({one.name: one.url for one in receivers}, settings.web_url, Random())
        self._senders = Senders(receivers, self._outbox, clock, telemetry)
        self._table = HotTable(settings, table_topic=NOTIFY_STATE, role=ROLE, partition=0)
        self._reader: AIOKafkaConsumer | None = None
        self._inputs: dict[TopicPartition, tuple[str, int]] = {}
        self._committed: dict[tuple[str, int], int] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._closing = False
        self._decided = False
        self._decided_at = 0.0
        self._checkpoint_at = 0.0
        self._newest = 0.0

    async def open(self) -> None:
        """Fence an older leader, restore, and begin to read and to send.

        Raises
        ------
        ShutdownError
            The topics are not those that the state was made from.
        aiokafka.errors.KafkaError
            The broker is away.
        """
        reader = self._reader = AIOKafkaConsumer(
            isolation_level="read_committed",
            enable_auto_commit=False,
            group_id=None,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=_FETCH_WAIT_MS,
            **client_options(self._settings),
        )
        await reader.start()
        names = {self._settings.topic(topic): topic for topic in _TOPICS}
        found = await topic_identities(reader, names)
        for name, topic in names.items():
            for partition in range(found[name].partitions):
                self._inputs[TopicPartition(name, partition)] = (topic, partition)
        restored = await self._table.open(self._inputs.values(), self._restore)
        self._decided = bool(restored.extra.get(_DECIDED))
        self._logic.restored(fresh=not self._decided)
        self._outbox.restored(self._clock.time())
        reader.assign(list(self._inputs))
        for tp, one in self._inputs.items():
            reader.seek(tp, restored.positions[one])
        self._committed = dict(restored.positions)
        if restored.fresh:
            # Before the group has any offset: without a position these would look like a lost state.
            await self._table.checkpoint(Checkpoint(), self._committed, {_DECIDED: False})
        log.info("Leading: %d notifications wait to be sent", self._outbox.waiting)
        for name, work in (("follow", self._follow()), ("send", self._senders.run())):
            task = asyncio.create_task(work, name=f"notify: {name}")
            task.add_done_callback(self._ended)
            self._tasks.append(task)

    async def close(self, *, commit: bool = True) -> None:
        """Write the last checkpoint and let go; what is not sent is left to the next leader."""
        self._closing = True
        if self._tasks:
            follow, send = self._tasks
            send.cancel()
            await asyncio.wait([follow, send])
            if commit and follow.exception() is None and not self._logic.pending:
                await self._checkpoint()
        if self._reader is not None:
            await self._reader.stop()
        await self._table.close()

    def _restore(self, key: bytes, value: bytes) -> None:
        self._logic.restore(key, value)
        self._outbox.restore(key, value)

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._fail(error)

    # -- reading -------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        assert self._reader is not None
        self._decided_at = self._clock.monotonic()
        while not self._closing:
            for tp, records in (await self._reader.getmany(timeout_ms=_POLL_MS, max_records=_POLL_RECORDS)).items():
                self._take(self._inputs[tp][0], records)
            await self._decide()
            if not self._logic.pending:
                await self._checkpoint_if_due()

    def _take(self, topic: str, records: Iterable[ConsumerRecord]) -> None:
        for record in records:
            self._newest = max(self._newest, record.timestamp / 1000)
            self._telemetry.records_in.labels(topic).inc()
            try:
                if topic == ALERTS:
                    self._logic.alert(_ALERT.decode(record.value or b""))
                elif topic == OPERATOR_ACTIONS:
                    self._logic.action(_ACTION.decode(record.value or b""))
                elif record.value is None:
                    self._logic.forgotten((record.key or b"").decode("utf-8", "replace"))
                else:
                    self._logic.status(_STATUS.decode(record.value))
            except (msgspec.MsgspecError, ValueError) as error:
                self._telemetry.unreadable.labels(topic).inc()
                log.warning("%s offset %d cannot be read: %s", record.topic, record.offset, error)

    async def _decide(self) -> None:
        """Decide, once all is read; the first time really all, later at least every few seconds."""
        now = self._clock.monotonic()
        at_end = await self._read_to_end()
        if at_end is None and not (self._decided and now - self._decided_at >= _UNDECIDED_SECONDS):
            return
        # A record from a clock that is ahead must not make everything else old.
        newest = min(self._newest, self._clock.time())
        self._logic.advance(max(newest, at_end or 0.0))
        self._decided, self._decided_at = True, now

    async def _read_to_end(self) -> float | None:
        """Return the time of the oldest last fetch where all partitions are read to their end, else None.

        A broker that is away answers no fetch, so this stands still then.
        """
        reader: Any = self._reader
        fetched: list[float] = []
        for tp in self._inputs:
            stable, at_ms = reader.last_stable_offset(tp), reader.last_poll_timestamp(tp)
            if stable is None or at_ms is None or await reader.position(tp) < stable:
                return None
            fetched.append(at_ms / 1000)
        return min(fetched)

    # -- committing ----------------------------------------------------------------------------------------

    async def _checkpoint_if_due(self) -> None:
        urgent = self._logic.urgent or self._outbox.dirty
        gap = _URGENT_GAP_SECONDS if urgent else self._settings.checkpoint_interval_seconds
        if self._clock.monotonic() - self._checkpoint_at >= gap:
            await self._checkpoint()
            self._checkpoint_at = self._clock.monotonic()

    async def _checkpoint(self) -> None:
        assert self._reader is not None
        positions = {one: await self._reader.position(tp) for tp, one in self._inputs.items()}
        if positions == self._committed and not self._logic.dirty and not self._outbox.dirty:
            return
        said = self._logic.drain()
        self._outbox.add(said.deliveries, self._clock.time())
        outputs, states = self._outbox.drain()
        checkpoint = Checkpoint(said.checkpoint.outputs + outputs, said.checkpoint.states + states)
        with self._telemetry.timed(self._telemetry.checkpoint_seconds):
            await self._table.checkpoint(checkpoint, positions, {_DECIDED: self._decided})
        self._committed = positions
        self._outbox.committed(self._clock.time())
        for notification in said.notifications:
            self._telemetry.notifications.labels(notification.status, notification.reason).inc()
