"""The driver's recovery action: field 1523 while it is measured, XID 154 where it is reported.

Where the driver asks for something it decides what is to be done about the faults of its GPU too.
"""

from __future__ import annotations

from math import inf
from typing import Final

from models.alerts.alert_state import AlertState
from models.alerts.lifecycle import report
from models.alerts.operator_actions import Action, recovery_action, recovery_words
from models.alerts.rule_spec import Look, RuleSpec
from models.alerts.rules_settings import Rules
from models.alerts.transitions import CLEARED, resolve, strengthen
from models.gpu.slots import RECOVERY_ACTION
from models.gpu.state import GpuState
from schemas.alert import AlertEvent, CauseClass
from schemas.times import format_time

_NAME: Final = "recovery_action"
_FAULTS: Final = frozenset(("gpu_lost", "xid_hardware", "xid_driver", "ecc_uncorrected"))
# Reset (the GPU takes no work until then: DCGM calls it a failure), restart, drain peer-to-peer, drain and reset,
# restart of the system.
PAGING_ACTIONS: Final = frozenset((1, 2, 3, 4, 7))


def recovery_asked(state: GpuState) -> bool:
    """Whether a recovery action that pages is asked for now."""
    alert: AlertState | None = state.alerts.get(_NAME)
    asked = alert is not None and alert.open and alert.value in PAGING_ACTIONS
    return asked or state.lasting[RECOVERY_ACTION] in PAGING_ACTIONS


def decided_by_driver(state: GpuState, draft: AlertState) -> bool:
    """Give the draft of a fault the action that the driver asks for now; False: it asks for nothing.

    Other words for the same action stay: the fault's own say more, and those of an open alert are known.
    """
    address = f"@{draft.pci}" if state.is_host and draft.pci else ""
    alert: AlertState | None = state.alerts.get(f"{_NAME}{address}")
    value = alert.value if alert is not None and alert.open else state.lasting[RECOVERY_ACTION]
    if draft.rule not in _FAULTS or not value > 0.0:
        return False
    asked = recovery_action(int(value))
    known: AlertState | None = state.alerts.get(draft.key)
    if known is not None and known.action.code == asked.code:
        draft.action = known.action
    elif draft.action.code != asked.code:
        draft.action = asked
    return True


def _strengthen_faults(
    state: GpuState, asked: AlertState, at: float, history: bool, events: list[AlertEvent]
) -> None:
    """Give the open faults of the same device the action that is asked for now, so that one thing is said."""
    for fault in sorted(state.alerts.values(), key=lambda alert: alert.key):
        same = not state.is_host or fault.pci == asked.pci
        if fault.rule not in _FAULTS or not same or fault.action.code == asked.action.code:
            continue
        changed = strengthen(
            state,
            fault,
            at,
            severity=fault.severity,
            page=fault.page,
            action=asked.action,
            summary=fault.summary,
            history=history,
        )
        if changed is not None:
            events.append(changed)


def _cause(state: GpuState) -> CauseClass:
    """An action is asked for because of a fault: it belongs to the incident of the one reported last."""
    faults: list[AlertState] = [alert for alert in state.alerts.values() if alert.rule in _FAULTS]
    return max(faults, key=lambda alert: (alert.last_at, alert.key)).cause if faults else "driver"


def _measured(look: Look, events: list[AlertEvent]) -> None:
    """Move by the field's value in this sample; not measured changes nothing."""
    state, rules = look.state, look.rules
    action = state.values[RECOVERY_ACTION]
    alert: AlertState | None = state.alerts.get(_NAME)
    if action > 0.0:
        if alert is None or alert.value != action:
            first = state.samples == 1 or state.history
            report_recovery(state, _NAME, int(action), state.time, rules, events, history=first)
            alert = state.alerts[_NAME]
        if alert is not None and alert.clean_seconds > 0.0:  # it stands while the field says so
            alert.clean_seconds = 0.0
            alert.deadline = inf
            state.evidence_dirty = True
    elif action == 0.0 and alert is not None and state.time > alert.last_at:
        events.append(resolve(state, alert, state.time, CLEARED))


def report_recovery(
    state: GpuState,
    key: str,
    value: int,
    at: float,
    rules: Rules,
    events: list[AlertEvent],
    *,
    history: bool,
) -> None:
    """Another recovery action is asked for; 0: none any more."""
    alert: AlertState | None = state.alerts.get(key)
    if value == 0:
        if alert is not None:
            events.append(resolve(state, alert, at, CLEARED))
        return
    draft = RECOVERY.draft(
        at,
        rules,
        value=float(value),
        limit=0.0,
        what=recovery_words(value),
        page=value in PAGING_ACTIONS,
        action=recovery_action(value),
        cause=_cause(state),
        key=key,
    )
    draft.pci = key.partition("@")[2] or None
    _strengthen_faults(state, draft, at, history, events)
    if alert is not None:
        alert.value = float(value)
        alert.summary = draft.summary
    report(
        state,
        draft,
        at,
        clean_seconds=rules.clean_with_reset_action_seconds,
        history=history,
        evidence={"kind": "recovery_action", "action": value, "at": format_time(at)},
        events=events,
        replace_action=True,
    )


RECOVERY: Final = RuleSpec(
    name=_NAME,
    cause="driver",
    severity="error",
    page=True,
    judged="error; page for a reset, a restart, a drain, or drain and reset",
    acts="the driver's (below)",
    action=Action("contact_support", "Follow the driver's recovery action"),
    summary="The driver asks to {what}",
    unit="action",
    worse="",
    fires="field 1523 not 0, or XID 154 to another than 0",
    clears="0 again",
    moves=_measured,
    wakes=RECOVERY_ACTION,
)
SPECS: Final = (RECOVERY,)
