"""Open incidents as role notify keeps them: who was told what, so that a resolve finds its trigger."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from models.alerts.alert_state import SEVERITY_RANK
from models.alerts.operator_actions import strength
from schemas.alert import ActionCode, AlertEvent

_UNTOLD: Final = -1
Gravity = tuple[bool, int, int]


class Why(StrEnum):
    """The reason of a decision: of telling people, or of not telling them."""

    FIRST_FIRING = "first_firing"
    SEVERITY_RAISED = "severity_raised"
    ACTION_CHANGED = "action_changed"
    REPEAT_INTERVAL = "repeat_interval"
    RESOLVED = "resolved"
    REMOVED = "removed"
    REPLACED = "replaced"
    MEMBER_RESOLVED = "member_resolved"
    JOINED_INCIDENT = "joined_incident"
    JOINED_FAULT = "joined_fault"
    HISTORY = "history"
    TRIAL = "trial"
    TOO_OLD = "too_old"
    SUPPRESSED = "suppressed"
    SILENCED = "silenced"
    ACKNOWLEDGED = "acknowledged"
    MAINTENANCE = "maintenance"
    HELD_FOR_PIPELINE = "held_for_pipeline"
    HELD_FOR_HOST = "held_for_host"
    GROUPED_IN_HOST = "grouped_in_host"
    EXPORTER_DOWN = "exporter_down"


class Member(msgspec.Struct):
    """One firing alert of an incident, as it was published last.

    ``noted_at`` is the clock when it was read first; ``history``: it was old before notify ever ran.
    """

    event: AlertEvent
    noted_at: float
    history: bool = False


class Incident(msgspec.Struct, kw_only=True):
    """What is open, and what people were told of it: how grave it is, and what to do first."""

    incident_id: str
    members: dict[str, Member] = {}
    receivers: list[str] = []
    told_rank: int = _UNTOLD
    told_page: bool = False
    told_action: ActionCode | None = None
    told_at: float = 0.0
    decisions: int = 0
    last_reason: str = ""

    @property
    def told(self) -> bool:
        """Whether people were told of it."""
        return self.told_rank != _UNTOLD

    @property
    def told_gravity(self) -> Gravity:
        """What people know of it, compared as :func:`gravity` is."""
        return self.told_page, self.told_rank, -1 if self.told_action is None else strength(self.told_action)


def gravity(event: AlertEvent) -> Gravity:
    """Return what alerts are compared by: whether it pages, its severity, and how strong its first action is."""
    return event.page, SEVERITY_RANK[event.severity], strength(event.action_code)
