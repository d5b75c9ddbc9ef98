"""What a sample cannot move is not computed again, and nobody can see which samples those were."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.score import step as score
from agents.score.bundles import Bundles, NoInputs
from agents.score.records import Record
from agents.score.status import gpu_status, is_news
from agents.score.step import Bundle, KnownAsset
from models.alerts.alert_state import FIRING, AlertState
from models.alerts.operator_actions import Action
from models.gpu import packing
from models.gpu.state import GpuState
from models.health.load_model import LoadModel, LoadModels
from models.health.overall import Scores
from schemas.raw import decode
from schemas.sample import to_sample
from schemas.side_input import Asset
from schemas.topics import HEALTH_SCORES

START = 1_770_638_400.0
MODEL = "NVIDIA H100 80GB HBM3"
HEALTHY: dict[str, float | None] = {
    "gpu_temp_celsius": 60.0,
    "memory_temp_celsius": 70.0,
    "power_usage_watts": 400.0,
    "sm_active_ratio": 0.9,
    "sm_clock_hertz": 1.7e9,
    "energy_joules_total": 1e6,
    "clocks_event_reasons": 0.0,
    "ecc_sbe_volatile_total": 0.0,
    "ecc_dbe_volatile_total": 0.0,
    "row_remap_failed": 0.0,
    "row_remap_pending": 0.0,
    "xid_last": 0.0,
    "gpu_present": 1.0,
}
PACKAGED = Bundles(NoInputs()).at(START)
WARM_PROFILE = msgspec.structs.replace(
    PACKAGED.profile, version=2, thermal=msgspec.structs.replace(PACKAGED.profile.thermal, warm_celsius=58.0)
)
LOADS = LoadModels(
    models={MODEL: LoadModel(idle_watts=100.0, full_load_watts=300.0, reference_clock_hertz=1.7e9)}
).functions()


def bundle(name: str) -> Bundle:
    """Return new side inputs: never the object of another call."""
    profile = WARM_PROFILE if name == "warm" else PACKAGED.profile
    return Bundle(
        profile=profile,
        rules=PACKAGED.rules,
        prices=PACKAGED.prices,
        risk_model=PACKAGED.risk_model,
        catalogue=PACKAGED.catalogue,
        load_models=LOADS if name == "loads" else {},
    )


def asset(gpu_id: str, time: float) -> KnownAsset:
    """Return an asset in service for 1,000 days."""
    return KnownAsset(Asset(gpu_id=gpu_id, warranty_expiry="2027-01-01"), START - 1000 * 86_400.0)


class Worker:
    """One GPU's state in a worker that may skip; ``always`` computes on every sample."""

    def __init__(self, *, always: bool = False) -> None:
        self.state = GpuState("GPU-1", "node-1")
        self.always = always
        self.judged = 0

    def take(self, value: bytes, inputs: Bundle) -> list[tuple[str, bytes]]:
        """Take a message; return the records, the status too where it is news."""
        state = self.state
        if self.always:
            state.steady = None
        before = state.scores
        sample = to_sample(decode(value), orjson.loads(value)["timestamp"])
        _, records = score.step(state, sample, inputs, asset)
        self.judged += state.scores is not before
        if is_news(state, any(record.topic == "gpu-alerts" for record in records)):
            records.append(Record("status", gpu_status(state)))
        return [(record.topic, msgspec.json.encode(record.value)) for record in records]

    def restart(self) -> None:
        """Go on from what was packed."""
        old, self.state = self.state, GpuState("GPU-1", "")
        packing.unpack_hot(self.state, packing.pack_hot(old))
        packing.unpack_window(self.state, packing.pack_window(old))
        packing.unpack_evidence(self.state, packing.pack_evidence(old))
        packing.finish(self.state)

    def served(self) -> dict[str, Any]:
        """Return everything that is published of scores and risk, NaN as None."""
        scores, risk = self.state.scores, self.state.risk
        if scores is None or risk is None:
            return {}
        names = [name for name in Scores.__slots__ if name != "time"]
        found = {name: getattr(scores, name) for name in names}
        found |= {
            name: getattr(risk, name)
            for name in ("risk_score", "level", "probability_7d", "probability_30d", "points", "evidence_floor")
        }
        return {name: None if isinstance(value, float) and isnan(value) else value for name, value in found.items()}


def message(
    time: float,
    metrics: dict[str, float | None],
    events: list[dict[str, Any]] | None = None,
    interval_seconds: float = 10.0,
) -> bytes:
    return orjson.dumps(
        {
            "timestamp": time,
            "gpu_id": "GPU-1",
            "host_id": "node-1",
            "interval_seconds": interval_seconds,
            "labels": {"model": MODEL},
            "metrics": metrics,
            "events": events or [],
        }
    )


