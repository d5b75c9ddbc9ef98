"""Every recorded XID line has its answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from collectors.kernel.log import KernelLog
from tests.recorded import rows, xid_lines
from tests.unit.models.alerts.bench import Bench, xid_event


@pytest.mark.parametrize("lines", xid_lines(), ids=lambda path: path.parents[1].name)
def test_recorded_lines_are_judged_without_an_error(lines: Path) -> None:
    judged = 0
    for row in rows(lines):
        log = KernelLog(near=0.0)
        told = next((event for event in log.read(row[3]) + log.close() if event.type == "xid"), None)
        if told is None:
            continue
        gpu = Bench()
        gpu.run(60)
        said = gpu.send(gpu.now + 1.0, None, [xid_event(told.code, gpu.now + 1.0, told.line)])
        said += gpu.tick()
        if told.code in (13, 31, 43, 45):
            assert not any(event.page for event in said)
        if told.code in (48, 62, 79, 95, 119, 120):
            assert any(event.page for event in said), told.line
        judged += 1
    assert judged > 50
