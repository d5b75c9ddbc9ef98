"""Raw messages back out of the database, for a replay that loses nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import asyncpg

from agents.store.raw_rows import as_seconds, metrics_message, raw_event_message
from streams.db.files import queries
from streams.db.pool import Acquired, Pool

_PREFETCH: Final = 500


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A raw message as it was stored; ``append_time`` is the broker's (epoch s)."""

    gpu_id: str
    time: float
    append_time: float
    value: bytes


async def stored_messages(pool: Pool, start: datetime, end: datetime) -> AsyncIterator[StoredMessage]:
    """Yield the messages with ``start`` <= time < ``end`` by GPU, then time, from one snapshot."""
    sql = queries("replay")
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        names = sorted([row["gpu_id"] async for row in sql.gpus(connection, since=start, until=end)])
        for gpu_id in names:
            labels = {
                row["labels_digest"]: row["labels"]
                async for row in sql.labels(connection, gpu_id=gpu_id, since=start, until=end)
            }
            async for message in _of_gpu(connection, gpu_id, labels, start, end):
                yield message


async def _of_gpu(
    connection: Acquired, gpu_id: str, labels: Mapping[int, Mapping[str, str]], start: datetime, end: datetime
) -> AsyncIterator[StoredMessage]:
    sql = queries("replay")
    events = [
        _stored(row, raw_event_message(dict(row)))
        async for row in sql.raw_events(connection, gpu_id=gpu_id, since=start, until=end)
    ]
    waiting = iter(events)
    event = next(waiting, None)
    async for row in connection.cursor(sql.samples.sql, gpu_id, start, end, prefetch=_PREFETCH):
        message = _stored(row, metrics_message(dict(row), labels.get(row["labels_digest"])))
        while event is not None and (event.time, event.append_time) < (message.time, message.append_time):
            yield event
            event = next(waiting, None)
        yield message
    if event is not None:
        yield event
        for event in waiting:
            yield event


def _stored(row: asyncpg.Record | Mapping[str, Any], value: bytes) -> StoredMessage:
    return StoredMessage(row["gpu_id"], as_seconds(row["time"]), as_seconds(row["appended_at"]), value)


async def raw_messages(pool: Pool, start: datetime, end: datetime) -> AsyncIterator[bytes]:
    """Yield RawMessage JSON with ``start`` <= time < ``end`` by GPU, then time."""
    async for message in stored_messages(pool, start, end):
        yield message.value
