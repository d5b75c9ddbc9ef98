"""What the one leader of a role does: restore, read, let the role decide, commit.

It reads its topics whole by a consumer of its own, outside any group, from the positions that its state was
made from; Faust's group only decides who leads. Records, state and positions are one transaction.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import ConsumerRecord, TopicPartition

from agents.ports import Checkpoint, Clock
from schemas.errors import UNREADABLE
from streams.background import watched
from streams.hot_state.table import HotTable
from streams.kafka.clients import client_options
from streams.leading.lease import Lease
from streams.leading.port import Led, Scope
from streams.settings import Settings
from streams.telemetry.registry import Telemetry
from streams.transport.identity import topic_identities

log = logging.getLogger(__name__)

_POLL_MS: Final = 200
_FETCH_WAIT_MS: Final = 500
_POLL_RECORDS: Final = 5000
# An urgent checkpoint comes at once, but not more often than this: each costs a transaction marker.
_URGENT_GAP_SECONDS: Final = 0.1
# Under a flow that is never quite read to its end, decisions are taken all the same.
_UNDECIDED_SECONDS: Final = 5.0
_DECIDED: Final = "decided"


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
        scope: Scope,
        led: Led,
        *,
        clock: Clock,
        telemetry: Telemetry,
        fail: Callable[[BaseException], None],
    ) -> None:
        self._settings = settings
        self._scope = scope
        self._led = led
        self._clock = clock
        self._telemetry = telemetry
        self._fail = fail
        self._table = HotTable(settings, table_topic=scope.state_topic, role=scope.role, partition=0)
        self._lease = Lease(settings.session_timeout_seconds, clock)
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
        """Fence an older leader, restore, and begin to read and to work.

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
        names = {self._settings.topic(topic): topic for topic in self._scope.topics}
        found = await topic_identities(reader, names)
        for name, topic in names.items():
            for partition in range(found[name].partitions):
                self._inputs[TopicPartition(name, partition)] = (topic, partition)
        restored = await self._table.open(self._inputs.values(), self._led.restore)
        self._decided = bool(restored.extra.get(_DECIDED))
        self._led.restored(fresh=not self._decided)
        reader.assign(list(self._inputs))
        for tp, one in self._inputs.items():
            reader.seek(tp, restored.positions[one])
        self._committed = dict(restored.positions)
        if restored.fresh:
            # Before the group has any offset: without a position these would look like a lost state.
            await self._table.checkpoint(Checkpoint(), self._committed, {_DECIDED: False})
        log.info("Leading")
        for name, work in {
            "follow": self._follow(),
            "lease": self._lease.run(),
            **self._led.work(self._lease),
        }.items():
            self._tasks.append(
                watched(work, f"{self._scope.role}: {name}", fail=self._fail, closing=lambda: self._closing)
            )

    async def close(self, *, commit: bool = True) -> None:
        """End every task, write the last checkpoint and let go; what is not done is left to the next leader."""
        self._closing = True
        if self._tasks:
            follow, *others = self._tasks
            for task in others:
                task.cancel()
            await asyncio.wait(self._tasks)
            followed = not follow.cancelled() and follow.exception() is None
            if commit and followed and not self._led.pending:
                await self._checkpoint()
        if self._reader is not None:
            await self._reader.stop()
        await self._table.close()

    # -- reading -------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        assert self._reader is not None
        self._decided_at = self._clock.monotonic()
        while not self._closing:
            for tp, records in (await self._reader.getmany(timeout_ms=_POLL_MS, max_records=_POLL_RECORDS)).items():
                self._take(self._inputs[tp][0], records)
            await self._decide()
            if not self._led.pending:
                await self._checkpoint_if_due()

    def _take(self, topic: str, records: Iterable[ConsumerRecord]) -> None:
        for record in records:
            self._newest = max(self._newest, record.timestamp / 1000)
            self._telemetry.records_in.labels(topic).inc()
            try:
                self._led.take(topic, record.key, record.value)
            except UNREADABLE as error:
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
        self._led.advance(max(newest, at_end or 0.0))
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
        gap = (
            _URGENT_GAP_SECONDS
            if self._led.urgent or self._lease.doubted
            else self._settings.checkpoint_interval_seconds
        )
        if self._clock.monotonic() - self._checkpoint_at >= gap:
            await self._checkpoint()
            self._checkpoint_at = self._clock.monotonic()

    async def _checkpoint(self) -> None:
        assert self._reader is not None
        positions = {one: await self._reader.position(tp) for tp, one in self._inputs.items()}
        if positions == self._committed and not self._led.dirty and not self._lease.doubted:
            return
        stalls = self._lease.stalls
        checkpoint = self._led.drain()
        with self._telemetry.timed(self._telemetry.checkpoint_seconds):
            await self._table.checkpoint(checkpoint, positions, {_DECIDED: self._decided})
        self._lease.prove(stalls)
        self._committed = positions
        self._led.committed()
