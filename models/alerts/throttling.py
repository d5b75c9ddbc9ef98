"""Throttling in 6 of 10 minutes: a minute counts when one of its samples spent time throttled."""

from __future__ import annotations

from math import inf
from typing import Final

from models.alerts.alert_state import CLEARING, COUNTING, FIRING, AlertState
from models.alerts.lifecycle import fire, strengthen
from models.alerts.rule_texts import ACTIONS
from models.alerts.rules_settings import Rules
from models.gpu.slots import GPU_TEMP, TEMP_SHUTDOWN
from models.gpu.state import GpuState
from schemas.alert import AlertEvent, Severity

WINDOW_MINUTES: Final = 10
_WINDOW_MASK: Final = (1 << WINDOW_MINUTES) - 1


def thermal_slowdown(state: GpuState, rules: Rules, events: list[AlertEvent]) -> None:
    """Move ``thermal_slowdown``: hardware slowdown, or 3 C from shutdown, pages; software opens a ticket."""
    alert = _count(state, "thermal_slowdown", state.thermal_seconds, state.hw_thermal_seconds, rules)
    if alert is None:
        return
    hardware = alert.hardware_minutes.bit_count() >= rules.throttle_minutes
    shutdown = state.lasting[TEMP_SHUTDOWN]
    near = state.values[GPU_TEMP] >= shutdown - rules.shutdown_near_celsius
    severity: Severity = "critical" if hardware or near else "error"
    if hardware:
        what = "Hardware thermal slowdown"
    else:
        what = f"{shutdown - state.values[GPU_TEMP]:.0f} C from shutdown" if near else "Software thermal slowdown"
    _say(state, alert, severity, hardware or near, what, rules, events)


def power_brake(state: GpuState, rules: Rules, events: list[AlertEvent]) -> None:
    """Move ``power_brake``."""
    alert = _count(state, "power_brake", state.brake_seconds, 0.0, rules)
    if alert is not None:
        _say(state, alert, "error", False, "Hardware power brake", rules, events)


def _count(state: GpuState, rule: str, seconds: float, hardware_seconds: float, rules: Rules) -> AlertState | None:
    """Count this sample; return the alert where enough minutes are throttled and this one is."""
    alert: AlertState | None = state.alerts.get(rule)
    least = rules.throttle_least_ratio * state.weight_seconds
    minute = int(state.time) // 60
    if not (seconds > 0.0 and seconds >= least):
        if alert is not None:
            _clean(state, alert, seconds == seconds, minute, rules)
        return None
    if alert is None:
        alert = AlertState(
            rule,
            rule,
            "thermal" if rule == "thermal_slowdown" else "power",
            state.time,
            severity="info",
            page=False,
            summary="",
            action=ACTIONS[rule],
            limit=float(rules.throttle_minutes),
            unit="minutes of 10",
        )
        alert.phase = COUNTING
        alert.minute = minute
        state.alerts[rule] = alert
    before = (alert.minute, alert.minutes, alert.hardware_minutes, alert.phase)
    passed = min(minute - alert.minute, WINDOW_MINUTES)
    # A sample stands for the time since the one before: at long intervals for several minutes.
    span = max(1, min(int(min(seconds, state.weight_seconds) // 60), WINDOW_MINUTES))
    fresh = (1 << span) - 1
    alert.minutes = (alert.minutes << passed | fresh) & _WINDOW_MASK
    hardware = hardware_seconds > 0.0 and hardware_seconds >= least
    alert.hardware_minutes = (alert.hardware_minutes << passed | (fresh if hardware else 0)) & _WINDOW_MASK
    alert.minute = minute
    if alert.phase == CLEARING:
        alert.phase = FIRING
        alert.deadline = inf
    if (alert.minute, alert.minutes, alert.hardware_minutes, alert.phase) != before:
        state.evidence_dirty = True
    return alert if alert.minutes.bit_count() >= rules.throttle_minutes else None


def _clean(state: GpuState, alert: AlertState, measured: bool, minute: int, rules: Rules) -> None:
    if alert.phase == COUNTING:
        if minute - alert.minute >= WINDOW_MINUTES:
            del state.alerts[alert.key]
            state.evidence_dirty = True
    elif alert.phase == FIRING and measured:
        alert.phase = CLEARING
        alert.deadline = state.time + rules.throttle_clear_seconds
        state.evidence_dirty = True
    elif alert.phase == CLEARING and not measured:
        alert.phase = FIRING
        alert.deadline = inf
        state.evidence_dirty = True
    elif alert.phase == CLEARING and state.gap_seconds > 0.0:
        alert.deadline += state.gap_seconds
        state.evidence_dirty = True


def _say(
    state: GpuState,
    alert: AlertState,
    severity: Severity,
    page: bool,
    what: str,
    rules: Rules,
    events: list[AlertEvent],
) -> None:
    minutes = alert.minutes.bit_count()
    summary = f"{what} in {minutes} of {WINDOW_MINUTES} minutes"
    if alert.open:
        said = strengthen(
            state,
            alert,
            state.time,
            severity=severity,
            page=page,
            action=alert.action,
            summary=summary,
            history=state.history,
        )
        if said is not None:
            events.append(said)
        return
    alert.severity = severity
    alert.page = page
    alert.summary = summary
    alert.value = float(minutes)
    alert.history = state.samples == 1
    events.append(fire(state, alert, state.time))
