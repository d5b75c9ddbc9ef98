"""Inactive -> pending -> firing -> raised -> clearing -> resolved, the one way of every rule, and its deadlines.

A condition that lasts moves by :func:`advance`, a fault that is reported by :func:`report`; both end by
:func:`due`. What is published at each turn: :mod:`models.alerts.transitions`.

Holds and clear times are deadlines in event time: they fall due just before the GPU's next sample at or
after them, and only while the GPU is observed: what a gap hides neither holds nor is clean. Two deadlines
are watched by the partition's clock too (append time): silence, and the wait for a fault's company. Either
way the same events come out, because a due event is built from the state before the next sample and dated
by its deadline.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any, Final

from models.alerts.alert_state import CLEARING, COUNTING, FIRING, PENDING, WAITING, AlertState
from models.alerts.operator_actions import Action
from models.alerts.rule_spec import Look, Reading, RuleSpec
from models.alerts.rules_settings import Rules
from models.alerts.silence import missing_alert, silence_deadline, silence_limit_seconds, watched
from models.alerts.transitions import CLEARED, fire, resolve, strengthen
from models.gpu.departure import Departure
from models.gpu.state import GpuState
from schemas.alert import AlertEvent
from schemas.times import format_time

NO_EVENTS: Final[Sequence[AlertEvent]] = ()
# A sender that makes codes up must not fill the state.
KEPT_CODES: Final = 32


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
    # First what the clock alone would have published, in its order; then what the sample's own time shows.
    _end_waits(state, min(clock, missing_at), events)
    observed = state.time + limit
    if clock >= missing_at:
        _end_phases(state, observed, observed, events)
        if state.departure is not None and state.departure.explains(state.append_time):
            return [*events, *leave(state, state.departure)]
        events.append(_fire_missing(state, limit, rules))
        _end_waits(state, clock, events)
        gap = False
    _end_phases(state, observed if event_time > observed else event_time, event_time, events)
    if gap:
        events.append(_fire_missing(state, limit, rules))
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


def _fire_missing(state: GpuState, limit: float, rules: Rules) -> AlertEvent:
    alert = missing_alert(state, limit, rules)
    state.alerts[alert.key] = alert
    return fire(state, alert, state.time + limit, incident=(alert.rule, format_time(state.time)))


def leave(state: GpuState, departure: Departure) -> Sequence[AlertEvent]:
    """End all that is open of a GPU that has left: nothing of it will be heard again."""
    events: list[AlertEvent] = []
    for alert in list(state.alerts.values()):
        if alert.open:
            events.append(resolve(state, alert, departure.at, departure.reason))
        else:
            del state.alerts[alert.key]
            state.evidence_dirty = True
    return events


def next_deadline(state: GpuState, rules: Rules, silence_from: float = -inf) -> float:
    """Return the append time (epoch s) at which the partition's clock must look at this GPU; inf: never."""
    earliest = inf
    if watched(state) and "gpu_missing" not in state.alerts:
        earliest = silence_deadline(state, silence_limit_seconds(state, rules), silence_from)
    for alert in state.alerts.values():
        if alert.phase == WAITING and alert.wait_clock < earliest:
            earliest = alert.wait_clock
    return earliest


def advance(spec: RuleSpec, look: Look, events: list[AlertEvent]) -> None:
    """Move a rule whose condition lasts by its reading of the last sample: pending, firing, raised, clearing.

    Between a rule that counts (its alert is there before it is pending) and one that holds there is no other
    difference: it fires at the first reading that is active.
    """
    if spec.reads is None:
        raise ValueError(f"{spec.name} reads nothing")
    reading = spec.reads(look)
    state, rules = look.state, look.rules
    alert: AlertState | None = state.alerts.get(spec.name)
    if alert is None or alert.phase == COUNTING:
        if reading.active:
            _begin(spec, look, reading, alert, events)
        return
    if alert.clean_seconds > 0.0:  # an XID opened it; the flag says now whether it stands
        if not (reading.active or reading.clear) or state.time <= alert.last_at:
            return
        alert.clean_seconds = 0.0
        alert.deadline = inf
        state.evidence_dirty = True
    if reading.active:
        _again(spec, look, reading, alert, events)
    _move(spec, state, alert, reading, rules, events)


def _begin(
    spec: RuleSpec, look: Look, reading: Reading, counting: AlertState | None, events: list[AlertEvent]
) -> None:
    state, rules = look.state, look.rules
    at = state.time
    draft = spec.draft(
        at,
        rules,
        value=reading.value,
        limit=reading.limit,
        what=reading.what,
        quantity=reading.quantity,
        severity=reading.severity,
        page=reading.page,
        worse=reading.worse,
    )
    if counting is not None:
        draft.since = draft.last_at = counting.since
        draft.minute, draft.minutes = counting.minute, counting.minutes
        draft.hardware_minutes = counting.hardware_minutes
    state.evidence_dirty = True
    state.alerts[spec.name] = draft
    hold_seconds = spec.hold_seconds(rules)
    if hold_seconds > 0.0:
        draft.deadline = at + hold_seconds
    else:
        draft.history = state.samples == 1
        events.append(fire(state, draft, at))


