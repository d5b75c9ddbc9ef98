"""A label: this GPU failed then."""

from __future__ import annotations

from typing import Literal

import msgspec


class FailureEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A failure (or removal) told by an operator or derived from evidence."""

    event_id: str
    gpu_id: str
    failed_at: str
    kind: str
    origin: Literal["operator", "derived", "asset"]
    detail: str = ""
    schema_version: int = 1
