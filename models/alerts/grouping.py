"""A lost host: GPUs that went silent together are one incident of their host, not one each.

A host alone cannot be seen to be lost by any of its GPUs, so this is decided where all of them are known.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from typing import Any, Final

from models.alerts.operator_actions import Action
from models.alerts.rule_spec import RuleSpec
from schemas.alert import AlertEvent, Scope, Status
from schemas.ids import digest
from schemas.times import format_time

HOST_MISSING: Final = "host_missing"
# What is concluded from nothing being heard.
SILENCES: Final = frozenset((HOST_MISSING, "gpu_missing"))
# What the others of a host have time to report before one missing GPU counts as alone.
GPU_HOLD_SECONDS: Final = 10.0
# Reboots, driver reloads and roll-outs take 1 to 15 minutes; most of them less than this.
HOST_HOLD_SECONDS: Final = 300.0
# A GPU that was silent for longer is no evidence about its host.
KNOWN_SECONDS: Final = 86_400.0
# GPUs of one host are read together: one that is heard this much later shows that the host lives.
_LATER_SECONDS: Final = 15.0
# So long a sign of the host's life is waited for; gpu-status is thinned.
_UNCONFIRMED_SECONDS: Final = 60.0
_CAUSE: Final = "lost"
_SPEC: Final = RuleSpec(
    name=HOST_MISSING,
    cause=_CAUSE,
    severity="critical",
    page=True,
    action=Action("check_host", "Check the host: power, network, console; its GPUs need nothing until it is back"),
    summary="{what} is silent",
    unit="GPUs",
    fires=f"role notify: all GPUs of a host are missing, or its heartbeat too, for {HOST_HOLD_SECONDS / 60:g} min",
    clears="data again, or `exporter_up` 0",
    scope="host",
)
SPECS: Final = (_SPEC,)


class HostCause(StrEnum):
    """Why GPUs of one host are missing together."""

    NONE = "none"
    EXPORTER_DOWN = "exporter_down"
    ALL_MISSING = "all_missing"
    HEARTBEAT_SILENT = "heartbeat_silent"
    UNCONFIRMED = "unconfirmed"

    @property
    def lost(self) -> bool:
        """Whether the host itself is taken to be lost."""
        return self in (HostCause.ALL_MISSING, HostCause.HEARTBEAT_SILENT)

    @property
    def explains(self) -> bool:
        """Whether it takes the place of what each of its GPUs would publish."""
        return self.lost or self is HostCause.EXPORTER_DOWN


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What is known of a host.

    Parameters
    ----------
    gpus
        Last append time (epoch s) of each of its GPUs.
    missing
        GPUs whose silence is unexplained, with the clock when that was noted (epoch s).
    explained
        GPUs that are silent because they are known to be lost.
    heartbeat_at, heartbeat_limit_seconds
        Append time of the last heartbeat (-inf: it never sent one), and how long it may stay away.
    exporter_up
        What the last heartbeat reported of the exporter; None: nothing.
    """

    gpus: Mapping[str, float]
    missing: Mapping[str, float]
    explained: Collection[str]
    heartbeat_at: float
    heartbeat_limit_seconds: float
    exporter_up: bool | None


