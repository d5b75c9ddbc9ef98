"""Limits of one partition's logic, and what it counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ScoreOptions:
    """Limits of one partition.

    Parameters
    ----------
    max_gpus
        gpu_ids accepted in this partition; beyond it samples of new ones are dead letters.
    status_records_per_second
        Of this partition: statuses that are no news are thinned to it (see agents.status_pace).
    dead_letters_per_minute
        Of this partition, by append time; beyond it refused messages are counted, and told in one letter.
    offline
        Replay without a broker: no append times, so none can be ahead, and nothing is history.
    """

    max_gpus: int = 200_000
    status_records_per_second: float = 300.0
    dead_letters_per_minute: int = 600
    offline: bool = False


@dataclass(slots=True)
class Counts:
    """What happened in this partition since it was assigned; the runner turns it into metrics."""

    messages: int = 0
    events: int = 0
    late: int = 0
    unknown_names: int = 0
    rekeyed: int = 0
    dead: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
