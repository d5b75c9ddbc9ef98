"""A GPU's own hardware events, remembered as decayed counts longer than any window.

Health forgets an event once the GPU was reset and ran clean; risk does not: on the Titan trace a GPU's own
history was the strongest feature (docs/risk.md).
"""

from __future__ import annotations

from math import exp
from typing import Final

from models.gpu.columns import DAY_SECONDS, HOUR_SECONDS
from models.gpu.state import GpuState

DECAY_SECONDS: Final = (7.0 * DAY_SECONDS, 30.0 * DAY_SECONDS, 90.0 * DAY_SECONDS)
# Events of one group within an hour are one event: 736 of Titan's 6,367 were such repetitions.
MERGE_SECONDS: Final = float(HOUR_SECONDS)
SAID_KEY: Final = "risk_history"

_XIDS: Final = {
    "memory": (48, 63, 64, 92, 94, 95, 140, 156, 157, 168, 171, 172),
    "lost": (79,),
    "controller": (46, 54, 62, 109, 110, 119, 120, 143, 158, 167, 169),
    "link": (74, 136, 144, 145, 146, 147, 148, 149, 150, 155),
    "application": (13, 31, 43),
}
# A latched XID of a first sight has no time of its own, a corrected-error storm is in the counts: not events here.
GROUPS: Final = {
    "dbe": "memory",
    "lost": "lost",
    "nvlink_failed": "link",
    **{f"xid:{code}": group for group, codes in _XIDS.items() for code in codes},
}


class Decayed:
    """Events of one group: the time of the last one counted and the sums decayed with 7, 30 and 90 days."""

    __slots__ = ("last_at", "sums")

    def __init__(self, last_at: float, sums: list[float]) -> None:
        self.last_at = last_at
        self.sums = sums

    def at(self, time: float, tau: int) -> float:
        """Return the sum with time constant ``tau`` (0: 7 d, 1: 30 d, 2: 90 d) as it stands at ``time``."""
        elapsed = time - self.last_at
        return self.sums[tau] * exp(-elapsed / DECAY_SECONDS[tau]) if elapsed > 0.0 else self.sums[tau]

    def add(self, time: float) -> None:
        """Count one event at ``time``, later than the last."""
        self.sums = [1.0 + self.at(time, tau) for tau in range(len(DECAY_SECONDS))]
        self.last_at = time

    def to_list(self) -> list[float]:
        """Return plain values for the packed state."""
        return [self.last_at, *self.sums]

    @classmethod
    def from_list(cls, values: list[float]) -> Decayed:
        """Return the inverse of :meth:`to_list`."""
        return cls(values[0], list(values[1:]))


def load(state: GpuState) -> dict[str, Decayed]:
    """Return the GPU's history as it was kept."""
    kept = state.said.get(SAID_KEY) or {}
    return {group: Decayed.from_list(values) for group, values in kept.items()}


def take(state: GpuState, history: dict[str, Decayed]) -> bool:
    """Count what is new in the GPU's evidence; keep it in ``state.said``; tell whether anything was."""
    changed = False
    for kind, evidence in state.evidence.items():
        group = GROUPS.get(kind)
        if group is None:
            continue
        at = evidence.last_at
        if at > state.time:  # a log line's clock may run ahead; (no metrics yet: state.time is NaN)
            at = state.time
        decayed = history.get(group)
        if decayed is None:
            history[group] = Decayed(at, [1.0] * len(DECAY_SECONDS))
        elif at >= decayed.last_at + MERGE_SECONDS:
            decayed.add(at)
        else:
            continue
        changed = True
    if changed:
        state.said[SAID_KEY] = {group: decayed.to_list() for group, decayed in history.items()}
        state.evidence_dirty = True
    return changed
