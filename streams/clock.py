"""The clocks of a process."""

from __future__ import annotations

import time


class SystemClock:
    """Processing time as the operating system tells it."""

    def time(self) -> float:
        """Return epoch seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()
