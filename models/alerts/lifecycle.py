"""Inactive -> pending -> firing -> clearing -> resolved, and the deadlines between them.

Holds and clear times are deadlines in event time: they fall due just before the GPU's next sample at or
after them, and only while the GPU is observed: what a gap hides neither holds nor is clean. Two deadlines
are watched by the partition's clock too (append time): silence, and the wait for a fault's company. Either
way the same events come out, because a due event is built from the state before the next sample and dated
by its deadline.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Final

from models.alerts.alert_state import (
    CLEARING,
    FIRING,
    PENDING,
    SEVERITY_RANK,
    WAITING,
    AlertState,
)
from models.alerts.inhibition import suppressed_by
from models.alerts.record import alert_event, subject
from models.alerts.rules_settings import Rules
from models.alerts.silence import missing_alert, silence_deadline, silence_limit_seconds, watched
from models.gpu.state import GpuState
from schemas.alert import AlertEvent, Severity
from schemas.ids import digest
from schemas.times import format_time

NO_EVENTS: Final[Sequence[AlertEvent]] = ()

FIRST_FIRING: Final = "first_firing"
FIRST_SIGHT: Final = "first_sight"
HISTORY: Final = "history"
INHIBITED: Final = "inhibited"
SEVERITY_RAISED: Final = "severity_raised"
ACTION_CHANGED: Final = "action_changed"
CLEARED: Final = "cleared"


def due(
    state: GpuState,
    *,
    event_time: float,
    clock: float,
    rules: Rules,
    silence_from: float = -inf,
) -> Sequence[AlertEvent]:
    """Return what fell due before a sample of ``event_time`` that was appended at ``clock``.

    Parameters
    ----------
    state
        Before that sample; its alerts move on.
    event_time
        Time of the sample (epoch s); -inf where only the partition's clock moved.
    clock
        Append time of the sample, or the partition's clock (epoch s).
    silence_from
        Append time from which silence counts afresh: after an assignment or a fetch gap.
    """
    alerts = state.alerts
    limit = silence_limit_seconds(state, rules)
    missing_at = inf
    gap = False
    if watched(state) and "gpu_missing" not in alerts:
        missing_at = silence_deadline(state, limit, silence_from)
        gap = event_time - state.time > limit
    if not alerts and not gap and clock < missing_at:
        return NO_EVENTS
    events: list[AlertEvent] = []
    # First what the clock alone would have said, in its order; then what the sample's own time shows.
    _end_waits(state, min(clock, missing_at), events)
    observed = state.time + limit
    if clock >= missing_at:
        _end_phases(state, observed, observed, events)
        events.append(_fire_missing(state, limit))
        _end_waits(state, clock, events)
        gap = False
    _end_phases(state, observed if event_time > observed else event_time, event_time, events)
    if gap:
        events.append(_fire_missing(state, limit))
    return events


def _end_waits(state: GpuState, clock: float, events: list[AlertEvent]) -> None:
    """Fire the faults whose company was awaited up to ``clock`` (append time)."""
    over = [alert for alert in state.alerts.values() if alert.phase == WAITING and alert.wait_clock <= clock]
    for alert in sorted(over, key=lambda alert: (alert.wait_clock, alert.key)):
        events.append(fire(state, alert, alert.deadline))


def _end_phases(state: GpuState, observed: float, event_time: float, events: list[AlertEvent]) -> None:
    """End the phases that are over in event time: holds and clear times only while the GPU was observed."""
    over = [
        alert
        for alert in state.alerts.values()
        if alert.deadline <= (event_time if alert.phase == WAITING else observed)
    ]
    for alert in sorted(over, key=lambda alert: (alert.deadline, alert.key)):
        if alert.phase >= FIRING:
            events.append(resolve(state, alert, alert.deadline, CLEARED))
        else:
            events.append(fire(state, alert, alert.deadline))


def _fire_missing(state: GpuState, limit: float) -> AlertEvent:
    alert = missing_alert(state, limit)
    state.alerts[alert.key] = alert
    return fire(state, alert, state.time + limit, incident=(alert.rule, format_time(state.time)))


def next_deadline(state: GpuState, rules: Rules, silence_from: float = -inf) -> float:
    """Return the append time (epoch s) at which the partition's clock must look at this GPU; inf: never."""
    earliest = inf
    if watched(state) and "gpu_missing" not in state.alerts:
        earliest = silence_deadline(state, silence_limit_seconds(state, rules), silence_from)
    for alert in state.alerts.values():
        if alert.phase == WAITING and alert.wait_clock < earliest:
            earliest = alert.wait_clock
    return earliest


