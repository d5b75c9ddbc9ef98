"""What an agent is given and what it gives back: the only ways between the pure logic and the brokers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(slots=True)
class Chunk:
    """Up to 1,000 consecutive records of one partition of the raw topic, as the transport yields them.

    ``values[i]`` was stored at ``offsets[i]`` with append time ``times_ms[i]`` (broker time) and key
    ``keys[i]``; ``rekeyed[i]`` tells whether it has the header of that name.
    ``follows`` is the next offset of the chunk that the transport yielded before this one on the partition
    since the last seek (-1: none), so that a hole in delivery can be told from a jump inside the log.
    """

    topic: str
    partition: int
    first_offset: int
    next_offset: int
    follows: int
    offsets: Sequence[int]
    times_ms: Sequence[int]
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    rekeyed: Sequence[bool]


@dataclass(frozen=True, slots=True)
class Output:
    """A record to publish: ``topic`` lacks the prefix; the partition follows from the key (murmur2).

    A value of None is a tombstone.
    """

    topic: str
    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(slots=True)
class Checkpoint:
    """What one partition publishes and changed since the last checkpoint; committed in one transaction.

    ``states`` holds packed state records (None: a tombstone) by state-topic key.
    """

    outputs: list[Output] = field(default_factory=list)
    states: list[tuple[bytes, bytes | None]] = field(default_factory=list)


class Inputs(Protocol):
    """Versioned side inputs (topic gpu-inputs) as a partition may adopt them."""

    def newest(self, kind: str, id: str, event_time: float) -> tuple[int, Any] | None:
        """Return (version, typed payload) of the newest version effective at ``event_time`` (epoch s)."""

    def generation(self) -> int:
        """Return a number that grows whenever any input was added: a cheap test for 'nothing new'."""

    def next_change(self, event_time: float) -> float:
        """Return the earliest ``effective_from`` later than ``event_time`` (inf: none known)."""


class PartitionLogic(Protocol):
    """The synchronous logic that owns the state of one partition's keys; knows nothing of brokers.

    The runner calls ``restore`` for each record of the state topic, then ``restored`` once, then
    ``process`` for each chunk in offset order, ``advance`` when the partition's clock moved without input,
    and ``drain`` for a checkpoint. None of them raises on bad input.
    """

    def restore(self, key: bytes, value: bytes) -> None:
        """Take one live record of the state topic (``__pos__`` excluded)."""

    def restored(self, extra: Mapping[str, Any], fresh: bool) -> None:
        """All records were given; ``extra`` is what ``position_extra`` returned at the last checkpoint.

        ``fresh`` is true when the partition has no committed position: what it then reads is history.
        """

    def process(self, chunk: Chunk) -> None:
        """Run the step over every record of ``chunk``."""

    def advance(self, clock: float) -> None:
        """The partition's clock (epoch s, broker time) reached ``clock``: deadlines up to it fall due."""

    def reset_deadlines(self, clock: float) -> None:
        """Silence deadlines start afresh at ``clock``: after an assignment or a fetch gap over 5 s."""

    @property
    def urgent(self) -> bool:
        """Whether an alert or a recommendation waits to be published."""

    @property
    def dirty(self) -> bool:
        """Whether anything waits for a checkpoint."""

    def position_extra(self) -> Mapping[str, Any]:
        """Return what must be stored beside the position (adopted input versions, clock), JSON-able."""

    def drain(self) -> Checkpoint:
        """Return and forget what waits for a checkpoint."""


class Clock(Protocol):
    """Processing time; event time comes from samples."""

    def time(self) -> float:
        """Return epoch seconds."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""


class Sink(Protocol):
    """Somewhere records go: a producer, a list in a test, standard output in a replay."""

    async def send(self, outputs: Iterable[Output]) -> None:
        """Publish all; return when they are safe."""
