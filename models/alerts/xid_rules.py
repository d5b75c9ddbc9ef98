"""From an XID's occurrence to its alert: class and workflow of the code, what its line adds, its company."""

from __future__ import annotations

from typing import Final

from models.alerts.alert_state import AlertState
from models.alerts.catalogue import XidEntry
from models.alerts.lifecycle import report
from models.alerts.memory_rules import ROW_REMAP_PENDING
from models.alerts.operator_actions import (
    CONTACT_SUPPORT,
    DRAIN_AND_RESET,
    REMAP_FAILED,
    RUN_DIAGNOSTICS,
    Action,
    xid_action,
)
from models.alerts.recovery import decided_by_driver, recovery_asked, report_recovery
from models.alerts.rule_spec import NOTHING, Look, RuleSpec
from models.alerts.rules_settings import Rules
from models.alerts.xid import LOST_CODE, Occurrence, recent
from models.alerts.xid_lines import fatal, nvlink_registers_harmless, place, recovery_action
from models.gpu.slots import GPU_PRESENT
from models.gpu.state import GpuState
from schemas.alert import AlertEvent, Severity
from schemas.sample import Sample
from schemas.times import format_time

DOUBLE_BIT: Final = 48
REMAPPED: Final = 63
REMAP_FAILURE: Final = 64
RECOVERY_CHANGED: Final = 154
MEMORY_KEY: Final = "xid_hardware:memory"
# Application faults: seen again on the same place (13) or GPU (31) they may be the GPU's.
_MAY_BE_HARDWARE: Final = frozenset((13, 31))
_SHOWN_LINE_CHARS: Final = 300
XID_SUMMARY: Final = "XID {value:.0f}: {what}"


def take(state: GpuState, sample: Sample, occurrence: Occurrence, rules: Rules, events: list[AlertEvent]) -> None:
    """Open, count or raise the alerts that an XID means.

    13, 31, 43 and 45 never page, and alone open nothing: their evidence is kept.
    """
    code, entry = occurrence.code, occurrence.entry
    if occurrence.history and occurrence.at + _clean_seconds(entry, rules) < state.time:
        return  # so old that its alert would be over: evidence only
    if code == LOST_CODE:
        draft = _draft(state, occurrence, GPU_LOST, rules)
        _report(state, draft, occurrence, rules.clean_lost_seconds, events)
    elif code == RECOVERY_CHANGED:
        asked = recovery_action(occurrence.line)
        if asked is not None:
            key = _key(state, "recovery_action", occurrence)
            report_recovery(state, key, asked, occurrence.at, rules, events, history=occurrence.history)
    elif code in _MAY_BE_HARDWARE:
        if occurrence.bursts >= rules.application_repeat_bursts and (code == 31 or place(occurrence.line)):
            _repeated(state, occurrence, RUN_DIAGNOSTICS, rules, events)
    elif code == REMAPPED and not _double_bit(state, occurrence):
        draft = _draft(state, occurrence, ROW_REMAP_PENDING, rules)
        _report(state, draft, occurrence, rules.clean_with_reset_action_seconds, events)
    elif entry.severity != "info" or code == REMAPPED:
        _by_class(state, sample, occurrence, rules, events)
        if occurrence.bursts >= rules.repeat_bursts:
            _repeated(state, occurrence, CONTACT_SUPPORT, rules, events)


def _by_class(
    state: GpuState, sample: Sample, occurrence: Occurrence, rules: Rules, events: list[AlertEvent]
) -> None:
    code, entry = occurrence.code, occurrence.entry
    judged = _judge(state, occurrence)
    if judged is None:
        return
    severity, page = judged
    action = xid_action(entry.immediate)
    wait = None
    if code == DOUBLE_BIT:
        company = (REMAPPED, REMAP_FAILURE)
        if any(recent(state, other, occurrence.at, rules.containment_seconds) for other in company):
            action = DRAIN_AND_RESET
        seconds = rules.coalesce_seconds
        wait = (occurrence.at + seconds, sample.append_time + seconds + state.interval_seconds)
    elif code == REMAP_FAILURE:
        action = REMAP_FAILED
    elif code == REMAPPED:
        action = DRAIN_AND_RESET
    spec = XID_HARDWARE if entry.xid_class in ("hardware", "power") else XID_DRIVER
    draft = _draft(state, occurrence, spec, rules, severity, action, page=page)
    _report(state, draft, occurrence, _clean_seconds(entry, rules), events, wait=wait)


def _judge(state: GpuState, occurrence: Occurrence) -> tuple[Severity, bool] | None:
    """Return severity and page of a code by what its line and the GPU's past add; None: evidence only."""
    entry = occurrence.entry
    match entry.may_page:
        case "yes":
            return entry.severity, True
        case "registers":
            return ("warning", False) if nvlink_registers_harmless(occurrence.line) else (entry.severity, True)
        case "fatal":
            says_fatal = fatal(occurrence.line)
            if says_fatal is None:
                return entry.severity, False
            return ("critical", True) if says_fatal else None
        case "repeat":
            return entry.severity, occurrence.bursts > 1 or recovery_asked(state)
        case "recovery":
            return entry.severity, recovery_asked(state)
        case "no":
            return entry.severity, False


