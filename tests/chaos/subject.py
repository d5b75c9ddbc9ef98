"""What faults are done to: a logic in the hot state table, what it is fed, and how its truth is told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from streams.settings import Settings
from tests.chaos.truth import Outcome

Keyed = tuple[bytes | None, bytes]


@dataclass(frozen=True, slots=True)
class Subject:
    """One logic under faults.

    Parameters
    ----------
    worker
        Arguments of Python that run a worker.
    samples
        Endless messages of the raw topic: (seed, keys).
    truth
        Computes the outcome from the raw topic alone.
    said
        Reads the outcome from the topics that the workers write.
    """

    worker: tuple[str, ...]
    samples: Callable[[int, int], Iterator[Keyed]]
    truth: Callable[[Settings], Awaitable[Outcome]]
    said: Callable[[Settings], Awaitable[Outcome]]
