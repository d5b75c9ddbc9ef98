"""What is published of an alert: that it fires, that it was raised, that it is over; with the reason."""

from __future__ import annotations

from math import inf
from typing import Final

from models.alerts.alert_state import FIRING, SEVERITY_RANK, WAITING, AlertState
from models.alerts.inhibition import suppressed_by
from models.alerts.operator_actions import Action, strength
from models.alerts.record import alert_event, subject
from models.gpu.state import GpuState
from schemas.alert import AlertEvent, Severity, Status
from schemas.ids import digest
from schemas.times import format_time

FIRST_FIRING: Final = "first_firing"
FIRST_SIGHT: Final = "first_sight"
HISTORY: Final = "history"
INHIBITED: Final = "inhibited"
SEVERITY_RAISED: Final = "severity_raised"
ACTION_CHANGED: Final = "action_changed"
CLEARED: Final = "cleared"
GROWN: Final = "grown"

# An alert that grows worse without another severity, page or action is published again this often at most.
GROWN_SECONDS: Final = 900.0

TREND: Final = "trend"


def fire(state: GpuState, alert: AlertState, at: float, *, incident: tuple[str, str] | None = None) -> AlertEvent:
    """Publish that ``alert`` fires since ``at``; it joins the open incident of its cause, else opens one.

    ``incident`` replaces what the id of a new incident is made of.
    """
    state.evidence_dirty = True
    alert.emitted_at = at
    alert.starts_at = alert.since if alert.phase == WAITING else at
    alert.phase = FIRING
    alert.deadline = alert.last_at + alert.clean_seconds if alert.clean_seconds > 0.0 else inf
    alert.wait_clock = inf
    joined = _open_incident(state, alert)
    if joined is None:
        begun = incident or (alert.cause, format_time(alert.starts_at))
        joined = digest(*subject(state), *begun, *((alert.pci,) if state.is_host else ()))
    alert.incident_id = joined
    reason = FIRST_SIGHT if alert.history else FIRST_FIRING
    if state.history and not alert.history and alert.clean_seconds == 0.0:  # a reported fault knows its own
        alert.history = True
        reason = HISTORY
    if alert.cause == TREND:
        alert.action = _action_of_faults(state) or alert.action
    if not alert.evidence:
        alert.add_evidence({"kind": "condition", "since": format_time(alert.since)})
    alert.suppressed_by = _suppressed_by(state, alert)
    if alert.suppressed_by is not None:
        reason = INHIBITED
    if alert.history or alert.suppressed_by is not None or alert.trial:
        alert.page = False
    return _publish(state, alert, "firing", at, reason)


def resolve(state: GpuState, alert: AlertState, at: float, reason: str) -> AlertEvent:
    """Publish that ``alert`` is over since ``at`` and forget it."""
    state.evidence_dirty = True
    del state.alerts[alert.key]
    at = max(at, alert.emitted_at)
    return _publish(state, alert, "resolved", at, reason, ends_at=at)


def tell_growth(state: GpuState, events: list[AlertEvent]) -> None:
    """Publish what of the open alerts grew worse, or was reported again, each at a bounded rate."""
    for alert in state.alerts.values():
        if alert.open and alert.grown and state.time >= alert.emitted_at + GROWN_SECONDS:
            state.evidence_dirty = True
            alert.emitted_at = state.time
            events.append(_publish(state, alert, "firing", state.time, GROWN))


def strengthen(
    state: GpuState,
    alert: AlertState,
    at: float,
    *,
    severity: Severity,
    page: bool,
    action: Action,
    summary: str,
    history: bool,
) -> AlertEvent | None:
    """Raise an open alert; severity and page never fall. Return the event where something changed.

    What was true before the system looked becomes an alert like any other once it grows worse before its
    eyes (``history`` false).
    """
    raised = SEVERITY_RANK[severity] > SEVERITY_RANK[alert.severity]
    if raised and alert.history and not history:
        alert.history = False
    pages = page and not (alert.page or alert.history or alert.trial) and alert.suppressed_by is None
    acts = action.text != alert.action.text
    if not (raised or pages or acts):
        return None
    state.evidence_dirty = True
    if raised:
        alert.severity = severity
    alert.page = alert.page or pages
    alert.action = action
    if raised or pages:
        alert.summary = summary
    if not alert.open:
        return None
    alert.emitted_at = at = max(at, alert.emitted_at)
    return _publish(state, alert, "firing", at, SEVERITY_RAISED if raised or pages else ACTION_CHANGED)


def _publish(
    state: GpuState, alert: AlertState, status: Status, at: float, reason: str, *, ends_at: float | None = None
) -> AlertEvent:
    alert.told_worst, alert.told_count = alert.worst, alert.count
    return alert_event(state, alert, status, at, reason, ends_at=ends_at)


def _action_of_faults(state: GpuState) -> Action | None:
    """Return the strongest first action of what is open and no trend: a trend must not contradict it."""
    actions = [alert.action for alert in state.alerts.values() if alert.open and alert.cause != TREND]
    return max(actions, key=lambda action: (strength(action.code), action.text), default=None)


def _open_incident(state: GpuState, alert: AlertState) -> str | None:
    for other in state.alerts.values():
        if other is not alert and other.open and other.cause == alert.cause:
            if state.is_host and other.pci != alert.pci:
                continue
            return str(other.incident_id)
    return None


def _suppressed_by(state: GpuState, alert: AlertState) -> str | None:
    lost = double_bit = False
    for other in state.alerts.values():
        if other is alert or other.trial:  # what is on trial must not keep others from people
            continue
        if not state.is_host or other.pci == alert.pci:
            lost = lost or (other.rule == "gpu_lost" and other.open)
            double_bit = double_bit or 48 in other.codes
    return suppressed_by(alert.rule, alert.codes, lost=lost, double_bit=double_bit)
