"""From an XID's occurrence to its alert: class and workflow of the code, what its line adds, its company."""

from __future__ import annotations

from typing import Final

from models.alerts.alert_state import AlertState
from models.alerts.catalogue import XidEntry
from models.alerts.causes import CauseClass
from models.alerts.faults import tell
from models.alerts.recovery import recovery_asked, tell_recovery
from models.alerts.rule_texts import (
    ACTIONS,
    CONTACT_SUPPORT,
    DRAIN_AND_RESET,
    REMAP_FAILED,
    RUN_DIAGNOSTICS,
    xid_action,
)
from models.alerts.rules_settings import Rules
from models.alerts.xid import LOST_CODE, Occurrence
from models.alerts.xid_lines import fatal, nvlink_registers_harmless, place, recovery_action
from models.gpu.state import GpuState
from schemas.alert import AlertEvent, Severity
from schemas.sample import Sample
from schemas.times import format_time

DOUBLE_BIT: Final = 48
REMAPPED: Final = 63
REMAP_FAILURE: Final = 64
CONTAINED: Final = 94
UNCONTAINED: Final = 95
RECOVERY_CHANGED: Final = 154
MEMORY_KEY: Final = "xid_hardware:memory"
# Application faults: told again on the same place (13) or GPU (31) they may be the GPU's.
_MAY_BE_HARDWARE: Final = frozenset((13, 31))
_SHOWN_LINE_CHARS: Final = 300


def take(state: GpuState, sample: Sample, occurrence: Occurrence, rules: Rules, events: list[AlertEvent]) -> None:
    """Open, tell again or raise the alerts that an XID means.

    13, 31, 43 and 45 never page, and alone open nothing: their evidence is kept.
    """
    code, entry = occurrence.code, occurrence.entry
    if occurrence.history and occurrence.at + _clean_seconds(entry, rules) < state.time:
        return  # so old that its alert would be over: evidence only
    if code == LOST_CODE:
        draft = _draft(state, occurrence, "gpu_lost", "lost", "critical", ACTIONS["gpu_lost"], page=True)
        _tell(state, draft, occurrence, rules.clean_lost_seconds, events)
    elif code == RECOVERY_CHANGED:
        asked = recovery_action(occurrence.line)
        if asked is not None:
            key = _key(state, "recovery_action", occurrence)
            tell_recovery(state, key, asked, occurrence.at, rules, events, history=occurrence.history)
    elif code in _MAY_BE_HARDWARE:
        if occurrence.bursts >= rules.application_repeat_bursts and (code == 31 or place(occurrence.line)):
            _repeated(state, occurrence, RUN_DIAGNOSTICS, rules, events)
    elif code == REMAPPED and not _double_bit(state, occurrence):
        action = ACTIONS["row_remap_pending"]
        draft = _draft(state, occurrence, "row_remap_pending", "memory", "warning", action, page=False)
        _tell(state, draft, occurrence, rules.clean_with_reset_action_seconds, events)
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
    rule = "xid_hardware" if entry.xid_class in ("hardware", "power") else "xid_driver"
    draft = _draft(state, occurrence, rule, entry.cause, severity, action, page=page)
    _tell(state, draft, occurrence, _clean_seconds(entry, rules), events, wait=wait)


def _judge(state: GpuState, occurrence: Occurrence) -> tuple[Severity, bool] | None:
    """Return severity and page of a code by what its line and the GPU's past add; None: evidence only."""
    entry = occurrence.entry
    match entry.may_page:
        case "yes":
            return entry.severity, True
        case "registers":
            return ("warning", False) if nvlink_registers_harmless(occurrence.line) else (entry.severity, True)
        case "fatal":
            told = fatal(occurrence.line)
            if told is None:
                return entry.severity, False
            return ("critical", True) if told else None
        case "repeat":
            return entry.severity, occurrence.bursts > 1 or recovery_asked(state)
        case "recovery":
            return entry.severity, recovery_asked(state)
        case "no":
            return entry.severity, False


def _repeated(state: GpuState, occurrence: Occurrence, action: str, rules: Rules, events: list[AlertEvent]) -> None:
    severity: Severity = "warning" if occurrence.code in _MAY_BE_HARDWARE else "error"
    draft = _draft(state, occurrence, "xid_repeated", occurrence.entry.cause, severity, action, page=False)
    draft.summary = f"XID {occurrence.code} came {occurrence.bursts} times in 24 h ({occurrence.entry.meaning})"
    _tell(state, draft, occurrence, rules.clean_without_reset_action_seconds, events)


def recent(state: GpuState, code: int, at: float, seconds: float) -> bool:
    """Whether an XID of ``code`` was told within ``seconds`` of ``at``."""
    evidence = state.evidence.get(f"xid:{code}")
    return evidence is not None and abs(at - evidence.last_at) <= seconds


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
    rule: str,
    cause: CauseClass,
    severity: Severity,
    action: str,
    *,
    page: bool,
) -> AlertState:
    name = f"{rule}:{cause}" if rule.startswith("xid_") else rule
    draft = AlertState(
        _key(state, name, occurrence),
        rule,
        cause,
        occurrence.at,
        severity=severity,
        page=page,
        summary=f"XID {occurrence.code}: {occurrence.entry.meaning}",
        action=action,
        value=float(occurrence.code),
        unit="xid",
    )
    draft.pci = occurrence.pci
    return draft


def _tell(
    state: GpuState,
    draft: AlertState,
    occurrence: Occurrence,
    clean_seconds: float,
    events: list[AlertEvent],
    wait: tuple[float, float] | None = None,
) -> None:
    tell(
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
    )