def fire(state: GpuState, alert: AlertState, at: float, *, incident: tuple[str, str] | None = None) -> AlertEvent:
    """Say that ``alert`` fires since ``at``; it joins the open incident of its cause, else opens one.

    ``incident`` replaces what the id of a new incident is made of.
    """
    state.evidence_dirty = True
    alert.said_at = at
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
    if state.history and not alert.history and alert.clean_seconds == 0.0:  # a told fault knows its own
        alert.history = True
        reason = HISTORY
    if not alert.evidence:
        alert.add_evidence({"kind": "condition", "since": format_time(alert.since)})
    alert.suppressed_by = _suppressed_by(state, alert)
    if alert.suppressed_by is not None:
        reason = INHIBITED
    if alert.history or alert.suppressed_by is not None:
        alert.page = False
    return alert_event(state, alert, "firing", at, reason)


def resolve(state: GpuState, alert: AlertState, at: float, reason: str) -> AlertEvent:
    """Say that ``alert`` is over since ``at`` and forget it."""
    state.evidence_dirty = True
    del state.alerts[alert.key]
    at = max(at, alert.said_at)
    return alert_event(state, alert, "resolved", at, reason, ends_at=at)


def strengthen(
    state: GpuState,
    alert: AlertState,
    at: float,
    *,
    severity: Severity,
    page: bool,
    action: str,
    summary: str,
    history: bool,
) -> AlertEvent | None:
    """Raise an open alert; severity and page never fall. Return the event where something is new to say.

    What was true before the system looked becomes an alert like any other once it grows worse before its
    eyes (``history`` false).
    """
    raised = SEVERITY_RANK[severity] > SEVERITY_RANK[alert.severity]
    if raised and alert.history and not history:
        alert.history = False
    pages = page and not alert.page and not alert.history and alert.suppressed_by is None
    acts = action != alert.action
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
    alert.said_at = at = max(at, alert.said_at)
    return alert_event(state, alert, "firing", at, SEVERITY_RAISED if raised or pages else ACTION_CHANGED)


def hold(
    state: GpuState,
    key: str,
    at: float,
    *,
    active: bool,
    clear: bool,
    hold_seconds: float,
    clear_seconds: float,
    draft: AlertState | None,
    events: list[AlertEvent],
) -> None:
    """Move the alert of a condition that lasts.

    ``active`` and ``clear`` are both false between the limits of the hysteresis and where nothing was
    measured: then nothing begins, nothing goes on clearing. ``draft`` says the alert, given where ``active``.
    """
    alert: AlertState | None = state.alerts.get(key)
    if alert is None:
        if active and draft is not None:
            state.evidence_dirty = True
            state.alerts[key] = draft
            if hold_seconds > 0.0:
                draft.deadline = at + hold_seconds
            else:
                draft.history = state.samples == 1
                events.append(fire(state, draft, at))
    elif alert.phase == PENDING:
        if not active:
            state.evidence_dirty = True
            del state.alerts[key]
        elif state.gap_seconds > 0.0:  # unseen time held nothing
            state.evidence_dirty = True
            alert.since = at
            alert.deadline = at + hold_seconds
    elif clear:
        if alert.phase == FIRING:
            state.evidence_dirty = True
            alert.phase = CLEARING
            alert.deadline = at + clear_seconds
            if clear_seconds <= 0.0:
                events.append(resolve(state, alert, at, CLEARED))
        elif state.gap_seconds > 0.0:
            state.evidence_dirty = True
            alert.deadline += state.gap_seconds
    elif alert.phase == CLEARING:
        state.evidence_dirty = True
        alert.phase = FIRING
        alert.deadline = inf


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
        if other is not alert and (not state.is_host or other.pci == alert.pci):
            lost = lost or (other.rule == "gpu_lost" and other.open)
            double_bit = double_bit or 48 in other.codes
    return suppressed_by(alert.rule, alert.codes, lost=lost, double_bit=double_bit)
