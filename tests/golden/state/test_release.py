"""State that release 0.1.0 packed goes on: what was open stays open, and nothing is published twice."""

from __future__ import annotations

import base64
import zlib
from pathlib import Path

import msgspec
import orjson
import pytest

from agents.score.partition import ScorePartition
from models.gpu import packing
from models.gpu.state import GpuState
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


def test_what_was_published_and_remembered_is_written_as_it_was_read() -> None:
    """The structs take every key of the map that 0.1.0 wrote, and write the same map."""
    (record,) = (
        zlib.decompress(base64.b64decode(record))
        for key, record in RECORDED["records"].items()
        if base64.b64decode(key).endswith(b"\x00e")
    )
    before = msgspec.msgpack.decode(record)
    assert {"health", "inputs", "risk", "advice", "status"} <= set(before["said"])
    state = GpuState(GPU, "")
    packing.unpack_evidence(state, record)
    after = msgspec.msgpack.decode(packing.pack_evidence(state))
    alerts = {alert["key"]: alert for alert in after.pop("alerts")}  # they have fields now that 0.1.0 had not
    for alert in before.pop("alerts"):
        assert {key: alert[key] for key in ("rule", "phase", "starts_at")}.items() <= alerts[alert["key"]].items()
    assert (before.pop("version"), after.pop("version")) == (1, packing.VERSION)
    assert after == before


def published(one: ScorePartition) -> list[tuple[str, bytes, bytes | None]]:
    """Return what a partition publishes but for what grew: the release before did not tell that."""
    outputs = [(out.topic, out.key, out.value) for out in one.drain().outputs]
    return [out for out in outputs if b'"reason":"grown"' not in (out[2] or b"")]


def test_what_was_open_stays_open_and_ends_under_its_own_incident() -> None:
    one = restored()
    opened = {rule: incident for rule, _, incident in RECORDED["alerts"]}
    assert set(one.states[GPU].alerts) == set(opened)
    one.process(chunk(150, 180))
    assert alerts(one.drain().outputs) == []
    one.process(chunk(180, 190, failed=False))
    ended = [entry for entry in alerts(one.drain().outputs) if entry[0] == "row_remap_failed"]
    assert ended == [("row_remap_failed", "resolved", opened["row_remap_failed"])]


def test_what_was_open_has_the_code_of_its_action_from_its_next_sample_on() -> None:
    one = restored()
    kept = one.states[GPU].alerts
    assert {(alert.count, alert.trial) for alert in kept.values()} == {(1, False)}
    assert kept["row_remap_failed"].action.code == "replace"
    assert kept["row_remap_failed"].emitted_at == kept["row_remap_failed"].starts_at
    one.process(chunk(150, 152))
    assert {rule: alert.action.code for rule, alert in one.states[GPU].alerts.items()} == {
        "row_remap_failed": "replace",
        "risk_high": "watch",
        "score_degraded": "watch",
        "score_poor": "drain",
    }


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
    assert published(upgraded) == published(through)
