"""The bench's stopwatches find every part of the step, whatever it is called by now."""

from __future__ import annotations

import pytest

from models.gpu.state import GpuState
from tests.bench import parts


@pytest.mark.parametrize("kind", ["guide", "ours"])
def test_every_part_is_seen_in_the_stream_and_all_make_the_whole(kind: str) -> None:
    before = GpuState.update
    costs = parts.measure(kind, gpus=20, ticks=6)
    whole = costs.pop(parts.WHOLE)
    assert whole.share == 1.0
    assert sum(cost.share for cost in costs.values()) == pytest.approx(1.0)
    assert [part for part, cost in costs.items() if cost.microseconds <= 0.0 and part != parts.LOOP] == []
    assert GpuState.update is before
