"""A GPU that its owner removed, or that another replaced, ends as such: it is not missing for ever."""

from __future__ import annotations

from math import inf
from typing import Any

import orjson
import pytest

from agents.score.partition import ScorePartition
from schemas.side_input import Asset, Replaced
from schemas.times import format_time
from schemas.topics import ALERTS
from streams.offline.replay import OfflineReplay
from tests.unit.agents.score.test_partition import START, chunk, message

GPU = "GPU-1"


class Known:
    """Side inputs that a test changes."""

    def __init__(self) -> None:
        self.payloads: dict[str, Any] = {}
        self.changes = 0

    def put(self, kind: str, payload: object) -> None:
        self.payloads[kind] = payload
        self.changes += 1

    def newest(self, kind: str, id: str, event_time: float) -> tuple[int, Any] | None:
        return (1, self.payloads[kind]) if kind in self.payloads and id == GPU else None

    def generation(self) -> int:
        return self.changes

    def next_change(self, event_time: float) -> float:
        return inf


def removed(at: float) -> Asset:
    return Asset(gpu_id=GPU, removed_at=format_time(at))


def replaced(at: float) -> Replaced:
    return Replaced(gpu_id=GPU, by_gpu_id="GPU-2", host_id="node-1", pci_bus_id="0000:1b:00", at=format_time(at))


def running(known: Known) -> ScorePartition:
    partition = ScorePartition(0, lambda key: 0, known)
    partition.restored({}, fresh=False)
    partition.process(chunk([message()]))
    partition.drain()
    return partition


def said(partition: ScorePartition) -> list[tuple[str, str, str]]:
    events = [orjson.loads(one.value or b"") for one in partition.drain().outputs if one.topic == ALERTS]
    return [(event["rule"], event["status"], event["reason"]) for event in events]


@pytest.mark.parametrize(
    ("kind", "payload"), [("asset", removed(START - 86_400)), ("asset", removed(START + 20)), ("replaced", None)]
)
def test_a_gpu_that_is_known_to_leave_is_never_missing(kind: str, payload: object) -> None:
    known = Known()
    partition = running(known)
    known.put(kind, payload or replaced(START + 30))
    partition.advance(START + 40)
    partition.advance(START + 4000)
    assert said(partition) == []


@pytest.mark.parametrize(("kind", "payload"), [("asset", removed(START + 300)), ("replaced", replaced(START + 300))])
def test_one_that_is_missing_already_resolves_with_the_reason(kind: str, payload: object) -> None:
    known = Known()
    partition = running(known)
    partition.advance(START + 60)
    assert said(partition) == [("gpu_missing", "firing", "first_firing")]
    known.put(kind, payload)
    partition.advance(START + 301)
    reason = {"asset": "removed", "replaced": "replaced"}[kind]
    assert said(partition) == [("gpu_missing", "resolved", reason)]
    partition.advance(START + 9000)
    assert said(partition) == []


def test_a_removal_foretold_counts_from_its_time() -> None:
    known = Known()
    known.put("asset", removed(START + 5000))
    partition = running(known)
    partition.advance(START + 60)
    assert said(partition) == [("gpu_missing", "firing", "first_firing")]
    partition.advance(START + 5000 + 3600)
    assert said(partition) == [("gpu_missing", "resolved", "removed")]


def test_one_that_reports_after_it_was_replaced_is_watched_again() -> None:
    known = Known()
    known.put("replaced", replaced(START + 10))
    partition = running(known)
    partition.process(chunk([message(at=START + 100)], first=1, at=START + 100))
    partition.advance(START + 100 + 60)
    assert ("gpu_missing", "firing", "first_firing") in said(partition)


def test_a_replay_tells_an_exchange_as_one() -> None:
    def sample(gpu_id: str, at: float) -> bytes:
        labels = {"pci_bus_id": "00000000:1B:00.0"}
        body = {"gpu_id": gpu_id, "host_id": "node-1", "timestamp": at, "labels": labels, "metrics": {"temp_gpu": 60}}
        return orjson.dumps(body)

    times = [START + 10.0 * number for number in range(90)]
    messages = [
        sample("GPU-old" if at < START + 300 else "GPU-new", at) for at in times if not 300 <= at - START < 420
    ]
    outputs = [(one.topic, orjson.loads(one.value or b"")) for one in OfflineReplay().run(messages)]
    ends = [value["reason"] for topic, value in outputs if topic == ALERTS and value["status"] == "resolved"]
    assert ends == ["replaced"]
    assert not any(topic == "gpu-inputs" for topic, _ in outputs)
