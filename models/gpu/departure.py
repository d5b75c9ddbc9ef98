"""A GPU that left its host for good, by its owner's list or because another is in its place."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Literal


@dataclass(frozen=True, slots=True)
class Departure:
    """Why silence of a GPU says nothing: it left at ``at`` (epoch s).

    What is heard later than ``last_append_time`` proves that it has not.
    """

    reason: Literal["removed", "replaced"]
    at: float
    last_append_time: float = inf

    def explains(self, append_time: float) -> bool:
        """Whether a GPU that was heard last at ``append_time`` has left."""
        return append_time <= self.last_append_time
