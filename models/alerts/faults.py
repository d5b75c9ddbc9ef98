"""Alerts of faults that were told once: opened, told again, and over after a reset or a long clean time."""

from __future__ import annotations

from typing import Any, Final

from models.alerts.alert_state import WAITING, AlertState
from models.alerts.lifecycle import fire, strengthen
from models.alerts.rule_texts import action_rank
from models.alerts.rules_settings import Rules
from models.gpu.state import GpuState
from schemas.alert import AlertEvent

# A sender that makes codes up must not fill the state.
KEPT_CODES: Final = 32


def tell(
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
    """Open the alert of a fault that happened at ``at``, or tell it again.

    ``wait`` is the event time and the append time until which its company is awaited; told again, the action
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
    if alert.open:
        alert.deadline = alert.last_at + alert.clean_seconds
    if code is not None and code not in alert.codes and len(alert.codes) < KEPT_CODES:
        alert.codes.append(code)
        alert.add_evidence(evidence)
    if alert.history and not history:  # it happens again, before our eyes
        alert.history = False
    stronger = replace_action or action_rank(draft.action) > action_rank(alert.action)
    said = strengthen(
        state,
        alert,
        at,
        severity=draft.severity,
        page=draft.page,
        action=draft.action if stronger else alert.action,
        summary=draft.summary,
        history=history,
    )
    if said is not None:
        events.append(said)


def after_gap(state: GpuState) -> None:
    """Unseen time was not clean: move the ends of told faults by it."""
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