@dataclass(frozen=True)
class Moment:
    """Some samples at a fixed interval after a change of what the GPU reports; ``code``: an XID comes first."""

    samples: int
    interval: float
    changes: dict[str, float | None]
    adds: dict[str, float]
    code: int | None
    alone: bool
    ahead: float
    restart: bool
    inputs: str


_ORDINARY = [
    *[("gpu_temp_celsius", value) for value in (58.0, 60.0, 74.9, 75.0, 75.1, 76.0, 81.0, 95.0)],
    *[("memory_temp_celsius", value) for value in (70.0, 89.0, 90.0, 91.0, 99.0)],
    *[("gpu_temp_margin_celsius", value) for value in (None, -1.0, 0.0, 1.0, 11.9, 12.0, 12.1, 25.0)],
    *[("power_usage_watts", value) for value in (100.0, 400.0, 700.0)],
    *[("sm_active_ratio", value) for value in (0.0, 0.5, 0.9)],
    *[("xid_last", value) for value in (0.0, 13.0, 31.0)],
    *[("gpu_temp_slowdown_celsius", value) for value in (None, 89.0, 92.0)],
    *[("clocks_event_reasons", value) for value in (0.0, 4.0)],
]
_FAULTS = [
    ("gpu_temp_celsius", None),
    ("memory_temp_celsius", None),
    ("power_usage_watts", None),
    ("sm_active_ratio", None),
    *[("clocks_event_reasons", value) for value in (None, 32.0, 64.0, 128.0)],
    *[("row_remap_failed", value) for value in (None, 0.0, 1.0)],
    *[("row_remap_pending", value) for value in (0.0, 1.0)],
    *[("gpu_recovery_action", value) for value in (None, 0.0, 1.0)],
    *[("gpu_present", value) for value in (0.0, 1.0)],
    ("xid_last", None),
    ("xid_last", 79.0),
    ("ecc_sbe_volatile_total", None),
    ("ecc_sbe_volatile_total", 0.0),
]
_CHANGES = st.one_of(
    st.lists(st.sampled_from(_ORDINARY), max_size=2), st.lists(st.sampled_from(_ORDINARY + _FAULTS), max_size=3)
).map(dict)
_NO_ADDS: dict[str, float] = {}
_ADDS = st.sampled_from(
    [
        *[_NO_ADDS] * 8,
        {"energy_joules_total": 4000.0},
        {"energy_joules_total": -1e9},
        {"energy_joules_total": -1e9},
        {"ecc_sbe_volatile_total": 1.0},
        {"ecc_sbe_volatile_total": 20_000.0},
        {"ecc_dbe_volatile_total": 1.0},
        {"ecc_sbe_sram_volatile_total": 1.0},
        {"nvlink_recovery_failed_total": 1.0},
    ]
)
_MOMENTS = st.lists(
    st.builds(
        Moment,
        samples=st.integers(1, 40),
        interval=st.sampled_from([1.0, 10.0, 10.0, 30.0, 60.0, 300.0, 4000.0]),
        changes=_CHANGES,
        adds=_ADDS,
        code=st.sampled_from([None, None, None, None, None, 13, 31, 48, 74, 79, 94]),
        alone=st.booleans(),
        ahead=st.sampled_from([0.0, 0.0, -7200.0, 40.0]),
        restart=st.booleans(),
        inputs=st.sampled_from(["packaged", "packaged", "packaged", "loads", "warm"]),
    ),
    min_size=1,
    max_size=12,
)


def _story(moments: list[Moment]) -> list[tuple[bytes, str, bool]]:
    """Return the messages of ``moments``, each with the side inputs' name and whether a restart comes before it."""
    values = dict(HEALTHY)
    found = []
    time = START
    for moment in moments:
        values.update(moment.changes)
        for name, more in moment.adds.items():
            values[name] = max((values.get(name) or 0.0) + more, 0.0)
        for index in range(moment.samples):
            time += moment.interval
            events = []
            if moment.code is not None and index == 0:
                events = [{"type": "xid", "code": moment.code, "timestamp": time + moment.ahead, "line": ""}]
            alone = moment.alone and bool(events)
            found.append((message(time, {} if alone else dict(values), events), moment.inputs, moment.restart))
            if not alone:
                energy = values["energy_joules_total"] or 0.0
                values["energy_joules_total"] = energy + 400.0 * moment.interval
    return found


