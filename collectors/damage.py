"""What could not be read, counted by reason with a few examples, so that damage is told and never raised."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

_EXAMPLES: Final = 20
_EXAMPLE_CHARS: Final = 200


@dataclass(slots=True)
class Damage:
    """Counts of unreadable lines.

    >>> damage = Damage()
    >>> damage.add("no time", 7, "x,y")
    >>> damage.counts["no time"], damage.examples
    (1, ['line 7: no time: x,y'])
    """

    counts: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def add(self, reason: str, line_number: int, text: str) -> None:
        """Count one line; the first few are kept for a person."""
        self.counts[reason] += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append(f"line {line_number}: {reason}: {text[:_EXAMPLE_CHARS]}")

    @property
    def total(self) -> int:
        """Return how many lines could not be read."""
        return sum(self.counts.values())
