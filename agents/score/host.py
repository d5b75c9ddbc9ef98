"""What happens per message of a host: its facts, its kernel log, its own rules."""

from __future__ import annotations

from math import inf

from agents.score.records import Record, gpu_event
from agents.score.step import Bundle, xid_event
from models.alerts import lifecycle, rules, xid
from models.gpu.state import GpuState
from schemas.sample import Sample
from schemas.topics import ALERTS, EVENTS


def step(
    state: GpuState, sample: Sample, bundle: Bundle, silence_from: float = -inf
) -> tuple[GpuState, list[Record]]:
    """Take one message of a host (``gpu_id`` is ``host:<host_id>``); it has no health score."""
    records: list[Record] = []
    event_time = sample.time if sample.has_metrics else -inf
    for event in lifecycle.due(
        state, event_time=event_time, clock=sample.append_time, rules=bundle.rules, silence_from=silence_from
    ):
        records.append(Record(ALERTS, event))
    if sample.has_metrics and not sample.time <= state.time:
        state.update(sample)
        state.pending_rows.clear()  # a host has no windows to keep
        facts = sample.host_facts or {}
        if facts.keys() != state.host_facts.keys():
            state.evidence_dirty = True
        state.host_facts = facts
    elif sample.has_metrics:
        state.late_samples += 1
    for kernel_event in sample.events:
        if kernel_event.type == "sxid":
            event_record = gpu_event(
                state,
                "sxid",
                kernel_event.time,
                code=kernel_event.code,
                line=kernel_event.line,
                source=sample.source,
                history=sample.history,
            )
            records.append(Record(EVENTS, event_record))
    occurrences = xid.take_events(state, sample, bundle.catalogue)
    records.extend(Record(EVENTS, xid_event(state, occurrence)) for occurrence in occurrences)
    for event in rules.evaluate(state, sample, None, None, bundle.rules, occurrences):
        records.append(Record(ALERTS, event))
    return state, records