@settings(max_examples=100, deadline=None)
@given(_MOMENTS)
def test_what_is_served_and_published_is_what_a_computation_on_every_sample_gives(moments: list[Moment]) -> None:
    """To the last bit, so within any tolerance; and a worker restored at any point says the same."""
    skipping, always, restarted = Worker(), Worker(always=True), Worker()
    inputs, name = bundle("packaged"), "packaged"
    last_restart = False
    for value, wanted, restart in _story(moments):
        if wanted != name:
            inputs, name = bundle(wanted), wanted
        if restart and not last_restart and restarted.state.samples:
            restarted.restart()
        last_restart = restart
        expected = always.take(value, inputs)
        assert skipping.take(value, inputs) == expected
        assert [one for one in restarted.take(value, inputs) if one[0] != "status"] == [
            one for one in expected if one[0] != "status"
        ]
        assert skipping.served() == restarted.served() == always.served()
    assert packing.pack_evidence(skipping.state) == packing.pack_evidence(always.state)
    assert packing.pack_hot(skipping.state) == packing.pack_hot(always.state)


def feed(worker: Worker, count: int, **changes: float | None) -> list[tuple[str, bytes]]:
    """Send ``count`` samples 10 s apart; return their records."""
    values = HEALTHY | changes
    found = []
    for _ in range(count):
        time = worker.state.time + 10.0 if worker.state.samples else START
        found += worker.take(message(time, values), PACKAGED)
    return found


def test_a_healthy_gpu_is_judged_once_in_five_minutes_and_published_every_fifteen() -> None:
    worker = Worker()
    feed(worker, 60)
    worker.judged = 0
    records = feed(worker, 360)
    assert [topic for topic, _ in records].count(HEALTH_SCORES) == 4
    assert worker.judged <= 16, "the bounds of 5 minutes, of the schedule and of the hour"


def test_a_latched_xid_and_an_application_s_own_fault_do_not_make_every_sample_judged() -> None:
    worker = Worker()
    feed(worker, 60, xid_last=43.0)
    event = {"type": "xid", "code": 31, "timestamp": worker.state.time, "line": "one"}
    worker.take(message(worker.state.time + 1.0, {}, [event]), PACKAGED)
    feed(worker, 2, xid_last=43.0)
    assert worker.state.evidence
    worker.judged = 0
    feed(worker, 100, xid_last=43.0)
    assert worker.judged <= 8


@pytest.mark.parametrize(
    "changes",
    [
        {"gpu_temp_celsius": None},
        {"ecc_sbe_volatile_total": 1.0},
        {"ecc_dbe_volatile_total": 1.0},
        {"row_remap_pending": 1.0},
        {"clocks_event_reasons": 32.0},
        {"clocks_event_reasons": 128.0},
        {"xid_last": 79.0},
        {"gpu_present": 0.0},
        {"memory_temp_celsius": None},
        {"gpu_temp_margin_celsius": 5.0},
        {"gpu_temp_celsius": 200.0},
    ],
    ids=str,
)
def test_whatever_can_move_a_score_is_judged_on_the_sample_that_brings_it(changes: dict[str, float | None]) -> None:
    worker = Worker()
    feed(worker, 8)
    worker.judged = 0
    feed(worker, 1)
    assert worker.judged == 0, "an ordinary sample between"
    feed(worker, 1, **changes)
    assert worker.judged == 1


@pytest.mark.parametrize(
    ("once", "since"),
    [
        ({}, {"gpu_temp_celsius": 77.0}),
        ({}, {"memory_temp_celsius": 92.0}),
        ({}, {"ecc_sbe_volatile_total": 3.0}),
        ({"clocks_event_reasons": 32.0}, {}),
        ({"clocks_event_reasons": 128.0}, {}),
    ],
    ids=str,
)
def test_where_a_score_drifts_every_sample_is_judged(
    once: dict[str, float | None], since: dict[str, float | None]
) -> None:
    worker = Worker()
    feed(worker, 8)
    feed(worker, 1, **once)
    feed(worker, 8 * 360, **since)
    worker.judged = 0
    feed(worker, 20, **since)
    assert worker.judged == 20


Phase = tuple[int, dict[str, float | None]]  # samples 10 s apart, and what they change
_COOL: dict[str, float | None] = {"gpu_temp_celsius": 60.0}
_WARM: dict[str, float | None] = {"gpu_temp_celsius": 74.0}


