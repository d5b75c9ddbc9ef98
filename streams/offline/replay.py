"""Offline replay: the steps of score and notify over recorded messages, without any server.

The clock is the newest time among the messages, so the same files give the same lines on any day.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import inf
from typing import Final

import orjson

from agents.notify.offline import OfflineNotify
from agents.ports import Inputs, Output
from agents.score.bundles import NoInputs
from agents.score.options import ScoreOptions
from agents.score.partition import ScorePartition
from schemas.errors import InvalidMessage
from schemas.raw import decode
from schemas.times import parse_time
from schemas.topics import INPUTS, STATUS
from streams.offline.inputs import LearnedInputs

_DRAIN_EVERY = 500
# The longest that an XID waits for others of its fault (containment) before it is told.
RELEASE_SECONDS: Final = 61.0


class OfflineReplay:
    """Runs role score's logic for a whole fleet in one partition, and role notify's on what it says.

    Parameters
    ----------
    inputs
        Side inputs; default: the packaged ones.
    statuses
        Whether GpuStatus records are wanted too (they are many and thinned by the fleet's size).
    """

    def __init__(self, inputs: Inputs | None = None, *, statuses: bool = False) -> None:
        self._inputs = LearnedInputs(inputs or NoInputs())
        self.partition = ScorePartition(0, lambda key: 0, self._inputs, ScoreOptions(offline=True))
        self.partition.restored({}, fresh=False)
        self._statuses = statuses
        self._notify = OfflineNotify()
        self._clock = -inf

    def run(self, messages: Iterable[bytes]) -> Iterator[Output]:
        """Take all of a recording's messages in order; yield what is said about them, and what waited at its end."""
        yield from self.feed(messages)
        end = self._clock + RELEASE_SECONDS
        if end > -inf:
            self._release(end)
            yield from self._drain()
            yield from self._notify.finish()

    def feed(self, messages: Iterable[bytes]) -> Iterator[Output]:
        """Take the next messages in order; yield what is said about them.

        More may follow: a fault that waits for others of its kind goes on to wait.
        """
        waiting = 0
        for value in messages:
            self._take(value)
            waiting += 1
            if waiting >= _DRAIN_EVERY:
                waiting = 0
                yield from self._drain()
        yield from self._drain()

    def _take(self, value: bytes) -> None:
        try:
            time = parse_time(decode(value).timestamp or "")
        except (InvalidMessage, ValueError, OverflowError):
            time = max(self._clock, 0.0)  # refused below, with its reason
        if time > self._clock:
            self._clock = time
            self.partition.advance(time)
        self.partition.take(value, time)

    def _release(self, end: float) -> None:
        """Let what waits a moment for more of the same fault fall due, as it would while nothing more came.

        Silence counts afresh from ``end``: that the files end is no silence of a GPU.
        """
        self.partition.reset_deadlines(end)
        self.partition.advance(end)

    def _drain(self) -> Iterator[Output]:
        outputs = self.partition.drain().outputs
        told = list(self._notify.feed(outputs))
        for output in [*outputs, *told]:
            if output.topic == INPUTS:
                self._inputs.take(output)
            elif self._statuses or output.topic != STATUS:
                yield output


def line(output: Output) -> bytes:
    """Return an output as one line of JSON: {"topic", "key", "value"}."""
    value = output.value if output.value is not None else b"null"
    return (
        b'{"topic":'
        + orjson.dumps(output.topic)
        + b',"key":'
        + orjson.dumps(output.key.decode())
        + (b',"value":' + value + b"}\n")
    )
