"""What happens per sample of one GPU: state, scores, risk, alerts, advice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple

from agents.score.records import Record, gpu_event, gpu_hour
from models.alerts import lifecycle, rules, xid
from models.alerts.catalogue import Catalogue
from models.alerts.rules_settings import Rules
from models.economics import policy
from models.economics.prices import Prices
from models.gpu.state import GpuState, LoadModel
from models.health import evidence, overall
from models.health import explain as health_explain
from models.health.profile import Profile
from models.risk import explain as risk_explain
from models.risk import serving
from models.risk.online import RiskModel
from schemas.gpu_event import GpuEvent
from schemas.sample import Sample
from schemas.side_input import Asset
from schemas.signals import SIGNALS
from schemas.topics import ALERTS, EVENTS, HEALTH_SCORES, HOURS, RECOMMENDATIONS, RISK_SCORES


@dataclass(slots=True)
class Bundle:
    """The side inputs that samples of ``valid_from <= time < valid_until`` use, with their versions."""

    profile: Profile
    rules: Rules
    prices: Prices
    risk_model: RiskModel
    catalogue: Catalogue
    load_models: Mapping[str, LoadModel] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    valid_from: float = -inf
    valid_until: float = inf


class KnownAsset(NamedTuple):
    """An asset record and when the GPU went into service by it (epoch s, None: not told)."""

    asset: Asset
    deployed_at: float | None


AssetOf = Callable[[str, float], KnownAsset | None]


def step(
    state: GpuState, sample: Sample, bundle: Bundle, asset_of: AssetOf, silence_from: float = -inf
) -> tuple[GpuState, list[Record]]:
    """Take one sample of a GPU.

    Parameters
    ----------
    state
        The GPU's state; changed in place and returned.
    sample
        Decoded, of this GPU.
    bundle
        Side inputs for the sample's time.
    asset_of
        Asset record of a GPU at a time, None where unknown.
    silence_from
        Append time (epoch s) from which silence counts afresh.

    Returns
    -------
    state, records
        Records to publish, in order; ordinary samples give none.
    """
    records: list[Record] = []
    rule_settings = bundle.rules
    for event in lifecycle.due(
        state,
        event_time=sample.time if sample.has_metrics else -inf,
        clock=sample.append_time,
        rules=rule_settings,
        silence_from=silence_from,
    ):
        records.append(Record(ALERTS, event))
    taken = sample.has_metrics and not sample.time <= state.time
    if taken:
        closed = state.update(sample, bundle.load_models.get(state.labels.get("model", "")))
        if closed is not None:
            records.append(Record(HOURS, gpu_hour(state, closed)))
        if state.reset_seen or state.replaced:
            _epochs(state, records)
    elif sample.has_metrics:
        state.late_samples += 1
        if not sample.events:
            return state, records
    if not taken:  # a reset and increments belong to the sample that showed them, which a restart forgets too
        state.reset_seen = False
        state.increments = {}
    occurrences = xid.take_events(state, sample, bundle.catalogue)
    for occurrence in occurrences:
        records.append(Record(EVENTS, xid_event(state, occurrence)))
    if state.samples == 0:  # events alone, before any metrics: there is nothing to score yet
        for event in rules.evaluate(state, sample, None, None, rule_settings, occurrences):
            records.append(Record(ALERTS, event))
        return state, records
    _judge(state, sample, bundle, asset_of, occurrences, records, taken)
    state.settle()
    return state, records


def _judge(
    state: GpuState,
    sample: Sample,
    bundle: Bundle,
    asset_of: AssetOf,
    occurrences: Sequence[xid.Occurrence],
    records: list[Record],
    taken: bool,
) -> None:
    """Scores, risk, rules and advice after the state has taken the sample."""
    profile = bundle.profile
    evidence.observe(state, profile)
    scores = state.scores = overall.score(state, profile, taken=taken)
    known = asset_of(state.gpu_id, state.time)
    asset, deployed_at = known if known is not None else (None, None)
    risk = serving.assess(state, bundle.risk_model, profile, deployed_at)
    for event in rules.evaluate(state, sample, scores, risk, bundle.rules, occurrences):
        records.append(Record(ALERTS, event))
    said = state.said
    if overall.moved(scores, said.get(overall.SAID)):
        said[overall.SAID] = overall.remember(scores)
        state.evidence_dirty = True
        records.append(Record(HEALTH_SCORES, health_explain.health_score(state, scores, profile)))
    if risk_explain.due(risk, said.get("risk"), state.time):
        risk_explain.remember(state, risk)
        records.append(Record(RISK_SCORES, risk_explain.risk_score(state, risk, bundle.risk_model)))
    advice = policy.advise(state, scores, risk, bundle.prices, asset)
    if advice is not None:
        records.append(Record(RECOMMENDATIONS, advice))


def _epochs(state: GpuState, records: list[Record]) -> None:
    """Say that the driver's counters began again, or that another board answers under this id."""
    if state.reset_seen:
        event = gpu_event(
            state, "counter_epoch", state.time, history=state.history, detail={"epoch": state.counters.epoch}
        )
        records.append(Record(EVENTS, event))
    for slot in state.replaced:
        event = gpu_event(state, "identity_change", state.time, signal=SIGNALS[slot].name, history=state.history)
        records.append(Record(EVENTS, event))


def xid_event(state: GpuState, occurrence: xid.Occurrence) -> GpuEvent:
    """Return the record of an XID."""
    entry = occurrence.entry
    return gpu_event(
        state,
        "xid",
        occurrence.at,
        code=occurrence.code,
        source=occurrence.source,
        line=occurrence.line or None,
        history=occurrence.history,
        detail={"mnemonic": entry.mnemonic, "class": entry.xid_class, "bursts_24h": occurrence.bursts},
    )
