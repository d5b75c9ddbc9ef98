"""Whether role score keeps up, as role notify is told: what is behind says nothing about silence."""

from __future__ import annotations

from typing import Final

import msgspec

from models.alerts.pipeline import BEHIND_SECONDS, STALE_SECONDS, pipeline_event
from schemas.alert import AlertEvent
from schemas.times import parse_time


class _Kept(msgspec.Struct):
    event: AlertEvent
    worst_seconds: float


class Pipeline:
    """Holds what is concluded from silence while role score is behind, and says that it is."""

    KEY: Final = b"p\x00"

    def __init__(self) -> None:
        self._lag_seconds: float | None = None
        self._kept: _Kept | None = None
        self.behind = False
        self.dirty = False

    def restore(self, value: bytes) -> None:
        """Take what :meth:`drain` gave."""
        self._kept = msgspec.json.decode(value, type=_Kept)
        self.behind = True

    def measured(self, lag_seconds: float) -> None:
        """Take the age of the oldest message that role score has not read."""
        self._lag_seconds = lag_seconds

    def judge(self, clock: float) -> AlertEvent | None:
        """Return that it fires or is over, once each; ``clock`` in epoch s."""
        lag, kept = self._lag_seconds, self._kept
        if lag is None:
            return None
        self.behind = lag >= BEHIND_SECONDS
        if kept is None:
            if lag < STALE_SECONDS:
                return None
            event = pipeline_event(
                "firing", "first_firing", starts_at=clock - lag, at=clock, lag_seconds=lag, worst_seconds=lag
            )
            self._kept, self.dirty = _Kept(event, lag), True
            return event
        if lag > kept.worst_seconds:
            kept.worst_seconds = lag
        if self.behind:
            return None
        self._kept, self.dirty = None, True
        return pipeline_event(
            "resolved",
            "caught_up",
            starts_at=parse_time(kept.event.starts_at),
            at=clock,
            lag_seconds=lag,
            worst_seconds=kept.worst_seconds,
        )

    def drain(self) -> bytes | None:
        """Return what is kept over a restart, None where nothing is open."""
        self.dirty = False
        return None if self._kept is None else msgspec.json.encode(self._kept)
