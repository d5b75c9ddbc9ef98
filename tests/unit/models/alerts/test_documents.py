"""Every rule has its runbook, and every recorded XID line its answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from collectors.kernel_log import KernelLog
from models.alerts.grouping import HOST_MISSING
from models.alerts.rule_texts import ACTIONS
from tests.recorded import rows, xid_lines
from tests.unit.models.alerts.bench import Bench, xid_event

ROOT = Path(__file__).parents[4]
XID_RULES = {"xid_hardware", "xid_driver", "xid_repeated", "recovery_action"}
RULES = (set(ACTIONS) - {"ecc_contained"}) | XID_RULES | {HOST_MISSING}


@pytest.mark.parametrize("rule", sorted(RULES))
def test_rule_has_its_runbook_and_its_place_in_the_table(rule: str) -> None:
    assert f"\n## {rule}\n" in (ROOT / "docs" / "runbooks.md").read_text("utf-8")
    assert rule in (ROOT / "docs" / "alerts.md").read_text("utf-8")


@pytest.mark.parametrize("lines", xid_lines(), ids=lambda path: path.parents[1].name)
def test_recorded_lines_are_judged_without_an_error(lines: Path) -> None:
    judged = 0
    for row in rows(lines):
        told = KernelLog(near=0.0).read(row[3])
        if told is None or told.type != "xid":
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
