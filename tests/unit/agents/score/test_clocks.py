"""A wrong clock is no silence: what is refused or late shows that a GPU lives, and by how much its clock is off."""

from __future__ import annotations

from typing import Any

import orjson

from schemas.topics import ALERTS, STATUS
from tests.unit.agents.score.test_partition import START, chunk, logic, message


def alerts(records: list[dict[str, Any]]) -> list[str]:
    return [record["rule"] for record in records if "rule" in record]


def amounts(records: list[dict[str, Any]]) -> list[float]:
    return [record["clock_ahead_seconds"] for record in records if "rule" not in record]


def run(offset_seconds: float, *, seconds: int = 900) -> tuple[list[str], list[float]]:
    """Return alerts and amounts of a GPU whose clock is right for a minute, then off by ``offset_seconds``."""
    partition = logic()
    said: list[dict[str, Any]] = []
    for step in range(0, seconds, 10):
        at = START + step
        partition.process(chunk([message(at=at + (offset_seconds if step >= 60 else 0.0))], first=step, at=at))
        partition.advance(at)
        said += [orjson.loads(one.value or b"") for one in partition.drain().outputs if one.topic in (ALERTS, STATUS)]
    return alerts(said), amounts(said)


def test_a_clock_that_steps_back_is_told_and_nothing_is_missing() -> None:
    found, ahead = run(-7200.0)
    assert found == []
    assert min(ahead) <= -7199.0
    assert sum(amount < 0.0 for amount in ahead) >= 900 // 60 - 3, "once a minute at least"


def test_a_clock_that_jumps_ahead_is_told_and_nothing_is_missing() -> None:
    found, ahead = run(300.0)
    assert found == []
    assert max(ahead) >= 299.0


def test_a_right_clock_is_never_told() -> None:
    assert run(-60.0)[1] == run(15.0)[1] == [0.0] * len(run(0.0)[1])


def test_a_gpu_that_is_silent_after_a_wrong_clock_is_missing() -> None:
    partition = logic()
    for step, ahead in ((0, 0.0), (10, 300.0), (20, 300.0)):
        partition.process(chunk([message(at=START + step + ahead)], first=step, at=START + step))
    partition.advance(START + 74.0)
    assert [one for one in partition.drain().outputs if one.topic == ALERTS] == []
    partition.advance(START + 76.0)
    assert [one.topic for one in partition.drain().outputs if one.topic == ALERTS] == [ALERTS]


def test_a_host_that_was_never_right_is_told() -> None:
    partition = logic()
    body = {"gpu_id": "host:node-1", "host_id": "node-1", "timestamp": START + 300.0, "metrics": {"exporter_up": 1.0}}
    partition.process(chunk([orjson.dumps(body)]))
    (status,) = [orjson.loads(one.value or b"") for one in partition.drain().outputs if one.topic == STATUS]
    assert (status["gpu_id"], status["clock_ahead_seconds"]) == ("host:node-1", 300.0)
    assert status["last_seen"] == status["appended_at"] != ""
