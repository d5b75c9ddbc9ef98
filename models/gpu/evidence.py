"""Hard evidence of a GPU, as its state keeps it."""

from __future__ import annotations


class Evidence:
    """Hard evidence of one kind.

    Attributes
    ----------
    first_at, last_at
        Event time of the first and of the last time, epoch s.
    count
        How often it was noted.
    reset_seen
        Whether a counter epoch began after the last time.
    loaded_mark
        The GPU's ``loaded_seconds`` at the last time or at the reset after it: clean time counts from there.
    history
        Whether all of it was before the system looked.
    """

    __slots__ = ("count", "first_at", "history", "last_at", "loaded_mark", "reset_seen")

    def __init__(self, at: float, *, history: bool) -> None:
        self.first_at = at
        self.last_at = at
        self.count = 0
        self.reset_seen = False
        self.loaded_mark = 0.0
        self.history = history
