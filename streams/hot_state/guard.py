"""Whether a chunk continues what was processed: the one check that delivery is neither lost nor doubled."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from enum import StrEnum

from agents.ports import Chunk


class Verdict(StrEnum):
    """What is to be done with a chunk."""

    CONTINUES = "continues"
    CUT = "cut"
    DELIVERED_AGAIN = "delivered_again"
    HOLE = "hole"


@dataclass(frozen=True, slots=True)
class Admission:
    """``chunk`` is what to process: None where it is dropped, or where the position must be sought again."""

    verdict: Verdict
    chunk: Chunk | None


def admit(chunk: Chunk, position: int) -> Admission:
    """Compare ``chunk`` with the position (the next offset to process) of its partition.

    A chunk that starts beyond the position is a hole only where the transport had handed out something in
    between (``follows`` > position). Without that, the log itself jumps: retention or a seek.
    """
    if chunk.next_offset <= position:
        return Admission(Verdict.DELIVERED_AGAIN, None)
    if chunk.first_offset < position:
        return Admission(Verdict.CUT, _from_offset(chunk, position))
    if chunk.follows > position:
        return Admission(Verdict.HOLE, None)
    return Admission(Verdict.CONTINUES, chunk)


def _from_offset(chunk: Chunk, position: int) -> Chunk:
    index = bisect_left(chunk.offsets, position)
    return Chunk(
        topic=chunk.topic,
        partition=chunk.partition,
        first_offset=position,
        next_offset=chunk.next_offset,
        follows=chunk.follows,
        offsets=chunk.offsets[index:],
        times_ms=chunk.times_ms[index:],
        keys=chunk.keys[index:],
        values=chunk.values[index:],
        rekeyed=chunk.rekeyed[index:],
    )