def _repeated(
    state: GpuState, occurrence: Occurrence, action: Action, rules: Rules, events: list[AlertEvent]
) -> None:
    severity: Severity = "warning" if occurrence.code in _MAY_BE_HARDWARE else "error"
    draft = _draft(state, occurrence, XID_REPEATED, rules, severity, action)
    draft.summary = f"XID {occurrence.code} came {occurrence.bursts} times in 24 h ({occurrence.entry.meaning})"
    _report(state, draft, occurrence, rules.clean_without_reset_action_seconds, events)


def _double_bit(state: GpuState, occurrence: Occurrence) -> bool:
    alert: AlertState | None = state.alerts.get(_key(state, MEMORY_KEY, occurrence))
    return alert is not None and DOUBLE_BIT in alert.codes


def _clean_seconds(entry: XidEntry, rules: Rules) -> float:
    if entry.needs_reset:
        return rules.clean_with_reset_action_seconds
    return rules.clean_without_reset_action_seconds


def _key(state: GpuState, name: str, occurrence: Occurrence) -> str:
    """On a host the PCI address tells its GPUs apart."""
    return f"{name}@{occurrence.pci}" if state.is_host and occurrence.pci else name


def _draft(
    state: GpuState,
    occurrence: Occurrence,
    spec: RuleSpec,
    rules: Rules,
    severity: Severity | None = None,
    action: Action | None = None,
    *,
    page: bool | None = None,
) -> AlertState:
    cause = spec.cause or occurrence.entry.cause
    name = spec.name if spec.cause is not None else f"{spec.name}:{cause}"
    draft = spec.draft(
        occurrence.at,
        rules,
        value=float(occurrence.code),
        severity=severity,
        page=page,
        action=action,
        cause=cause,
        key=_key(state, name, occurrence),
        worse="",
    )
    draft.summary = XID_SUMMARY.format(value=occurrence.code, what=occurrence.entry.meaning)
    draft.unit = "xid"
    draft.pci = occurrence.pci
    return draft


def _report(
    state: GpuState,
    draft: AlertState,
    occurrence: Occurrence,
    clean_seconds: float,
    events: list[AlertEvent],
    wait: tuple[float, float] | None = None,
) -> None:
    report(
        state,
        draft,
        occurrence.at,
        clean_seconds=clean_seconds,
        history=occurrence.history,
        evidence={
            "kind": "xid",
            "code": occurrence.code,
            "mnemonic": occurrence.entry.mnemonic,
            "at": format_time(occurrence.at),
            "source": occurrence.source,
            "line": occurrence.line[:_SHOWN_LINE_CHARS],
        },
        events=events,
        code=occurrence.code,
        wait=wait,
        replace_action=decided_by_driver(state, draft),
    )


def _still_lost(look: Look, events: list[AlertEvent]) -> None:
    """A GPU that NVML does not find is lost for as long as it says so."""
    state = look.state
    lost: AlertState | None = state.alerts.get(GPU_LOST.name)
    if lost is not None and state.values[GPU_PRESENT] == 0.0:
        lost.last_at = state.time
        lost.deadline = state.time + lost.clean_seconds
        state.evidence_dirty = True


_REMEDY: Final = (
    "reset seen and {clean_after_reset_seconds:span} clean; without a reset {clean_with_reset_action_seconds:span} "
    "({clean_without_reset_action_seconds:span} where no reset is asked for)"
)
GPU_LOST: Final = RuleSpec(
    name="gpu_lost",
    cause="lost",
    severity="critical",
    page=True,
    action=Action(
        "restart_node",
        "RESTART_BM: drain the node and restart it; if the GPU does not come back, power cycle it",
    ),
    summary=XID_SUMMARY,
    unit="xid",
    worse="",
    fires='XID 79, "fallen off the bus", NVML lost, `gpu_present` 0',
    clears="{clean_lost_seconds:span} clean, or a reset seen and {clean_after_reset_seconds:span} clean",
    moves=_still_lost,
    wakes=NOTHING,
)
XID_HARDWARE: Final = RuleSpec(
    name="xid_hardware",
    cause=None,
    severity="info",
    page=True,
    judged="by the code",
    acts="of the code",
    action=xid_action("RESET_GPU"),
    summary=XID_SUMMARY,
    unit="xid",
    worse="",
    fires="an XID of class hardware or power (below)",
    clears=_REMEDY,
)
XID_DRIVER: Final = RuleSpec(
    name="xid_driver",
    cause=None,
    severity="info",
    page=True,
    judged="by the code",
    acts="of the code",
    action=xid_action("RESET_GPU"),
    summary=XID_SUMMARY,
    unit="xid",
    worse="",
    fires="an XID of another class (below), or one that is unknown",
    clears=_REMEDY,
)
XID_REPEATED: Final = RuleSpec(
    name="xid_repeated",
    cause=None,
    severity="warning",
    page=False,
    judged="13, 31: warning; else error",
    acts="13, 31: `run_diagnostics`; else `contact_support`",
    action=RUN_DIAGNOSTICS,
    summary=XID_SUMMARY,
    unit="xid",
    worse="",
    fires=(
        "13 on one GPC and TPC, 31 on one GPU: {application_repeat_bursts:g} bursts in 24 h; any fault code: "
        "{repeat_bursts:g} bursts in 24 h"
    ),
    clears="{clean_without_reset_action_seconds:span} clean",
)
SPECS: Final = (XID_HARDWARE, XID_DRIVER, XID_REPEATED, GPU_LOST)
