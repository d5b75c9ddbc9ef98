"""Throttling in 6 of 10 minutes: a minute counts when one of its samples spent time throttled."""

from __future__ import annotations

from typing import Final

from models.alerts.alert_state import COUNTING, AlertState
from models.alerts.operator_actions import Action
from models.alerts.rule_spec import CLEAR, IDLE, Look, Reading, RuleSpec
from models.alerts.rules_settings import Rules
from models.gpu.columns import MINUTE_SECONDS
from models.gpu.slots import GPU_TEMP, TEMP_SHUTDOWN
from schemas.alert import Severity

WINDOW_MINUTES: Final = 10
_WINDOW_MASK: Final = (1 << WINDOW_MINUTES) - 1


def _thermal_slowdown(look: Look) -> Reading:
    """Hardware slowdown, or 3 C from shutdown, pages; software opens a ticket."""
    state, rules = look.state, look.rules
    alert = _count(look, THERMAL_SLOWDOWN, state.thermal_seconds, state.hw_thermal_seconds)
    if alert is None:
        return _over(state.thermal_seconds)
    hardware = alert.hardware_minutes.bit_count() >= rules.throttle_minutes
    shutdown = state.lasting[TEMP_SHUTDOWN]
    near = state.values[GPU_TEMP] >= shutdown - rules.shutdown_near_celsius
    if hardware:
        what = "Hardware thermal slowdown"
    else:
        what = f"{shutdown - state.values[GPU_TEMP]:.0f} C from shutdown" if near else "Software thermal slowdown"
    severe = hardware or near
    severity: Severity = "critical" if severe else "error"
    return _counted(alert, rules, what)._replace(severity=severity, page=severe)


def _power_brake(look: Look) -> Reading:
    seconds = look.state.brake_seconds
    alert = _count(look, POWER_BRAKE, seconds, 0.0)
    return _over(seconds) if alert is None else _counted(alert, look.rules, "Hardware power brake")


def _counted(alert: AlertState, rules: Rules, what: str) -> Reading:
    minutes, least = alert.minutes.bit_count(), rules.throttle_minutes
    return Reading(minutes >= least, False, float(minutes), float(least), what)


def _over(seconds: float) -> Reading:
    """Return the reading of a sample that is not throttled; one that measures nothing clears nothing."""
    return CLEAR if seconds == seconds else IDLE


def _count(look: Look, spec: RuleSpec, seconds: float, hardware_seconds: float) -> AlertState | None:
    """Count this sample; return what counts where it is throttled."""
    state, rules = look.state, look.rules
    alert: AlertState | None = state.alerts.get(spec.name)
    least = rules.throttle_least_ratio * state.weight_seconds
    minute = int(state.time) // MINUTE_SECONDS
    if not (seconds > 0.0 and seconds >= least):
        if alert is not None and alert.phase == COUNTING and minute - alert.minute >= WINDOW_MINUTES:
            del state.alerts[alert.key]
            state.evidence_dirty = True
        return None
    if alert is None:
        alert = state.alerts[spec.name] = spec.draft(state.time, rules)
        alert.phase = COUNTING
        alert.minute = minute
        state.evidence_dirty = True
    before = (alert.minute, alert.minutes, alert.hardware_minutes)
    passed = min(minute - alert.minute, WINDOW_MINUTES)
    # A sample stands for the time since the one before: at long intervals for several minutes.
    span = max(1, min(int(min(seconds, state.weight_seconds) // MINUTE_SECONDS), WINDOW_MINUTES))
    fresh = (1 << span) - 1
    alert.minutes = (alert.minutes << passed | fresh) & _WINDOW_MASK
    hardware = hardware_seconds > 0.0 and hardware_seconds >= least
    alert.hardware_minutes = (alert.hardware_minutes << passed | (fresh if hardware else 0)) & _WINDOW_MASK
    alert.minute = minute
    if (alert.minute, alert.minutes, alert.hardware_minutes) != before:
        state.evidence_dirty = True
    return alert


THERMAL_SLOWDOWN: Final = RuleSpec(
    name="thermal_slowdown",
    cause="thermal",
    severity="error",
    page=True,
    judged="hardware, or within {shutdown_near_celsius:g} C of shutdown: critical, page; software: error",
    action=Action("check_cooling", "Check cooling now: fans, heat sink, inlet temperature; move the load away"),
    summary="{what} in {value:.0f} of 10 minutes",
    unit="minutes of 10",
    fires="thermal slowdown in {throttle_minutes:g} of 10 minutes",
    clears="clean",
    clear="throttle_clear_seconds",
    reads=_thermal_slowdown,
)
POWER_BRAKE: Final = RuleSpec(
    name="power_brake",
    cause="power",
    severity="error",
    page=False,
    action=Action("check_power", "Check the power supplies and the rack's power limits: the board was told to brake"),
    summary="{what} in {value:.0f} of 10 minutes",
    unit="minutes of 10",
    fires="power brake in {throttle_minutes:g} of 10 minutes",
    clears="clean",
    clear="throttle_clear_seconds",
    reads=_power_brake,
)
SPECS: Final = (THERMAL_SLOWDOWN, POWER_BRAKE)
