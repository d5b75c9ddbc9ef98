"""The dead letters of one partition: what was refused, with its reason, within a limit a minute."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final

import msgspec

from agents.ports import Chunk, Output
from agents.score.letter_limit import LetterLimit
from schemas.dead_letter import KEY_LIMIT_BYTES, PAYLOAD_LIMIT_BYTES, DeadLetter, Reason
from schemas.errors import InvalidMessage
from schemas.ids import digest
from schemas.times import format_time
from schemas.topics import DEAD_LETTER, METRICS_RAW

_encode: Final = msgspec.json.Encoder().encode


class DeadLetters:
    """Makes the letters of one partition.

    Parameters
    ----------
    a_minute
        Letters in a minute of append time; beyond it refused messages are counted, and told in one letter.
    """

    def __init__(self, partition: int, a_minute: int) -> None:
        self._partition = partition
        self._limit = LetterLimit(a_minute)

    def restore(self, packed: Mapping[str, Any] | None) -> None:
        """Put back what :meth:`to_plain` returned."""
        self._limit.restore(packed)

    def to_plain(self) -> dict[str, Any]:
        """Return what must outlive a restart."""
        return self._limit.to_plain()

    def letter(self, error: InvalidMessage, chunk: Chunk, index: int) -> Output | None:
        """Return the letter of a refused message; None beyond the limit. Call :meth:`suppressed` before."""
        at = chunk.times_ms[index] / 1000.0
        reason = Reason(error.reason)
        if not self._limit.admit(at, reason.value):
            return None
        value = chunk.values[index] or b""
        key = chunk.keys[index]
        letter = DeadLetter(
            event_id=digest("dead", chunk.topic, chunk.partition, chunk.offsets[index], blake2b(value).hexdigest()),
            reason=reason,
            detail=error.detail,
            topic=chunk.topic,
            partition=chunk.partition,
            offset=chunk.offsets[index],
            key=key[:KEY_LIMIT_BYTES].decode("utf-8", "replace") if key is not None else None,
            payload=base64.b64encode(value[:PAYLOAD_LIMIT_BYTES]).decode(),
            payload_bytes=len(value),
            at=format_time(at),
        )
        return Output(DEAD_LETTER, letter.event_id.encode(), _encode(letter))

    def suppressed(self, clock: float) -> Output | None:
        """Return, once, the letter that counts what the limit of a minute before ``clock`` (epoch s) held back."""
        over = self._limit.over(clock)
        if over is None:
            return None
        minute, counts = over
        listed = ", ".join(f"{reason} {count}" for reason, count in counts.items())
        letter = DeadLetter(
            event_id=digest("suppressed", METRICS_RAW, self._partition, minute),
            reason=Reason.SUPPRESSED,
            detail=f"{sum(counts.values())} more messages were refused in this minute: {listed}",
            topic=METRICS_RAW,
            partition=self._partition,
            offset=-1,
            key=None,
            payload="",
            payload_bytes=0,
            at=format_time(minute),
        )
        return Output(DEAD_LETTER, letter.event_id.encode(), _encode(letter))
