"""An alert's change of state, as it travels on gpu-alerts."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

Severity = Literal["critical", "error", "warning", "info"]
Status = Literal["firing", "resolved"]
Scope = Literal["gpu", "host", "rack", "fleet"]
# Alerts of one subject with one cause are one incident.
CauseClass = Literal["memory", "thermal", "power", "link", "lost", "driver", "application", "pipeline", "trend"]
# What to do first, for a machine that acts. see_text: a record of version 1, whose action is text alone.
ActionCode = Literal[
    "see_text",
    "none",
    "watch",
    "check_application",
    "restart_app",
    "restart_vm",
    "update_software",
    "check_telemetry",
    "check_host",
    "check_cooling",
    "check_power",
    "check_link",
    "run_diagnostics",
    "drain",
    "reset_gpu",
    "drain_and_reset",
    "recover_fabric",
    "restart_node",
    "power_cycle",
    "replace",
    "contact_support",
]
SCHEMA_VERSION: Final = 2


class AlertEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A rule fired, was raised, or resolved.

    ``page`` is clock-free: this alone would page; role notify applies age, silences and the like.
    ``history`` marks what was true before the system looked: it never pages, and so does what is on ``trial``.
    ``value`` is what it fired with, ``worst`` the worst since the condition began, ``last`` the newest that showed
    it, all in ``unit``; ``worst`` is None where values are not comparable (an XID's code) or were not kept.
    ``count``: how often the condition began or the fault was reported. ``action_ladder``: what follows, in order,
    where ``action_code`` did not help. ``action_text`` is for the operator, ``tenant_text`` for whose job was hit.

    A record of version 1 is read as one of version 2 whose ``action_code`` is ``see_text``.
    """

    event_id: str
    incident_id: str
    fingerprint: str
    dedup_key: str
    status: Status
    rule: str
    cause_class: str
    severity: Severity
    page: bool
    history: bool
    reason: str
    scope: Scope
    gpu_id: str | None
    host_id: str | None
    members: list[str]
    suppressed_by: str | None
    model: str | None
    serial: str | None
    pci_bus_id: str | None
    slot: str | None
    rack_id: str | None
    workload: str | None
    starts_at: str
    updated_at: str
    ends_at: str | None
    value: float | None
    limit: float | None
    unit: str
    worst: float | None = None
    last: float | None = None
    count: int = 1
    summary: str
    action_code: ActionCode = "see_text"
    action_ladder: list[ActionCode] = []
    action_text: str = ""
    tenant_text: str = ""
    trial: bool = False
    evidence: list[dict[str, Any]]
    runbook: str
    schema_version: int = SCHEMA_VERSION
    # Version 1's name of action_text: read, never written, and no column.
    action: str | msgspec.UnsetType = msgspec.UNSET

    def __post_init__(self) -> None:
        """Take over what version 1 called ``action``."""
        if self.action is not msgspec.UNSET:
            if self.schema_version < SCHEMA_VERSION:
                msgspec.structs.force_setattr(self, "action_text", self.action)
                msgspec.structs.force_setattr(self, "schema_version", SCHEMA_VERSION)
            msgspec.structs.force_setattr(self, "action", msgspec.UNSET)
