"""A GPU that stops reporting: the limit, the deadline on the broker's time, and the alert."""

from __future__ import annotations

from math import inf
from typing import Final

from models.alerts.alert_state import AlertState
from models.alerts.operator_actions import Action
from models.alerts.rule_spec import NOTHING, Look, RuleSpec
from models.alerts.rules_settings import Rules
from models.alerts.transitions import resolve
from models.gpu.state import GpuState
from schemas.alert import AlertEvent
from schemas.times import format_time

# Append times are whole milliseconds: a silence is longer than its limit one tick after it.
APPEND_TICK_SECONDS: Final = 0.001


def silence_limit_seconds(state: GpuState, rules: Rules) -> float:
    """Return how long this GPU may say nothing, by the interval that it reported last."""
    limit = rules.silence_intervals * state.interval_seconds
    return limit if limit > rules.silence_least_seconds else rules.silence_least_seconds


def watched(state: GpuState) -> bool:
    """Whether silence of this GPU means something.

    A host is watched by role notify, which sees all of a host's GPUs; after a sample marked as history
    comes the time between the recording and the first live sample.
    """
    return state.time == state.time and not state.history and not state.is_host


def silence_deadline(state: GpuState, limit: float, silence_from: float) -> float:
    """Return the append time (epoch s) at which the GPU is missing if nothing comes.

    inf: it has left, and nothing of it is open that would end then.
    """
    heard = state.heard
    since = heard if heard > silence_from else silence_from
    if state.departure is not None and not state.alerts and state.departure.explains(state.append_time):
        return inf
    return since + limit + APPEND_TICK_SECONDS


def missing_alert(state: GpuState, limit: float, rules: Rules) -> AlertState:
    """Return the alert of a GPU that is silent for ``limit`` s; whether it pages is up to role notify."""
    alert = GPU_MISSING.draft(state.time, rules, value=limit, limit=limit)
    alert.add_evidence({"kind": "last_seen", "at": format_time(state.time)})
    return alert


def _seen_again(look: Look, events: list[AlertEvent]) -> None:
    """The GPU reports: silence is over, or never was where this sample's own time shows no gap."""
    state = look.state
    missing: AlertState | None = state.alerts.get(GPU_MISSING.name)
    if missing is None:
        return
    missing.compare(state.time - missing.since)
    if state.time <= missing.starts_at:
        reason = "late_data"
    else:
        reason = "restarted" if state.reset_seen else "data_again"
    events.append(resolve(state, missing, state.time, reason))


GPU_MISSING: Final = RuleSpec(
    name="gpu_missing",
    cause="lost",
    severity="critical",
    page=True,
    judged="critical, page (role notify decides)",
    action=Action("check_host", "Check the host, the exporter and the kernel log for a GPU that fell off the bus"),
    summary="No telemetry for more than {limit:g} s",
    unit="seconds",
    fires="silence: more than max({silence_least_seconds:g} s, {silence_intervals:g} intervals)",
    clears="at the next sample; `removed_at` has come; another GPU reports from its address",
    moves=_seen_again,
    wakes=NOTHING,
)
SPECS: Final = (GPU_MISSING,)
