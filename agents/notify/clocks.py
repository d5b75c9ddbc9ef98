"""Hosts whose clocks are wrong, as the statuses of their GPUs and their own tell; each is told once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from models.alerts.clock import HOLD_SECONDS, clock_event
from schemas.alert import AlertEvent
from schemas.raw import HOST_PREFIX
from schemas.status import GpuStatus
from schemas.times import parse_time


class _Wrong(msgspec.Struct):
    """A host's wrong clock: by how much, by gpu_id, and the alert that fires.

    ``since`` and ``heard_at`` are the append times (epoch s) of what showed it first and last.
    """

    since: float
    heard_at: float
    ahead_seconds: dict[str, float] = {}
    event: AlertEvent | None = None


class Clocks:
    """Follows the wrong clocks of all hosts."""

    KEY: Final = b"c\x00"

    def __init__(self) -> None:
        self._wrong: dict[str, _Wrong] = {}
        self._host_of: dict[str, str] = {}
        self._dirty: dict[str, None] = {}

    def restore(self, host_id: str, value: bytes) -> None:
        """Take one host's record."""
        self._wrong[host_id] = wrong = msgspec.json.decode(value, type=_Wrong)
        self._host_of.update(dict.fromkeys(wrong.ahead_seconds, host_id))

    def seen(self, status: GpuStatus) -> None:
        """Take a GPU's or a host's latest status."""
        id, host_id = status.gpu_id, status.host_id or status.gpu_id.removeprefix(HOST_PREFIX)
        if self._host_of.get(id, host_id) != host_id or not status.clock_ahead_seconds:
            self.forget(id)
        if not status.clock_ahead_seconds or not host_id or not status.appended_at:
            return
        heard_at = parse_time(status.appended_at)
        wrong = self._wrong.get(host_id)
        if wrong is None:
            wrong = self._wrong[host_id] = _Wrong(heard_at, heard_at)
        if id not in wrong.ahead_seconds:
            self._dirty[host_id] = None
        wrong.heard_at = max(wrong.heard_at, heard_at)
        wrong.ahead_seconds[id] = status.clock_ahead_seconds
        self._host_of[id] = host_id

    def forget(self, id: str) -> None:
        """The clock that dates the samples of a GPU, or of a host itself, is right, or they come no more."""
        host_id = self._host_of.pop(id, None)
        if host_id is not None:
            del self._wrong[host_id].ahead_seconds[id]
            self._dirty[host_id] = None

    def judge(self, clock: float) -> Iterator[tuple[str, AlertEvent]]:
        """Yield each host whose alert fires or is over by ``clock`` (epoch s), with its event."""
        for host_id, wrong in list(self._wrong.items()):
            event = wrong.event
            if not wrong.ahead_seconds:
                del self._wrong[host_id]
                self._dirty[host_id] = None
                if event is not None:
                    begun = parse_time(event.starts_at)
                    over = clock_event(host_id, "resolved", "cleared", ahead_seconds={}, starts_at=begun, at=clock)
                    yield host_id, msgspec.structs.replace(over, value=event.value, worst=event.worst)
            elif event is None and wrong.since + HOLD_SECONDS <= clock <= wrong.heard_at + HOLD_SECONDS:
                wrong.event = clock_event(
                    host_id,
                    "firing",
                    "first_firing",
                    ahead_seconds=wrong.ahead_seconds,
                    starts_at=wrong.since,
                    at=clock,
                )
                self._dirty[host_id] = None
                yield host_id, wrong.event

    @property
    def next_look(self) -> float:
        """Return the clock at which a hold ends; inf: none does."""
        waits = (wrong.since + HOLD_SECONDS for wrong in self._wrong.values() if wrong.event is None)
        return min(waits, default=float("inf"))

    @property
    def dirty(self) -> bool:
        """Whether :meth:`drain` has something."""
        return bool(self._dirty)

    def drain(self) -> list[tuple[bytes, bytes | None]]:
        """Return and forget what changed, by its key in the state."""
        dirty, self._dirty = self._dirty, {}
        return [
            (self.KEY + id.encode(), msgspec.json.encode(self._wrong[id]) if id in self._wrong else None)
            for id in dirty
        ]
