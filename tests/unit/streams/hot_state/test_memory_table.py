"""The hot table in memory keeps the contract of the real one."""

from __future__ import annotations

import pytest

from schemas.topics import INPUTS, METRICS_RAW
from tests.contract.hot_table import RAW_0, HotTableContract
from tests.unit.streams.hot_state.memory_table import MemoryLog, MemoryTable


class MemoryGround:
    """Tables on one log."""

    def __init__(self) -> None:
        self._log = MemoryLog()
        for topic in (METRICS_RAW, INPUTS):
            self._log.create(topic)

    def table(self) -> MemoryTable:
        """Return another writer of the log."""
        return MemoryTable(self._log)

    async def fill_raw(self, count: int) -> None:
        """Make the input longer."""
        self._log.ends[RAW_0] += count

    async def recreate_raw(self) -> None:
        """Make it another topic."""
        self._log.create(METRICS_RAW)

    async def alerts(self) -> list[bytes | None]:
        """Return what was said."""
        return [output.value for output in self._log.outputs]


class TestMemoryTable(HotTableContract):
    """The suite on the fake."""

    @pytest.fixture
    def ground(self) -> MemoryGround:
        """Return an empty log."""
        return MemoryGround()
