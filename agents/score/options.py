"""Limits of one partition's logic, and what it counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

# What a message without a source is counted under.
NO_SOURCE: Final = "unnamed"


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
    """What happened in this partition since it was asked last; the worker turns it into metrics.

    ``dead`` is by reason, ``late`` and ``unknown_names`` by source, ``dropped`` by source and reason.
    """

    messages: int = 0
    rekeyed: int = 0
    dead: Counter[str] = field(default_factory=Counter)
    late: Counter[str] = field(default_factory=Counter)
    unknown_names: Counter[str] = field(default_factory=Counter)
    dropped: Counter[tuple[str, str]] = field(default_factory=Counter)
