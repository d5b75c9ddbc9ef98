"""What role notify decided and told, and why."""

from __future__ import annotations

import msgspec


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """One decision about an incident: whether people were told, and the reason."""

    notification_id: str
    incident_id: str
    scope: str
    members: list[str]
    status: str
    page: bool
    reason: str
    receivers: list[str]
    at: str
    rule: str
    severity: str
    summary: str
    schema_version: int = 1
