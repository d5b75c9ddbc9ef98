"""Why an alert is not for people now: silences, age, its host, and what the GPU itself says meanwhile."""

from __future__ import annotations

from math import inf
from typing import Final

from agents.notify.incidents import Incident, Member, Why
from models.alerts.grouping import GPU_HOLD_SECONDS, SILENCES, HostCause
from models.alerts.pipeline import OF_NOTIFY
from models.alerts.silences import ends, in_effect
from schemas.alert import AlertEvent
from schemas.operator_action import OperatorAction
from schemas.raw import HOST_PREFIX
from schemas.status import GpuStatus
from schemas.times import parse_time

MAX_AGE_SECONDS: Final = 3600.0
LOOK_AGAIN_SECONDS: Final = 60.0
# A condition counts as still there when the GPU's own samples said so within this time.
_LIVE_SECONDS: Final = 600.0
_BY_KIND: Final = {
    "silence": Why.SILENCED,
    "maintenance": Why.MAINTENANCE,
    "acknowledgement": Why.ACKNOWLEDGED,
}


class Withholding:
    """Knows what people said and what GPUs show; ``actions`` are those in effect or to come, by their id."""

    def __init__(self) -> None:
        self.actions: dict[str, OperatorAction] = {}
        self._statuses: dict[str, tuple[float, frozenset[str]]] = {}

    def take(self, action: OperatorAction) -> bool:
        """Take what a person said; tell whether it can withhold anything.

        Raises
        ------
        ValueError
            One of its times is none.
        """
        if action.kind not in _BY_KIND:
            return False
        ends(action), parse_time(action.at), parse_time(action.starts_at or action.at)
        self.actions[action.action_id] = action
        return True

    def expire(self, clock: float) -> list[str]:
        """Forget the actions that have ended by ``clock`` (epoch s); return their ids."""
        over = [id for id, action in self.actions.items() if ends(action) <= clock]
        for action_id in over:
            del self.actions[action_id]
        return over

    def seen(self, status: GpuStatus) -> None:
        """Take a GPU's or a host's latest status."""
        seen = parse_time(status.last_seen) if status.last_seen else -inf
        self._statuses[status.gpu_id] = (seen, frozenset(alert.incident_id for alert in status.alerts))

    def forget(self, gpu_id: str) -> None:
        """Forget what a GPU or a host showed."""
        self._statuses.pop(gpu_id, None)

    def why(
        self, incident: Incident, member: Member, cause: HostCause, clock: float, *, behind: bool
    ) -> tuple[Why | None, float]:
        """Return why this alert is not for people now (None: it is), and when to look again (epoch s).

        ``cause`` is what explains the missing GPUs of its host; ``behind``: the pipeline itself is.
        """
        event = member.event
        if event.suppressed_by is not None:
            return Why.SUPPRESSED, inf
        if event.trial:
            return Why.TRIAL, inf
        if member.history or (event.history and event.reason != "first_sight"):
            return Why.HISTORY, inf
        action = in_effect(self.actions.values(), event, clock)
        if action is not None:
            return _BY_KIND[action.kind], ends(action)
        if behind and event.rule in SILENCES and not incident.told:
            return Why.HELD_FOR_PIPELINE, inf
        if event.rule == "gpu_missing":
            if cause is HostCause.EXPORTER_DOWN:
                return Why.EXPORTER_DOWN, inf
            if clock < member.noted_at + GPU_HOLD_SECONDS:
                return Why.HELD_FOR_HOST, member.noted_at + GPU_HOLD_SECONDS
            if cause is HostCause.UNCONFIRMED:
                return Why.HELD_FOR_HOST, inf
            if cause.lost:
                return Why.GROUPED_IN_HOST, inf
        elif not incident.told and is_old(event, clock) and not self._holds(event, clock):
            return Why.TOO_OLD, clock + LOOK_AGAIN_SECONDS
        return None, inf

    def contradicts(self, event: AlertEvent) -> bool:
        """Whether the GPU was heard after ``event``, without it: its end was lost with role score's state."""
        seen, incidents = self._status_of(event)
        return (
            event.rule not in OF_NOTIFY and seen > parse_time(event.updated_at) and event.incident_id not in incidents
        )

    def _holds(self, event: AlertEvent, clock: float) -> bool:
        """Whether the GPU's own recent samples still say so."""
        seen, incidents = self._status_of(event)
        return seen >= clock - _LIVE_SECONDS and event.incident_id in incidents

    def _status_of(self, event: AlertEvent) -> tuple[float, frozenset[str]]:
        subject = event.gpu_id if event.gpu_id is not None else f"{HOST_PREFIX}{event.host_id}"
        return self._statuses.get(subject, (-inf, frozenset()))


def is_old(event: AlertEvent, clock: float) -> bool:
    """Whether ``event`` is too old at ``clock`` (epoch s) to wake people for its own sake."""
    return clock - parse_time(event.updated_at) > MAX_AGE_SECONDS
