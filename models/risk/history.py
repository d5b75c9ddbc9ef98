"""A GPU's own hardware events, remembered as decayed counts longer than any window.

Health forgets an event once the GPU was reset and ran clean; risk does not: on the Titan trace a GPU's own
history was the strongest feature (docs/risk.md).
"""

from __future__ import annotations

from math import exp
from typing import Final

from models.gpu.columns import DAY_SECONDS, HOUR_SECONDS
from models.gpu.remembered import DecayedEvents
from models.gpu.state import GpuState

DECAY_SECONDS: Final = (7.0 * DAY_SECONDS, 30.0 * DAY_SECONDS, 90.0 * DAY_SECONDS)
# Events of one group within an hour are one event: 736 of Titan's 6,367 were such repetitions.
MERGE_SECONDS: Final = float(HOUR_SECONDS)

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


def sums_at(events: DecayedEvents, time: float) -> tuple[float, float, float]:
    """Return the sums decayed with 7, 30 and 90 days as they stand at ``time`` (epoch s).

    >>> sums_at(DecayedEvents(0.0, 1.0, 1.0, 2.0), -5.0)
    (1.0, 1.0, 2.0)
    """
    elapsed = time - events.last_at
    if not elapsed > 0.0:
        return events.sum_7d, events.sum_30d, events.sum_90d
    week, month, quarter = DECAY_SECONDS
    return (
        events.sum_7d * exp(-elapsed / week),
        events.sum_30d * exp(-elapsed / month),
        events.sum_90d * exp(-elapsed / quarter),
    )


def take(state: GpuState) -> bool:
    """Count what is new in the GPU's evidence into ``state.remembered.risk_history``; tell whether anything was."""
    history = state.remembered.risk_history
    changed = False
    for kind, evidence in state.evidence.items():
        group = GROUPS.get(kind)
        if group is None:
            continue
        at = evidence.last_at
        if at > state.time:  # a log line's clock may run ahead; (no metrics yet: state.time is NaN)
            at = state.time
        events = history.get(group)
        if events is None:
            history[group] = DecayedEvents(at, 1.0, 1.0, 1.0)
        elif at >= events.last_at + MERGE_SECONDS:
            week, month, quarter = sums_at(events, at)
            history[group] = DecayedEvents(at, 1.0 + week, 1.0 + month, 1.0 + quarter)
        else:
            continue
        changed = True
    if changed:
        state.evidence_dirty = True
    return changed
