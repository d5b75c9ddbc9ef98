"""The cost of each part of the step, in microseconds a message, best of several rounds."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from agents.score.bundles import Bundles, NoInputs
from agents.score.step import step
from models.alerts import lifecycle, rules, xid
from models.economics import policy
from models.gpu import packing
from models.gpu.state import GpuState
from models.health import evidence, overall
from models.health.profile import Profile
from models.risk import serving
from schemas.raw import decode
from schemas.sample import Sample, to_sample
from tests.bench.messages import fleet

ROUNDS = 3


def microseconds(work: Callable[[], object], count: int) -> float:
    """Return the time of one of ``count`` items of ``work``, best of ROUNDS."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best / count * 1e6


def measure(kind: str, gpus: int = 50, ticks: int = 200) -> dict[str, float]:
    """Return the microseconds of each part for messages of ``kind`` (``guide`` or ``ours``).

    Evidence and scores, risk and advice are the cost of one computation, which few messages need.
    """
    values = [value for _, value in fleet(kind, gpus, ticks)]
    bundles = Bundles(NoInputs())
    count = len(values)
    raws = [decode(value) for value in values]
    samples = [to_sample(raw, 0.0) for raw in raws]
    for sample in samples:
        sample.append_time = sample.time
    bundle = bundles.at(samples[0].time)
    warm = _states(samples[: gpus * 20], bundles)
    parts = {
        "decode": microseconds(lambda: _each(decode, values), count),
        "names, units, blanks": microseconds(lambda: _each(lambda raw: to_sample(raw, 0.0), raws), count),
    }
    parts["state"] = _update_cost(samples, gpus)
    last = list(warm.values())
    sample_of = {sample.gpu_id: sample for sample in samples[gpus * 19 : gpus * 20]}
    pairs = [(state, sample_of[state.gpu_id]) for state in last] * 40
    scores = last[0].scores
    risk = last[0].risk
    assert scores is not None
    assert risk is not None
    held = [(state, state.steady) for state, _ in pairs if state.steady is not None]
    parts["whether they can have moved"] = microseconds(
        lambda: [bounds.holds(state, bundle) for state, bounds in held], len(held)
    )
    parts["evidence and scores"] = microseconds(
        lambda: [_judge(state, bundle.profile) for state, _ in pairs], len(pairs)
    )
    parts["risk"] = microseconds(
        lambda: [serving.assess(state, bundle.risk_model, bundle.profile) for state, _ in pairs], len(pairs)
    )
    parts["rules and deadlines"] = microseconds(
        lambda: (
            [
                (
                    lifecycle.due(state, event_time=state.time, clock=state.append_time, rules=bundle.rules),
                    xid.take_events(state, sample, bundle.catalogue, taken=True),
                    rules.evaluate(state, sample, scores, risk, bundle.rules, (), taken=True),
                )
                for state, sample in pairs
            ]
        ),
        len(pairs),
    )
    parts["advice"] = microseconds(
        lambda: [policy.advise(state, scores, risk, bundle.prices, None) for state, _ in pairs], len(pairs)
    )
    parts["pack the hot record"] = microseconds(lambda: [packing.pack_hot(state) for state, _ in pairs], len(pairs))
    parts["whole step"] = _step_cost(values, samples, gpus, bundles)
    return parts


def _judge(state: GpuState, profile: Profile) -> overall.Scores:
    evidence.observe(state, profile)
    return overall.score(state, profile)


def _each(function: Callable[[Any], Any], items: Sequence[Any]) -> None:
    for item in items:
        function(item)


def _states(samples: Sequence[Sample], bundles: Bundles) -> dict[str, GpuState]:
    states: dict[str, GpuState] = {}
    for sample in samples:
        state = states.get(sample.gpu_id) or GpuState(sample.gpu_id, sample.host_id)
        states[sample.gpu_id] = state
        step(state, sample, bundles.at(sample.time), bundles.asset)
    return states


def _update_cost(samples: Sequence[Sample], gpus: int) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        states: dict[str, GpuState] = {}
        for sample in samples[:gpus]:
            states[sample.gpu_id] = GpuState(sample.gpu_id, sample.host_id)
            states[sample.gpu_id].update(sample)
        start = time.perf_counter()
        for sample in samples[gpus:]:
            states[sample.gpu_id].update(sample)
        best = min(best, time.perf_counter() - start)
    return best / (len(samples) - gpus) * 1e6


def _step_cost(values: Sequence[bytes], samples: Sequence[Sample], gpus: int, bundles: Bundles) -> float:
    """Return the step as a stream runs it: decode to rules; the first minute of each GPU is not counted."""
    warm_up = gpus * 6
    best = float("inf")
    for _ in range(ROUNDS):
        states = _states(samples[:warm_up], bundles)
        start = time.perf_counter()
        for index in range(warm_up, len(values)):
            raw = decode(values[index])
            state = states[raw.gpu_id]
            sample = to_sample(raw, samples[index].time)
            step(state, sample, bundles.at(sample.time), bundles.asset)
        best = min(best, time.perf_counter() - start)
    return best / (len(values) - warm_up) * 1e6