def _again(spec: RuleSpec, look: Look, reading: Reading, alert: AlertState, events: list[AlertEvent]) -> None:
    """The condition is still there, or there again: perhaps worse."""
    state = look.state
    if alert.phase == CLEARING:
        alert.count += 1
    if alert.compare(reading.value, reading.quantity):
        state.evidence_dirty = True
    _give_code(alert, spec.action)
    severity = reading.severity or spec.severity
    page = spec.page if reading.page is None else reading.page
    if not alert.open or (severity == alert.severity and page <= alert.page):
        return
    raised = strengthen(
        state,
        alert,
        state.time,
        severity=severity,
        page=page,
        action=alert.action,
        summary=spec.summary_of(reading),
        history=state.history,
    )
    if raised is not None:
        events.append(raised)


def _give_code(alert: AlertState, action: Action) -> None:
    """An alert that was packed before actions had codes takes the code of the same words."""
    if alert.action.code == "see_text" and alert.action.text == action.text:
        alert.action = action


def _move(
    spec: RuleSpec, state: GpuState, alert: AlertState, reading: Reading, rules: Rules, events: list[AlertEvent]
) -> None:
    at = state.time
    if alert.phase == PENDING:
        if not reading.active:
            state.evidence_dirty = True
            del state.alerts[alert.key]
        elif state.gap_seconds > 0.0:  # unseen time held nothing
            state.evidence_dirty = True
            alert.since = at
            alert.deadline = at + spec.hold_seconds(rules)
    elif reading.clear:
        if alert.phase == FIRING:
            state.evidence_dirty = True
            alert.phase = CLEARING
            alert.deadline = at + spec.clear_seconds(rules)
            if alert.deadline <= at:
                events.append(resolve(state, alert, at, CLEARED))
        elif state.gap_seconds > 0.0:
            state.evidence_dirty = True
            alert.deadline += state.gap_seconds
    elif alert.phase == CLEARING:
        state.evidence_dirty = True
        alert.phase = FIRING
        alert.deadline = inf


def report(
    state: GpuState,
    draft: AlertState,
    at: float,
    *,
    clean_seconds: float,
    history: bool,
    evidence: dict[str, Any],
    events: list[AlertEvent],
    code: int | None = None,
    wait: tuple[float, float] | None = None,
    replace_action: bool = False,
) -> None:
    """Open the alert of a fault that happened at ``at``, or count it again.

    ``wait`` is the event time and the append time until which its company is awaited; reported again, the action
    changes to a stronger one only, or always where ``replace_action``.
    """
    alert: AlertState | None = state.alerts.get(draft.key)
    state.evidence_dirty = True
    if alert is None:
        alert = state.alerts[draft.key] = draft
        alert.clean_seconds = clean_seconds
        alert.history = history
        alert.add_evidence(evidence)
        if code is not None:
            alert.codes.append(code)
        if wait is not None:
            alert.phase = WAITING
            alert.deadline, alert.wait_clock = wait
        else:
            events.append(fire(state, alert, at))
        return
    alert.last_at = max(alert.last_at, at)
    alert.clean_seconds = max(alert.clean_seconds, clean_seconds)
    alert.count += 1
    alert.compare(draft.value, draft.quantity)
    if alert.open:
        alert.deadline = alert.last_at + alert.clean_seconds
    if code is not None and code not in alert.codes and len(alert.codes) < KEPT_CODES:
        alert.codes.append(code)
        alert.add_evidence(evidence)
    if alert.history and not history:  # it happens again, before our eyes
        alert.history = False
    _give_code(alert, draft.action)
    stronger = replace_action or draft.action.rank > alert.action.rank
    raised = strengthen(
        state,
        alert,
        at,
        severity=draft.severity,
        page=draft.page,
        action=draft.action if stronger else alert.action,
        summary=draft.summary,
        history=history,
    )
    if raised is not None:
        events.append(raised)


def after_gap(state: GpuState) -> None:
    """Unseen time was not clean: move the ends of reported faults by it."""
    for alert in state.alerts.values():
        if alert.open and alert.clean_seconds > 0.0:
            alert.deadline += state.gap_seconds
            state.evidence_dirty = True


def after_reset(state: GpuState, rules: Rules) -> None:
    """A reset was seen: what it cures ends after a clean time, an uncorrected error not before its 24 h."""
    for alert in state.alerts.values():
        if not alert.open or alert.clean_seconds <= 0.0 or alert.rule == "xid_repeated":
            continue
        clean = state.time + rules.clean_after_reset_seconds
        if alert.rule == "ecc_uncorrected":
            clean = max(clean, alert.last_at + rules.uncorrected_repeat_seconds)
        if clean < alert.deadline:
            alert.deadline = clean
            state.evidence_dirty = True
