"""Something that happened to a GPU, worth keeping but not an alert by itself."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

EventKind = Literal["xid", "sxid", "drift", "counter_epoch", "identity_change", "recovery", "clock_fault"]


class GpuEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event; ``code`` is the XID, ``signal`` the counter or signal concerned."""

    event_id: str
    gpu_id: str
    host_id: str
    kind: EventKind
    at: str
    code: int | None
    signal: str | None
    source: str | None
    line: str | None
    history: bool
    detail: dict[str, Any]
    schema_version: int = 1
