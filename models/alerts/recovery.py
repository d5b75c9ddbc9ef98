"""The driver's recovery action: field 1523 while it is measured, XID 154 where it is told."""

from __future__ import annotations

from math import inf
from typing import Final

from models.alerts.alert_state import AlertState
from models.alerts.causes import CauseClass
from models.alerts.faults import tell
from models.alerts.lifecycle import CLEARED, resolve
from models.alerts.rules_settings import Rules
from models.alerts.xid_lines import RECOVERY_ACTIONS
from models.gpu.slots import RECOVERY_ACTION
from models.gpu.state import GpuState
from schemas.alert import AlertEvent
from schemas.times import format_time

_FAULTS: Final = frozenset(("gpu_lost", "xid_hardware", "xid_driver", "ecc_uncorrected"))
# Restart, drain peer-to-peer, drain and reset: they take the node or its neighbours from their jobs.
PAGING_ACTIONS: Final = frozenset((2, 3, 4))


def recovery_asked(state: GpuState) -> bool:
    """Whether a recovery action that pages is asked for now."""
    alert: AlertState | None = state.alerts.get("recovery_action")
    told = alert is not None and alert.open and alert.value in PAGING_ACTIONS
    return told or state.lasting[RECOVERY_ACTION] in PAGING_ACTIONS


def _cause(state: GpuState) -> CauseClass:
    """An action is asked for because of a fault: it belongs to the incident of the one told last."""
    faults: list[AlertState] = [alert for alert in state.alerts.values() if alert.rule in _FAULTS]
    return max(faults, key=lambda alert: (alert.last_at, alert.key)).cause if faults else "driver"


def measured_recovery(state: GpuState, rules: Rules, events: list[AlertEvent]) -> None:
    """Move ``recovery_action`` by the field's value in this sample; not measured changes nothing."""
    action = state.values[RECOVERY_ACTION]
    alert: AlertState | None = state.alerts.get("recovery_action")
    if action > 0.0:
        if alert is None or alert.value != action:
            first = state.samples == 1 or state.history
            tell_recovery(state, "recovery_action", int(action), state.time, rules, events, history=first)
            alert = state.alerts["recovery_action"]
        if alert is not None and alert.clean_seconds > 0.0:  # it stands while the field says so
            alert.clean_seconds = 0.0
            alert.deadline = inf
            state.evidence_dirty = True
    elif action == 0.0 and alert is not None and state.time > alert.last_at:
        events.append(resolve(state, alert, state.time, CLEARED))


def tell_recovery(
    state: GpuState,
    key: str,
    action: int,
    at: float,
    rules: Rules,
    events: list[AlertEvent],
    *,
    history: bool,
) -> None:
    """Another recovery action is asked for; 0: none any more."""
    alert: AlertState | None = state.alerts.get(key)
    if action == 0:
        if alert is not None:
            events.append(resolve(state, alert, at, CLEARED))
        return
    text = RECOVERY_ACTIONS.get(action, f"recovery action {action}")
    draft = AlertState(
        key,
        "recovery_action",
        _cause(state),
        at,
        severity="error",
        page=action in PAGING_ACTIONS,
        summary=f"The driver asks to {text}",
        action=f"Follow the driver's recovery action: {text}",
        value=float(action),
        limit=0.0,
        unit="action",
    )
    draft.pci = key.partition("@")[2] or None
    if alert is not None:
        alert.value = float(action)
        alert.summary = draft.summary
    tell(
        state,
        draft,
        at,
        clean_seconds=rules.clean_with_reset_action_seconds,
        history=history,
        evidence={"kind": "recovery_action", "action": action, "at": format_time(at)},
        events=events,
        replace_action=True,
    )
