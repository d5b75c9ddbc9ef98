"""What the outbox keeps in gpu-notify-state, and the dead letter of what it gives up."""

from __future__ import annotations

import base64
from typing import Final

import msgspec

from agents.ports import Output
from schemas.dead_letter import PAYLOAD_LIMIT_BYTES, DeadLetter, Reason
from schemas.ids import digest
from schemas.times import format_time
from schemas.topics import DEAD_LETTER, NOTIFICATIONS

ENTRY: Final = b"o\x00"
DISABLED: Final = b"r\x00"


class Entry(msgspec.Struct, kw_only=True):
    """One notification for one receiver; ``body`` are the very bytes of every attempt (as text)."""

    sequence: int
    receiver: str
    notification_id: str
    incident_id: str
    page: bool
    body: str
    created_at: float
    attempts: int = 0
    refusals: int = 0
    not_before: float = 0.0

    def key(self) -> bytes:
        """Return its key in the state topic."""
        return ENTRY + f"{self.sequence:016d}:{self.receiver}".encode()


class Disabled(msgspec.Struct):
    """A receiver that answered 410; it stays off until its address in the receivers file is another."""

    receiver: str
    url: str
    at: float

    def key(self) -> bytes:
        """Return its key in the state topic."""
        return DISABLED + self.receiver.encode()


def undelivered(entry: Entry, why: str, now: float) -> Output:
    """Return the dead letter of ``entry``, given up at ``now`` (epoch s)."""
    body = entry.body.encode()
    letter = DeadLetter(
        event_id=digest("undelivered", entry.receiver, entry.notification_id),
        reason=Reason.REFUSED_BY_RECEIVER,
        detail=f"receiver {entry.receiver}: {why}",
        topic=NOTIFICATIONS,
        partition=0,
        offset=-1,
        key=entry.incident_id,
        payload=base64.b64encode(body[:PAYLOAD_LIMIT_BYTES]).decode(),
        payload_bytes=len(body),
        at=format_time(now),
    )
    return Output(DEAD_LETTER, letter.event_id.encode(), msgspec.json.encode(letter))
