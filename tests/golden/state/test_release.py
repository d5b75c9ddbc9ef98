"""State that release 0.1.0 packed goes on: what was open stays open, and nothing is published twice."""

from __future__ import annotations

import base64
import zlib
from pathlib import Path

import orjson
import pytest

from agents.score.partition import ScorePartition
from schemas.signals import INDEX
from tests.golden.state.gpu import GPU, INTERVAL_SECONDS, START, alerts, chunk, partition

RECORDED = orjson.loads((Path(__file__).parent / "release_0_1_0" / "records.json").read_bytes())


def restored() -> ScorePartition:
    """Return a partition with the state of 150 samples, as 0.1.0 stored it."""
    one = partition()
    for key, record in RECORDED["records"].items():
        one.restore(base64.b64decode(key), zlib.decompress(base64.b64decode(record)))
    one.restored(RECORDED["extra"], fresh=False)
    one.reset_deadlines(START + 150 * INTERVAL_SECONDS)
    return one


def test_what_was_open_stays_open_and_ends_under_its_own_incident() -> None:
    one = restored()
    opened = {rule: incident for rule, _, incident in RECORDED["alerts"]}
    assert set(one.states[GPU].alerts) == set(opened)
    one.process(chunk(150, 180))
    assert alerts(one.drain().outputs) == []
    one.process(chunk(180, 190, failed=False))
    ended = [entry for entry in alerts(one.drain().outputs) if entry[0] == "row_remap_failed"]
    assert ended == [("row_remap_failed", "resolved", opened["row_remap_failed"])]


def test_counters_hours_and_windows_go_on_as_if_nothing_had_happened() -> None:
    upgraded, through = restored(), partition()
    through.restored({}, fresh=False)
    through.reset_deadlines(START)
    through.process(chunk(0, 150))
    through.drain()
    for one in (upgraded, through):
        one.process(chunk(150, 200))
    found, expected = upgraded.states[GPU], through.states[GPU]
    assert found.samples == expected.samples == 200
    assert repr(found.counters.last) == repr(expected.counters.last)
    assert found.lasting[INDEX["row_remap_failed"]] == 1.0
    assert found.loaded_seconds == pytest.approx(expected.loaded_seconds)
    assert found.hour.sums == pytest.approx(expected.hour.sums)
    assert found.windows.hours.rows().tobytes() == expected.windows.hours.rows().tobytes()
    assert [(out.topic, out.key, out.value) for out in upgraded.drain().outputs] == [
        (out.topic, out.key, out.value) for out in through.drain().outputs
    ]
