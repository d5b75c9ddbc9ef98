"""A small logic with the shape of the real one: per key a count, a sum and the last offset; alerts out.

Everything that it says follows from the offsets and values of the raw topic alone, so the truth is computed
by reading that topic once.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, Final

from agents.ports import Checkpoint, Chunk, Output
from schemas.topics import ALERTS

ALERT_EVERY: Final = 50
_STATE: Final = struct.Struct("<qqq")


class CountingLogic:
    """State of the keys of one partition."""

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self.states: dict[bytes, tuple[int, int, int]] = {}
        self.fresh: bool | None = None
        self.resets: list[float] = []
        self.clocks: list[float] = []
        self._changed: set[bytes] = set()
        self._outputs: list[Output] = []

    def restore(self, key: bytes, value: bytes) -> None:
        """Take one record of the state topic."""
        self.states[key] = unpack(value)

    def restored(self, extra: Mapping[str, Any], fresh: bool) -> None:
        """Note whether there was a position."""
        self.fresh = fresh

    def process(self, chunk: Chunk) -> None:
        """Count."""
        for offset, key, value in zip(chunk.offsets, chunk.keys, chunk.values, strict=True):
            if key is None or value is None:
                continue
            count, total, _ = self.states.get(key, (0, 0, -1))
            count, total = count + 1, total + int(value.split(b" ", 1)[0])
            self.states[key] = (count, total, offset)
            self._changed.add(key)
            if count % ALERT_EVERY == 0:
                self._outputs.append(Output(ALERTS, key, alert(key, count, total, offset)))

    def advance(self, clock: float) -> None:
        """Note the clock."""
        self.clocks.append(clock)

    def reset_deadlines(self, clock: float) -> None:
        """Note the reset."""
        self.resets.append(clock)

    @property
    def urgent(self) -> bool:
        """Whether an alert waits."""
        return bool(self._outputs)

    @property
    def dirty(self) -> bool:
        """Whether anything waits."""
        return bool(self._outputs or self._changed)

    def position_extra(self) -> Mapping[str, Any]:
        """Return something to be given back."""
        return {"keys": len(self.states)}

    def drain(self) -> Checkpoint:
        """Return what waits."""
        states: list[tuple[bytes, bytes | None]] = [(key, _STATE.pack(*self.states[key])) for key in self._changed]
        checkpoint = Checkpoint(self._outputs, states)
        self._outputs, self._changed = [], set()
        return checkpoint


def alert(key: bytes, count: int, total: int, offset: int) -> bytes:
    """Return the alert that the count of a key gives."""
    return b"%b %d %d %d" % (key, count, total, offset)


def unpack(value: bytes) -> tuple[int, int, int]:
    """Return count, sum and last offset of a state record."""
    count, total, offset = _STATE.unpack(value)
    return count, total, offset
