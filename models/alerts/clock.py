"""A host whose clock is wrong: its samples are refused, late, or dated where nobody looks."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Final

from models.alerts.grouping import event_of_notify
from models.alerts.operator_actions import Action
from models.alerts.rule_spec import RuleSpec
from schemas.alert import AlertEvent, Status

CLOCK_FAULT: Final = "clock_fault"
# A message is later than its sample by the scrape, the way and a thinned status; it is never earlier.
AHEAD_SECONDS: Final = 20.0
BEHIND_SECONDS: Final = 120.0
# What waited while the broker was away comes late too, and is read within this.
HOLD_SECONDS: Final = 180.0
_SPEC: Final = RuleSpec(
    name=CLOCK_FAULT,
    cause="pipeline",
    severity="warning",
    page=False,
    action=Action("check_host", "Run an NTP client on the host (chronyc tracking, timedatectl)"),
    summary="{what}",
    unit="seconds",
    fires=f"role notify: a host's samples are dated {AHEAD_SECONDS:g} s ahead of the broker's clock or "
    f"{BEHIND_SECONDS:g} s behind it, for {HOLD_SECONDS / 60:g} min",
    clears="its samples are dated right",
    scope="host",
)
SPECS: Final = (_SPEC,)


def wrong_by(sample_time: float, append_time: float) -> float:
    """Return how far a sample's time is ahead of its append time (s, negative: behind); 0: no fault of a clock.

    >>> wrong_by(1000.0, 1003.0), wrong_by(1300.0, 1000.0), wrong_by(1000.0, 8200.0)
    (0.0, 300.0, -7200.0)
    """
    ahead = sample_time - append_time
    return ahead if ahead > AHEAD_SECONDS or ahead < -BEHIND_SECONDS else 0.0


def clock_event(
    host_id: str, status: Status, reason: str, *, ahead_seconds: Mapping[str, float], starts_at: float, at: float
) -> AlertEvent:
    """Return the record that a host's clock is wrong since ``starts_at``, or right again ``at`` (epoch s).

    ``ahead_seconds`` has by how much, of each of its GPUs and the host itself.
    """
    amount = median(ahead_seconds.values()) if ahead_seconds else 0.0
    if status == "resolved":
        summary = f"The clock of {host_id} is right again"
    else:
        summary = f"The clock of {host_id} is {_words(abs(amount))} {'ahead' if amount > 0.0 else 'behind'}"
    return event_of_notify(
        _SPEC,
        scope="host",
        id=host_id,
        status=status,
        reason=reason,
        starts_at=starts_at,
        at=at,
        value=round(amount, 1),
        worst=round(amount, 1),
        limit=AHEAD_SECONDS if amount > 0.0 else -BEHIND_SECONDS,
        summary=summary,
        evidence={"kind": "clock", "ahead_seconds": round(amount, 1), "of": sorted(ahead_seconds)},
    )


def _words(seconds: float) -> str:
    if seconds < 120.0:
        return f"{seconds:.0f} s"
    return f"{seconds / 60.0:.0f} min" if seconds < 7200.0 else f"{seconds / 3600.0:.1f} h"
