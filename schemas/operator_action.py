"""What a person told the system."""

from __future__ import annotations

from typing import Literal

import msgspec

ActionKind = Literal["acknowledgement", "silence", "maintenance", "verdict"]


class OperatorAction(msgspec.Struct, frozen=True, kw_only=True):
    """An acknowledgement, silence, maintenance window or verdict; what it concerns is in ``target``."""

    action_id: str
    kind: ActionKind
    at: str
    author: str
    target: dict[str, str]
    starts_at: str | None = None
    ends_at: str | None = None
    recognised: bool | None = None
    comment: str = ""
    schema_version: int = 1
