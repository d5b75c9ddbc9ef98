"""What stands between a source and the raw topic. A new kind is one new class; no source knows which one it has."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

# Key (the gpu_id; None as the original guide's collector sends it) and JSON of one raw message.
Record = tuple[bytes | None, bytes]


class Buffer(Protocol):
    """Takes raw messages, keeps the order of each key, and passes them on.

    One that once started does not fail where the broker is away: it waits.
    """

    async def start(self) -> None:
        """Open what the messages go to.

        Raises
        ------
        BufferUnavailable
            It cannot be reached; the text says what to do.
        """

    async def offer(self, records: Iterable[Record]) -> None:
        """Take ``records`` without waiting; where there is no room the oldest ones go, counted in ``dropped``."""

    async def send(self, records: Iterable[Record]) -> None:
        """Take ``records``, waiting for room; nothing is lost."""

    async def flush(self, timeout_seconds: float) -> bool:
        """Wait until all is passed on; false when that takes longer than ``timeout_seconds``."""

    async def stop(self) -> None:
        """Close without waiting for what is not passed on yet (flush first)."""

    @property
    def waiting(self) -> int:
        """Return how many records are not passed on yet."""


class BufferUnavailable(Exception):
    """The buffer cannot be opened; the text says what to do."""
