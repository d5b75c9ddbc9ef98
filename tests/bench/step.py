"""The same step for every contender: decode, sample, state, scores, risk, rules, records."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Final

import msgspec

from agents.score import step as score
from agents.score.bundles import Bundles, NoInputs
from agents.score.records import Record
from models.gpu.state import GpuState
from schemas.sample import to_sample
from schemas.shapes import Shapes

_CALIBRATIONS: Final = 5
_CALIBRATION_CALLS: Final = 10_000
_encode: Final = msgspec.json.Encoder().encode

Taken = tuple[GpuState, list[bytes]]


class Step:
    """Runs role score's step over raw values; one per process, as the side inputs are looked up once."""

    def __init__(self) -> None:
        self.bundles = Bundles(NoInputs())
        self._shapes = Shapes()

    def __call__(self, state: GpuState | None, value: bytes, append_time: float) -> Taken:
        """Return the state after one message and the encoded records that it gives."""
        raw, fitted = self._shapes.decode(state.gpu_id.encode() if state is not None else None, value)
        sample = to_sample(raw, append_time, fitted)
        if state is None:
            state = GpuState(raw.gpu_id, raw.host_id)
        state, records = score.step(state, sample, self.bundles.at(sample.time), self.bundles.asset)
        return state, encode(records) if records else []


def encode(records: list[Record]) -> list[bytes]:
    """Return the records as they would be published."""
    return [_encode(record.value) for record in records]


class Timed:
    """A step under a stopwatch: what a contender adds is told beside the step as it ran there.

    A shared machine's speed changes between two runs by more than what is compared; within one run it is the same
    for the step and for what is beside it.
    """

    def __init__(self, step: Callable[[GpuState | None, bytes, float], Taken]) -> None:
        self._step = step
        self.seconds = 0.0

    def __call__(self, state: GpuState | None, value: bytes, append_time: float) -> Taken:
        """Run the step and add what it took to ``seconds``."""
        began = perf_counter()
        taken = self._step(state, value, append_time)
        self.seconds += perf_counter() - began
        return taken


def stopwatch_seconds() -> tuple[float, float]:
    """Return what :class:`Timed` adds to a call, and the part of it that it does not count as the step."""
    added, uncounted = [], []
    nothing: Taken = (GpuState("", ""), [])

    def step(state: GpuState | None, value: bytes, append_time: float) -> Taken:
        return nothing

    def loop(what: Callable[[GpuState | None, bytes, float], Taken]) -> float:
        began = perf_counter()
        for _ in range(_CALIBRATION_CALLS):
            what(None, b"", 0.0)
        return (perf_counter() - began) / _CALIBRATION_CALLS

    for _ in range(_CALIBRATIONS):
        timed = Timed(step)
        took = loop(timed)
        added.append(took - loop(step))
        uncounted.append(took - timed.seconds / _CALIBRATION_CALLS)
    return min(added), min(uncounted)
