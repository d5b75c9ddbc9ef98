"""What each part of the step takes while role score's loop runs it, as a share and in microseconds a message.

Parts that are run by themselves, over the same few states, are faster than in the stream: all that they touch lies in
the core's cache. Here the loop runs twice, chunk by chunk in turn: under a stopwatch around each part for the shares,
and without for the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from time import perf_counter
from typing import Any, Final, NamedTuple

import agents.score.partition
from models.alerts import lifecycle, rules, xid
from models.economics import policy
from models.gpu.state import GpuState
from models.health import evidence, overall
from models.risk import serving
from schemas.shapes import Shapes
from tests.bench.contenders.in_memory import PartitionLoop
from tests.bench.messages import fleet

_PARTS: Final[dict[str, tuple[tuple[Any, str], ...]]] = {
    "decode": ((Shapes, "decode"),),
    "names, units, blanks": ((agents.score.partition, "to_sample"),),
    "state": ((GpuState, "update"),),
    "evidence and scores": ((evidence, "observe"), (overall, "score")),
    "risk": ((serving, "assess"),),
    "rules and deadlines": ((lifecycle, "due"), (xid, "take_events"), (rules, "evaluate")),
    "advice": ((policy, "advise"),),
    "status": ((agents.score.partition, "is_news"), (agents.score.partition, "gpu_status")),
}
LOOP: Final = "the loop, and records"
WHOLE: Final = "whole"
_APPEND_TIME_MS: Final = 1_780_000_000_000
_CHUNK_MS: Final = 50
_CALIBRATION_CALLS: Final = 20_000
_FIRST_TICKS: Final = 3


class Cost(NamedTuple):
    """Of one message, and of the whole."""

    microseconds: float
    share: float


class _Stopwatches:
    """Adds up the time within each part, less that of a part within it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.calls: dict[str, int] = {}
        self._inner = 0.0

    def around(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``function`` under the stopwatch of ``part``."""
        seconds, calls = self.seconds, self.calls
        seconds.setdefault(part, 0.0)
        calls.setdefault(part, 0)

        def timed(*args: Any, **kwargs: Any) -> Any:
            outer, self._inner = self._inner, 0.0
            began = perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                took = perf_counter() - began
                seconds[part] += took - self._inner
                calls[part] += 1
                self._inner = outer + took

        return timed

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Put the stopwatches around all parts while the block runs."""
        known = {(owner, name): getattr(owner, name) for places in _PARTS.values() for owner, name in places}
        for part, places in _PARTS.items():
            for owner, name in places:
                setattr(owner, name, self.around(part, known[owner, name]))
        try:
            yield
        finally:
            for (owner, name), function in known.items():
                setattr(owner, name, function)


def _stopwatch_seconds() -> tuple[float, float]:
    """Return what one stopwatch adds to a call, and the part of that which it counts as the call's."""
    watches = _Stopwatches()
    bare: Callable[..., Any] = lambda: None  # noqa: E731
    timed = watches.around("", bare)

    def loop(function: Callable[..., Any]) -> float:
        began = perf_counter()
        for _ in range(_CALIBRATION_CALLS):
            function()
        return (perf_counter() - began) / _CALIBRATION_CALLS

    alone = min(loop(bare) for _ in range(3))
    added = min(loop(timed) for _ in range(3)) - alone
    counted = watches.seconds[""] / watches.calls[""] - alone
    return added, max(0.0, counted)


def measure(kind: str, gpus: int = 500, ticks: int = 40) -> dict[str, Cost]:
    """Return the cost of each part for messages of ``kind`` (``guide`` or ``ours``), in one partition."""
    added, counted = _stopwatch_seconds()
    watches, timed, plain = _Stopwatches(), PartitionLoop(1), PartitionLoop(1)
    stream = fleet(kind, gpus, ticks)
    time_ms = _APPEND_TIME_MS
    for tick in range(ticks):
        if tick == _FIRST_TICKS:  # a GPU's first samples have much to publish
            plain.seconds = timed.seconds = 0.0
            watches = _Stopwatches()
        some = list(islice(stream, gpus))
        time_ms += _CHUNK_MS
        plain.take(0, some, time_ms)
        with watches.installed():
            timed.take(0, some, time_ms)
    messages = gpus * (ticks - _FIRST_TICKS)
    inside = {part: max(0.0, watches.seconds[part] - watches.calls[part] * counted) for part in _PARTS}
    whole = max(sum(inside.values()), timed.seconds - sum(watches.calls.values()) * added)
    shares = {part: seconds / whole for part, seconds in inside.items()}
    shares[LOOP] = 1.0 - sum(shares.values())
    a_message = plain.seconds / messages * 1e6
    return {part: Cost(share * a_message, share) for part, share in {**shares, WHOLE: 1.0}.items()}
