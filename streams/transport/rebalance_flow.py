"""Flow control that throws buffered events away once a rebalance, before the first event of the new assignment.

Faust resumes its flow two to four times while it restores tables, and clears every queue each time. Changes of
a GlobalTable, and records of a source topic whose batch was under way, that came in between would vanish and
never be read again: the positions have moved past them. What the first clearing throws away is of the old
assignment; what comes after it is of the new one and stays. A record may then be taken twice, which the tables
of role view do not mind.
"""

from __future__ import annotations

import faust
from faust.tables.manager import TableManager
from mode.utils.queues import FlowControlEvent


class RebalanceFlow(FlowControlEvent):
    """Clears its queues at the first resume of each generation of the consumer group alone."""

    def __init__(self, tables: TableManager) -> None:
        super().__init__()
        self._tables = tables
        self._cleared_generation: int | None = None

    def resume(self) -> None:
        """Resume; clear where this generation has not yet begun. ``clear`` itself, at a revocation, always does."""
        self._suspend.clear()
        self._resume.set()
        generation = self._tables.recovery._generation_id
        if generation != self._cleared_generation:
            self._cleared_generation = generation
            self.clear()


def clear_once_a_rebalance(app: faust.App) -> None:
    """Give ``app``, before its first queue is made, flow control of this kind."""
    tables = app.tables
    assert isinstance(tables, TableManager)
    app.flow_control = RebalanceFlow(tables)
