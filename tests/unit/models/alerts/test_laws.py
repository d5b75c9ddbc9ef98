"""Laws of the alerts, whatever a GPU goes through."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from models.alerts.alert_state import SEVERITY_RANK, AlertState
from models.gpu.remembered import Remembered
from schemas.alert import AlertEvent
from tests.unit.models.alerts.bench import START, Bench, xid_event

_CODES = (13, 31, 45, 48, 63, 64, 74, 79, 94, 95, 109, 119, 4711)


@dataclass(frozen=True)
class Moment:
    """One message: when, how late it was appended, and what it tells."""

    wait_seconds: float
    delay_seconds: float
    changes: dict[str, float | None]
    code: int | None
    alone: bool


_CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "gpu_temp_celsius": st.sampled_from([60.0, 83.0, 90.0, None]),
        "clocks_event_reasons": st.sampled_from([0.0, 4.0, 32.0, 64.0, 128.0, None]),
        "row_remap_pending": st.sampled_from([0.0, 1.0, None]),
        "row_remap_failed": st.sampled_from([0.0, 1.0]),
        "gpu_recovery_action": st.sampled_from([0.0, 1.0, 4.0, None]),
        "ecc_dbe_volatile_total": st.sampled_from([0.0, 1.0, 2.0]),
        "ecc_sbe_volatile_total": st.sampled_from([0.0, 50.0, 30_000.0]),
        "xid_last": st.sampled_from([0.0, 48.0, 79.0]),
        "gpu_present": st.sampled_from([0.0, 1.0]),
    },
)
_MOMENTS = st.lists(
    st.builds(
        Moment,
        wait_seconds=st.sampled_from([1.0, 10.0, 10.0, 10.0, 35.0, 90.0, 400.0, 4000.0, 90_000.0]),
        delay_seconds=st.sampled_from([0.0, 0.0, 0.2, 30.0, 100.0]),
        changes=_CHANGES,
        code=st.none() | st.sampled_from(_CODES),
        alone=st.booleans(),
    ),
    max_size=40,
)


def _story(moments: list[Moment], *, clock_moves: bool = False, restarts: bool = False) -> list[AlertEvent]:
    gpu = Bench()
    gpu.run(60)
    time = appended = gpu.now
    for moment in moments:
        time += moment.wait_seconds
        before, appended = appended, max(appended, time + moment.delay_seconds)
        if clock_moves:
            for step in range(1, 6):
                gpu.clock(before + (appended - before) * step / 5.0)
        if restarts:
            packed = msgspec.json.encode([alert.to_plain() for alert in gpu.state.alerts.values()])
            states = map(AlertState.from_plain, msgspec.json.decode(packed))
            gpu.state.alerts = {alert.key: alert for alert in states}
            gpu.state.remembered = msgspec.json.decode(msgspec.json.encode(gpu.state.remembered), type=Remembered)
        gpu.values.update(moment.changes)
        alone = moment.alone and moment.code is not None
        events = [] if moment.code is None else [xid_event(moment.code, time)]
        gpu.send(time, None if alone else dict(gpu.values), events, append_time=appended)
    return gpu.said


@settings(max_examples=60)
@given(_MOMENTS)
def test_clock_moves_or_stands_and_restarts_change_nothing(moments: list[Moment]) -> None:
    told = _story(moments)
    assert _story(moments, clock_moves=True) == told
    assert _story(moments, restarts=True) == told


@settings(max_examples=60)
@given(_MOMENTS)
def test_every_resolve_follows_its_firing_and_severity_never_falls(moments: list[Moment]) -> None:
    firing: dict[str, AlertEvent] = {}
    ids: set[str] = set()
    for event in _story(moments):
        assert event.event_id not in ids
        ids.add(event.event_id)
        before = firing.get(event.fingerprint)
        if before is not None:
            assert event.incident_id == before.incident_id
            assert event.starts_at == before.starts_at
            assert event.updated_at >= before.updated_at
            assert SEVERITY_RANK[event.severity] >= SEVERITY_RANK[before.severity]
            assert event.page >= before.page
            assert event.count >= before.count
        if event.status == "firing":
            firing[event.fingerprint] = event
        else:
            assert before is not None
            del firing[event.fingerprint]
        open_of_class = {
            open_event.incident_id for open_event in firing.values() if open_event.cause_class == event.cause_class
        }
        assert len(open_of_class) <= 1, "one open incident a cause"


@settings(max_examples=30)
@given(_MOMENTS)
def test_history_never_pages(moments: list[Moment]) -> None:
    gpu = Bench(labels={"history": "true"})
    time = START
    for moment in moments:
        time += moment.wait_seconds
        gpu.values.update(moment.changes)
        events = [] if moment.code is None else [xid_event(moment.code, time)]
        gpu.send(time, dict(gpu.values), events)
    assert not any(event.page for event in gpu.said)
