"""A GPU that stops reporting: the limit, the deadline on the broker's time, and the alert."""

from __future__ import annotations

from typing import Final

from models.alerts.alert_state import AlertState
from models.alerts.rule_texts import ACTIONS
from models.alerts.rules_settings import Rules
from models.gpu.state import GpuState
from schemas.times import format_time

# Append times are whole milliseconds: a silence is longer than its limit one tick after it.
APPEND_TICK_SECONDS: Final = 0.001


def silence_limit_seconds(state: GpuState, rules: Rules) -> float:
    """Return how long this GPU may say nothing, by the interval that it last told."""
    limit = rules.silence_intervals * state.interval_seconds
    return limit if limit > rules.silence_least_seconds else rules.silence_least_seconds


def watched(state: GpuState) -> bool:
    """Whether silence of this GPU means something.

    A host is watched by role notify, which sees all of a host's GPUs; after a sample marked as history
    comes the time between the recording and the first live sample.
    """
    return state.time == state.time and not state.history and not state.is_host


def silence_deadline(state: GpuState, limit: float, silence_from: float) -> float:
    """Return the append time (epoch s) at which the GPU is missing if nothing comes."""
    since = state.append_time if state.append_time > silence_from else silence_from
    return since + limit + APPEND_TICK_SECONDS


def missing_alert(state: GpuState, limit: float) -> AlertState:
    """Return the alert of a GPU that is silent for ``limit`` s; whether it pages is up to role notify."""
    alert = AlertState(
        "gpu_missing",
        "gpu_missing",
        "lost",
        state.time,
        severity="critical",
        page=True,
        summary=f"No telemetry for more than {limit:g} s",
        action=ACTIONS["gpu_missing"],
        value=limit,
        limit=limit,
        unit="seconds",
    )
    alert.add_evidence({"kind": "last_seen", "at": format_time(state.time)})
    return alert
