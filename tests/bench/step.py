"""The same step for every contender: decode, sample, state, scores, risk, rules, records."""

from __future__ import annotations

import msgspec

from agents import score
from agents.bundles import Bundles, NoInputs
from agents.emission import Record
from models.state import GpuState
from schemas.raw import decode
from schemas.sample import to_sample

_encode = msgspec.json.Encoder().encode


class Step:
    """Runs role score's step over raw values; one per process, as the side inputs are looked up once."""

    def __init__(self) -> None:
        self.bundles = Bundles(NoInputs())

    def __call__(self, state: GpuState | None, value: bytes, append_time: float) -> tuple[GpuState, list[bytes]]:
        """Return the state after one message and the encoded records that it gives."""
        raw = decode(value)
        sample = to_sample(raw, append_time)
        if state is None:
            state = GpuState(raw.gpu_id, raw.host_id)
        state, records = score.step(state, sample, self.bundles.at(sample.time), self.bundles.asset)
        return state, encode(records) if records else []


def encode(records: list[Record]) -> list[bytes]:
    """Return the records as they would be published."""
    return [_encode(record.value) for record in records]
