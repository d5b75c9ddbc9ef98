"""The pipeline itself: role score is behind, so nobody watches the GPUs as closely as it looks.

A silence that a pipeline shows which is itself behind says nothing of GPUs or hosts: such conclusions are held,
and this is told instead.
"""

from __future__ import annotations

from typing import Final

from models.alerts.clock import CLOCK_FAULT
from models.alerts.grouping import HOST_MISSING, event_of_notify
from models.alerts.operator_actions import Action
from models.alerts.rule_spec import RuleSpec
from schemas.alert import AlertEvent, Status

PIPELINE_STALE: Final = "pipeline_stale"
# What role notify publishes itself, of which no GPU's status knows.
OF_NOTIFY: Final = frozenset((HOST_MISSING, PIPELINE_STALE, CLOCK_FAULT))
# Role score commits each second; in a quiet fleet the oldest unread message is a few seconds old.
BEHIND_SECONDS: Final = 20.0
STALE_SECONDS: Final = 60.0
_SPEC: Final = RuleSpec(
    name=PIPELINE_STALE,
    cause="pipeline",
    severity="critical",
    page=True,
    action=Action(
        "check_telemetry", "Check role score: is it running, and does it answer? Until then nobody is watched"
    ),
    summary="{what}",
    unit="seconds",
    fires=f"role notify: the oldest message that role score has not read is {STALE_SECONDS:g} s old",
    clears=f"it has read all but the last {BEHIND_SECONDS:g} s",
    scope="fleet",
)
SPECS: Final = (_SPEC,)


def pipeline_event(
    status: Status, reason: str, *, starts_at: float, at: float, lag_seconds: float, worst_seconds: float
) -> AlertEvent:
    """Return the record that role score is behind since ``starts_at``, or caught up ``at`` (epoch s).

    ``lag_seconds`` is the age of the oldest message that it has not read, ``worst_seconds`` the greatest so far.
    """
    if status == "resolved":
        summary = f"Role score has caught up; it was {worst_seconds:.0f} s behind"
    else:
        summary = f"Role score is {lag_seconds:.0f} s behind: no GPU is watched, silences are not judged"
    return event_of_notify(
        _SPEC,
        scope="fleet",
        id="",
        status=status,
        reason=reason,
        starts_at=starts_at,
        at=at,
        value=lag_seconds,
        worst=worst_seconds,
        limit=STALE_SECONDS,
        summary=summary,
        evidence={"kind": "lag", "role": "score", "seconds": round(lag_seconds, 1)},
    )
