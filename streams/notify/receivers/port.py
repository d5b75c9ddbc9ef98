"""What a receiver is. A new kind is one new module beside this one; nothing else changes.

The module declares ``KIND``: the name of its tables in receivers.toml, and the struct of one such table, which
makes the receiver.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import aiohttp
import msgspec

from schemas.alert import Severity


class Outcome(StrEnum):
    """What one attempt came to."""

    DELIVERED = "delivered"
    LATER = "later"
    REFUSED = "refused"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Attempt:
    """``retry_after_seconds``: what the receiver asked for, if it did; ``detail`` is for a person."""

    outcome: Outcome
    detail: str
    retry_after_seconds: float | None = None


class Receiver(Protocol):
    """Somebody who is sent notifications, one attempt at a time; the outbox decides when."""

    @property
    def name(self) -> str:
        """Return its name, which no other receiver has: state is kept by it."""

    @property
    def address(self) -> str:
        """Return where it is; once it answered GONE, it stays off until this is another."""

    @property
    def min_severity(self) -> Severity:
        """Return the least severity that it is sent."""

    async def attempt(self, session: aiohttp.ClientSession, message_id: str, body: bytes, now: float) -> Attempt:
        """Send ``body`` once at ``now`` (epoch s); every way it can fail is an outcome, never an error."""


class Table(Protocol):
    """One table of receivers.toml, read."""

    @property
    def name(self) -> str:
        """Return the receiver's name."""

    def receiver(self, environment: Mapping[str, str]) -> Receiver:
        """Return the receiver; secrets come from ``environment``.

        Raises
        ------
        ShutdownError
            An address or a secret is unusable; the text names the repair, never a secret.
        """


class Fields(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What the tables of all kinds have; a kind adds its own fields, and is a :class:`Table`."""

    name: str
    min_severity: Severity = "warning"


@dataclass(frozen=True, slots=True)
class Kind:
    """``[[name]]`` in receivers.toml is read as ``table``."""

    name: str
    table: type[Table]
