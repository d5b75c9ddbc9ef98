"""What a role of one partition brings; the leader does the rest: elect, read, restore, commit."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from agents.ports import Checkpoint
from streams.leading.lease import Lease


@dataclass(frozen=True, slots=True)
class Scope:
    """What a role leads on; topics without the prefix of the settings.

    ``elects``: who is assigned a partition of it leads, so it has one; ``topics`` are read whole, all their
    partitions; ``state_topic`` holds state and positions.
    """

    role: str
    elects: str
    topics: tuple[str, ...]
    state_topic: str


class Led(Protocol):
    """The logic and the effects of the role; made afresh for each time that this worker leads.

    The leader calls ``restore`` for each record of the state topic, then ``restored`` once, then ``take`` for
    each record read, ``advance`` when all is read, ``drain`` for a checkpoint and ``committed`` after it.
    """

    def restore(self, key: bytes, value: bytes) -> None:
        """Take one live record of the state topic."""

    def restored(self, *, fresh: bool) -> None:
        """All records were given; ``fresh``: never advanced yet, so what is read first is history."""

    def take(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        """Take one committed record of ``topic``.

        Raises
        ------
        ValueError, msgspec.MsgspecError
            It cannot be read; the leader counts it and goes on.
        """

    def advance(self, clock: float) -> None:
        """All topics are read, and the time is ``clock`` (epoch s); may leave work ``pending``."""

    @property
    def pending(self) -> bool:
        """Whether what was taken waits for ``advance``: no checkpoint before."""

    @property
    def urgent(self) -> bool:
        """Whether a checkpoint should come at once."""

    @property
    def dirty(self) -> bool:
        """Whether anything waits for a checkpoint."""

    def drain(self) -> Checkpoint:
        """Return and forget what the next checkpoint has to commit."""

    def committed(self) -> None:
        """What was drained last is committed: its effects may begin."""

    def work(self, lease: Lease) -> Mapping[str, Coroutine[Any, Any, None]]:
        """Return what runs beside the reading, by name, until it is cancelled; none returns by itself.

        What it does beyond Kafka it does only once ``lease`` holds.
        """