def host_cause(facts: HostFacts, clock: float) -> HostCause:
    """Return what explains the missing GPUs of a host at ``clock`` (epoch s); NONE: each stands alone.

    UNCONFIRMED: nothing of the host was heard since they fell silent, and it may yet be heard.

    A heartbeat that stays away counts only while no GPU of the host was heard after it should have come.

    >>> facts = HostFacts({"a": 100.0, "b": 100.0}, {"a": 141.0, "b": 141.0}, set(), 140.0, 40.0, True)
    >>> host_cause(facts, 150.0)
    <HostCause.ALL_MISSING: 'all_missing'>
    """
    if not facts.missing:
        return HostCause.NONE
    heartbeat_due = facts.heartbeat_at + facts.heartbeat_limit_seconds
    silent = clock > heartbeat_due
    if facts.exporter_up is False and not silent:
        return HostCause.EXPORTER_DOWN
    others = [
        gpu_id
        for gpu_id, appended in facts.gpus.items()
        if appended >= clock - KNOWN_SECONDS and gpu_id not in facts.missing and gpu_id not in facts.explained
    ]
    if not others:
        return HostCause.ALL_MISSING
    # Where no heartbeat was ever heard the due time is -inf: every GPU was heard after it.
    if silent and not any(facts.gpus[gpu_id] > heartbeat_due for gpu_id in others):
        return HostCause.HEARTBEAT_SILENT
    heard = max(facts.heartbeat_at, *(facts.gpus[gpu_id] for gpu_id in others))
    silent_since = max(facts.gpus.get(gpu_id, -inf) for gpu_id in facts.missing)
    waits = clock < max(facts.missing.values()) + _UNCONFIRMED_SECONDS
    return HostCause.UNCONFIRMED if waits and heard < silent_since + _LATER_SECONDS else HostCause.NONE


def host_event(
    host_id: str,
    status: Status,
    reason: str,
    *,
    members: Collection[str],
    starts_at: float,
    at: float,
    heartbeat: bool,
    rack_id: str | None,
) -> AlertEvent:
    """Return the record of a host that is lost since ``starts_at``, or is back at ``at`` (epoch s).

    Its ids follow from the host and the start alone, so that the same loss published again has the same ids.
    """
    gpus = f"{len(members)} GPU{'s' if len(members) != 1 else ''}"
    if status == "resolved":
        summary = f"{host_id} reports again"
    elif heartbeat:
        summary = f"All of {host_id} is silent ({gpus}); its heartbeat still comes"
    else:
        summary = f"{host_id} is silent: {gpus} and the heartbeat"
    return event_of_notify(
        _SPEC,
        scope="host",
        id=host_id,
        status=status,
        reason=reason,
        starts_at=starts_at,
        at=at,
        value=float(len(members)),
        worst=float(len(members)),
        limit=None,
        summary=summary,
        evidence={"kind": "missing_gpus", "gpu_ids": sorted(members)},
        members=sorted(members),
        rack_id=rack_id,
    )


def event_of_notify(
    spec: RuleSpec,
    *,
    scope: Scope,
    id: str,
    status: Status,
    reason: str,
    starts_at: float,
    at: float,
    value: float,
    worst: float,
    limit: float | None,
    summary: str,
    evidence: dict[str, Any],
    members: Sequence[str] = (),
    rack_id: str | None = None,
) -> AlertEvent:
    """Return the record of what role notify alone can see; ``id`` is the host, empty for the fleet."""
    if spec.cause is None:
        raise ValueError(f"{spec.name} has no cause of its own")
    starts = format_time(starts_at)
    fingerprint = digest(scope, id, spec.name)
    incident_id = digest(scope, id, spec.name, starts)
    return AlertEvent(
        event_id=digest(fingerprint, incident_id, status, starts, reason),
        incident_id=incident_id,
        fingerprint=fingerprint,
        dedup_key=digest(scope, id, spec.cause),
        status=status,
        rule=spec.name,
        cause_class=spec.cause,
        severity=spec.severity,
        page=spec.page,
        history=False,
        reason=reason,
        scope=scope,
        gpu_id=None,
        host_id=id or None,
        members=list(members),
        suppressed_by=None,
        model=None,
        serial=None,
        pci_bus_id=None,
        slot=None,
        rack_id=rack_id,
        workload=None,
        starts_at=starts,
        updated_at=format_time(at),
        ends_at=format_time(at) if status == "resolved" else None,
        value=value,
        limit=limit,
        unit=spec.unit,
        worst=worst,
        count=1,
        summary=summary,
        action_code=spec.action_code,
        action_ladder=list(spec.ladder),
        action_text=spec.action.text,
        tenant_text=spec.action.tenant_text(status),
        trial=spec.trial,
        evidence=[evidence],
        runbook=spec.runbook,
    )
