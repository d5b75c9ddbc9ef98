"""What happens per sample of one GPU: state, scores, risk, alerts, advice.

Rules and deadlines are looked at on every sample. Scores, risk and advice are computed again only where the sample
can have moved one of them (:mod:`models.health.steady`); what the rules then read is what a computation would give.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple

from agents.score.records import Record, epoch_events, gpu_hour, xid_event
from models.alerts import lifecycle, rules, xid
from models.alerts.catalogue import Catalogue
from models.alerts.rules_settings import Rules
from models.economics import policy
from models.economics.prices import Prices
from models.gpu.state import GpuState, LoadModel
from models.health import evidence, overall, steady
from models.health import explain as health_explain
from models.health.profile import Profile
from models.risk import explain as risk_explain
from models.risk import serving
from models.risk.online import RiskModel
from schemas.sample import Sample
from schemas.side_input import Asset
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


# Scores and risk after a sample, and the asset that the advice reads.
Judged = tuple[overall.Scores, serving.Risk, Asset | None]
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
    unpacked = state.evidence_dirty
    if taken:
        state.evidence_dirty = False  # to see what this sample changes
        closed = state.update(sample, bundle.load_models.get(state.labels.get("model", "")))
        if closed is not None:
            records.append(Record(HOURS, gpu_hour(state, closed)))
        if state.reset_seen or state.replaced:
            records.extend(Record(EVENTS, event) for event in epoch_events(state))
    elif sample.has_metrics:
        state.late_samples += 1
        if not sample.events:
            return state, records
    if not taken:  # a reset and increments belong to the sample that showed them, which a restart forgets too
        state.reset_seen = False
        state.increments = {}
    occurrences = xid.take_events(state, sample, bundle.catalogue, taken=taken)
    changed = state.evidence_dirty or bool(occurrences)
    state.evidence_dirty = unpacked or state.evidence_dirty
    for occurrence in occurrences:
        records.append(Record(EVENTS, xid_event(state, occurrence)))
    judged = None
    if state.samples > 0:  # else events alone, before any metrics: there is nothing to score yet
        held = state.steady
        if changed or not taken or held is None or not held.holds(state, bundle):
            judged = _judge(state, bundle, asset_of, taken)
    events = rules.evaluate(state, sample, state.scores, state.risk, rule_settings, occurrences, taken=taken)
    records.extend(Record(ALERTS, event) for event in events)
    if judged is None and state.samples > 0 and any(record.topic == ALERTS for record in records):
        judged = _judge(state, bundle, asset_of, taken)  # the advice is decided on the alerts that are open
    if judged is not None:
        _publish(state, bundle, judged, records)
        tried = state.steady is not None or state.hour.samples % steady.TRY_SAMPLES == 0
        state.steady = _bounds(state, bundle) if taken and tried else None
    state.settle()
    return state, records


def _judge(state: GpuState, bundle: Bundle, asset_of: AssetOf, taken: bool) -> Judged:
    """Compute scores and risk after the state has taken the sample."""
    profile = bundle.profile
    evidence.observe(state, profile)
    scores = state.scores = overall.score(state, profile, taken=taken)
    known = asset_of(state.gpu_id, state.time)
    asset, deployed_at = known if known is not None else (None, None)
    return scores, serving.assess(state, bundle.risk_model, profile, deployed_at), asset


def _publish(state: GpuState, bundle: Bundle, judged: Judged, records: list[Record]) -> None:
    """Add the records of scores, risk and advice that moved or are due."""
    scores, risk, asset = judged
    published = state.published
    if overall.moved(scores, published.health):
        published.health = overall.to_published(scores)
        state.evidence_dirty = True
        records.append(Record(HEALTH_SCORES, health_explain.health_score(state, scores, bundle.profile)))
    if risk_explain.due(risk, published.risk, state.time):
        published.risk = risk_explain.to_published(risk, state.time)
        state.evidence_dirty = True
        records.append(Record(RISK_SCORES, risk_explain.risk_score(state, risk, bundle.risk_model)))
    advice = policy.advise(state, scores, risk, bundle.prices, asset)
    if advice is not None:
        records.append(Record(RECOMMENDATIONS, advice))


def _bounds(state: GpuState, bundle: Bundle) -> steady.Steady | None:
    """Return the bounds within which a sample changes nothing that :func:`_judge` and :func:`_publish` say."""
    health, risk, advice = state.published.health, state.published.risk, state.published.advice
    if health is None or risk is None or advice is None:
        return None
    due = min(
        health.at + overall.EMIT_SECONDS, risk.at + risk_explain.EMIT_SECONDS, advice.at + policy.REVIEW_SECONDS
    )
    return steady.bounds(state, bundle.profile, bundle, due)
