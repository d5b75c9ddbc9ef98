"""The three words that each mean one action."""

from __future__ import annotations

from typing import Final

import msgspec

# What decoding bytes that others wrote can raise; lists nested 1,000 deep are a RecursionError in C.
UNREADABLE: Final = (msgspec.MsgspecError, ValueError, RecursionError)


class InvalidMessage(Exception):
    """Bad input: the message becomes a dead letter with this reason, and the worker goes on.

    Parameters
    ----------
    reason
        A member of :class:`schemas.dead_letter.Reason`.
    detail
        What was wrong, for a person.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class Backpressure(Exception):
    """The receiver asks to slow down: wait, then try again."""

    def __init__(self, retry_after_seconds: float) -> None:
        super().__init__(f"retry after {retry_after_seconds:g} s")
        self.retry_after_seconds = retry_after_seconds


class ShutdownError(Exception):
    """State cannot be trusted: stop the worker; the text names the repair."""
