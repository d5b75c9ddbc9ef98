"""What is buffered when a rebalance ends is kept; what was buffered before it is not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

from faust.tables.manager import TableManager
from mode.utils.queues import FlowControlQueue

from streams.transport.rebalance_flow import RebalanceFlow


async def test_queues_are_cleared_once_a_generation() -> None:
    recovery = SimpleNamespace(_generation_id=1)
    flow = RebalanceFlow(cast(TableManager, SimpleNamespace(recovery=recovery)))
    queue: FlowControlQueue[str] = FlowControlQueue(flow_control=flow, clear_on_resume=True)
    queue.put_nowait("of the old assignment")
    flow.resume()
    assert queue.empty()
    queue.put_nowait("between two resumes")
    flow.resume()
    assert queue.qsize() == 1
    flow.suspend()
    flow.clear()
    assert queue.empty()
    queue.put_nowait("late, of the old assignment")
    recovery._generation_id = 2
    flow.resume()
    assert queue.empty()