@pytest.mark.parametrize(
    ("begin", "inputs", "phases"),
    [
        pytest.param(0.0, "packaged", [(400, {}), (320, {"gpu_temp_celsius": 81.0})], id="a maximum"),
        pytest.param(0.0, "packaged", [(400, {}), (320, {"gpu_temp_celsius": 95.0})], id="a maximum past hot"),
        pytest.param(0.0, "packaged", [(400, {}), (320, {"memory_temp_celsius": 99.0})], id="the memory's maximum"),
        pytest.param(
            0.0,
            "packaged",
            [(400, {"gpu_temp_margin_celsius": 25.0}), (320, {"gpu_temp_margin_celsius": 1.0})],
            id="the least margin",
        ),
        pytest.param(0.0, "loads", [(400, {}), (320, {"power_usage_watts": 150.0})], id="a residual"),
        pytest.param(
            1800.0,
            "packaged",
            [(180, {}), (240, {"gpu_temp_margin_celsius": 5.0})],
            id="the margin is judged from some share on",
        ),
        pytest.param(
            0.0,
            "packaged",
            [
                (100, {"gpu_temp_margin_celsius": -1.0}),
                (5, {"gpu_temp_margin_celsius": -1.0, "gpu_temp_celsius": 86.0}),
            ],
            id="a margin of zero or less is believed",
        ),
        pytest.param(
            0.0,
            "packaged",
            [(360, _WARM), (300, {"gpu_temp_celsius": None}), (6, _WARM), (30, {"gpu_temp_celsius": 84.0})],
            id="few measured samples count for an hour",
        ),
        pytest.param(
            0.0, "packaged", [(100, {"gpu_temp_celsius": 75.5}), (60, _COOL)], id="a mean falls to its limit"
        ),
    ],
)
def test_a_gpu_that_was_steady_is_judged_where_it_moves(begin: float, inputs: str, phases: list[Phase]) -> None:
    skipping, always, used = Worker(), Worker(always=True), bundle(inputs)
    served = []
    time = START + begin
    for count, changes in phases:
        for _ in range(count):
            value = message(time, HEALTHY | changes)
            assert skipping.take(value, used) == always.take(value, used)
            assert skipping.served() == always.served()
            served.append(skipping.served())
            time += 10.0
    assert served[phases[0][0] - 1] != served[-1], "the last phase does move something"
    assert skipping.judged < always.judged


def test_a_reset_is_not_missed_where_only_an_old_fault_waits_for_it() -> None:
    worker = Worker()
    energy = 1e9
    for index in range(60):
        energy = energy + 4000.0 if index != 50 else 0.0
        time = START + 10.0 * index
        event = {"type": "xid", "code": 31, "timestamp": time, "line": "one"}
        value = message(time, HEALTHY | {"energy_joules_total": energy}, [event] if index == 5 else None)
        worker.take(value, PACKAGED)
        if index == 49:
            assert worker.state.steady is not None
            assert not worker.state.alerts
    assert worker.state.evidence["xid:31"].reset_seen


def test_an_input_s_grace_ends_on_its_sample() -> None:
    skipping, always = Worker(), Worker(always=True)
    for index in range(180):
        values = HEALTHY | ({"memory_temp_celsius": None} if index >= 61 else {})
        value = message(START + 70.0 * index, values, interval_seconds=70.0)
        assert skipping.take(value, PACKAGED) == always.take(value, PACKAGED)
        assert skipping.served() == always.served()
    assert always.state.remembered.inputs is not None
    assert always.state.remembered.inputs.absent == []


@pytest.mark.parametrize(("code", "days"), [(31, 7.0), (74, 1.0)])
def test_evidence_ends_on_its_sample(code: int, days: float) -> None:
    """An application's fault with the window; a fault that caps after a reset and 24 hours under load."""
    skipping, always = Worker(), Worker(always=True)
    time, energy, wait = START, 1e9, 10.0
    while always.state.samples < 10 or always.state.evidence:
        energy = energy + 4000.0 if always.state.samples != 8 else 0.0
        events = []
        if always.state.samples == 5:
            events = [{"type": "xid", "code": code, "timestamp": time, "line": "one"}]
        value = message(time, HEALTHY | {"energy_joules_total": energy}, events, wait)
        skipping.take(value, PACKAGED)
        always.take(value, PACKAGED)
        assert packing.pack_evidence(skipping.state) == packing.pack_evidence(always.state)
        assert skipping.served() == always.served()
        near = time - START > days * 86_400.0 - 600.0
        wait = 10.0 if near or always.state.samples < 10 else 300.0
        time += wait
    assert days * 86_400.0 < time - START < days * 86_400.0 + 600.0
    assert skipping.judged < always.judged


def test_while_a_thermal_slowdown_is_open_every_sample_is_judged() -> None:
    worker = Worker()
    feed(worker, 8, clocks_event_reasons=None)
    assert worker.state.steady is not None
    alert = AlertState(
        "thermal_slowdown",
        "thermal_slowdown",
        "thermal",
        START,
        severity="error",
        page=False,
        summary="",
        action=Action("check_cooling", ""),
    )
    alert.phase = FIRING
    alert.starts_at = START
    worker.state.alerts[alert.key] = alert
    worker.state.steady = None
    worker.judged = 0
    feed(worker, 20, clocks_event_reasons=None)
    assert worker.judged == 20


def test_other_side_inputs_are_used_from_their_first_sample_on() -> None:
    worker = Worker()
    feed(worker, 8)
    assert worker.state.scores is not None
    assert worker.state.scores.thermal == 100.0
    worker.take(message(worker.state.time + 10.0, dict(HEALTHY)), bundle("warm"))
    assert worker.state.scores.thermal == pytest.approx(96.0)
