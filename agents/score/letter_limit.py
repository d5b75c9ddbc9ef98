"""A limit of dead letters: a stream of garbage must not fill the disk, and is still told in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

_MINUTE_SECONDS = 60.0


class LetterLimit:
    """Lets a number of letters through in each minute of append time and counts the others.

    A function of the messages' append times alone, so that a second run gives the same.

    >>> limit = LetterLimit(1)
    >>> limit.admit(0.0, "not_json"), limit.admit(1.0, "not_json"), limit.over(61.0)
    (True, False, (0.0, {'not_json': 1}))
    """

    __slots__ = ("_a_minute", "_minute", "_sent", "_suppressed")

    def __init__(self, letters_a_minute: int) -> None:
        self._a_minute = letters_a_minute
        self._minute = -1
        self._sent = 0
        self._suppressed: Counter[str] = Counter()

    def admit(self, at: float, reason: str) -> bool:
        """Tell whether a letter of append time ``at`` (epoch s) may be sent; call :meth:`over` before."""
        minute = int(at // _MINUTE_SECONDS)
        if minute > self._minute:
            self._minute = minute
            self._sent = 0
        if self._sent < self._a_minute:
            self._sent += 1
            return True
        self._suppressed[reason] += 1
        return False

    def over(self, clock: float) -> tuple[float, dict[str, int]] | None:
        """Return (start of the minute, counts by reason) of what a minute before ``clock`` suppressed."""
        if not self._suppressed or int(clock // _MINUTE_SECONDS) <= self._minute:
            return None
        counts = dict(sorted(self._suppressed.items()))
        self._suppressed.clear()
        return self._minute * _MINUTE_SECONDS, counts

    def to_plain(self) -> dict[str, Any]:
        """Return what must outlive a restart."""
        return {"minute": self._minute, "sent": self._sent, "suppressed": dict(self._suppressed)}

    def restore(self, packed: Mapping[str, Any] | None) -> None:
        """Put back what :meth:`to_plain` returned."""
        if packed:
            self._minute, self._sent = packed["minute"], packed["sent"]
            self._suppressed = Counter(packed["suppressed"])
