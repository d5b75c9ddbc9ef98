"""Incidents that must be told as written: alerts, pages, incidents, reasons.

Each case runs through the real step of role score, once with the partition's clock standing still between
messages and once with it moving: both must say the same.
"""

from __future__ import annotations

import json
from math import ceil
from pathlib import Path
from typing import Any

import orjson
import pytest

from agents.score.bundles import NoInputs
from agents.score.options import ScoreOptions
from agents.score.partition import ScorePartition
from tests.golden.incidents.scenario import START, Message, Scenario

CASES = sorted(path.parent for path in Path(__file__).parent.glob("*/input.json"))
_CLOCK_STEP_SECONDS = 5.0


def _alerts(messages: list[Message], *, clock_moves: bool) -> list[dict[str, Any]]:
    partition = ScorePartition(0, lambda key: 0, NoInputs(), ScoreOptions(offline=True))
    partition.restored({}, fresh=False)
    said: list[dict[str, Any]] = []
    clock = START
    for message in messages:
        while clock_moves and clock + _CLOCK_STEP_SECONDS < message.time:
            clock += _CLOCK_STEP_SECONDS
            partition.advance(clock)
        assert partition.take(message.value, message.time) is None
        for output in partition.drain().outputs:
            if output.topic == "gpu-alerts" and output.value is not None:
                said.append(orjson.loads(output.value))
        clock = max(clock, message.time)
    partition.advance(ceil(clock))
    for output in partition.drain().outputs:
        if output.topic == "gpu-alerts" and output.value is not None:
            said.append(orjson.loads(output.value))
    return said


def _brief(alerts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Reduce the alerts to what a case fixes, GPU by GPU; incidents are numbered as they appear.

    The rules of scores and risk follow every fault some time later and are tested where those are.
    """
    incidents: dict[str, int] = {}
    brief = []
    for alert in sorted(alerts, key=lambda alert: str(alert["gpu_id"])):
        if alert["cause_class"] == "trend":
            continue
        number = incidents.setdefault(alert["incident_id"], len(incidents) + 1)
        brief.append(
            {
                "at": alert["updated_at"],
                "gpu": alert["gpu_id"],
                "rule": alert["rule"],
                "status": alert["status"],
                "severity": alert["severity"],
                "page": alert["page"],
                "reason": alert["reason"],
                "suppressed_by": alert["suppressed_by"],
                "incident": number,
                "action": alert["action_text"].partition(":")[0],
                "action_code": alert["action_code"],
                "worst": alert["worst"],
                "count": alert["count"],
            }
        )
    return brief


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("clock_moves", [False, True], ids=["still", "moving"])
def test_incident(case: Path, clock_moves: bool) -> None:
    told = json.loads((case / "input.json").read_text("utf-8"))
    expected = json.loads((case / "expected.json").read_text("utf-8"))
    scenario = Scenario(told["interval_seconds"], told["gpus"], told["steps"])
    alerts = _alerts(list(scenario.messages()), clock_moves=clock_moves)
    assert _brief(alerts) == expected["alerts"]
    if not expected["alerts"]:
        assert alerts == [], "nothing is wrong: no rule may speak"
    paged = {alert["incident_id"] for alert in alerts if alert["page"] and alert["status"] == "firing"}
    assert len(paged) == expected["would_page"]
    assert len({alert["event_id"] for alert in alerts}) == len(alerts)


def test_there_are_cases() -> None:
    assert len(CASES) >= 8
