"""XIDs of a sample: from its events and from the edge of the latched gauge, each occurrence once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from models.alerts.catalogue import Catalogue, XidEntry
from models.alerts.xid_lines import fatal, place
from models.gpu.measured import measured
from models.gpu.remembered import XidTimes
from models.gpu.slots import GPU_PRESENT, XID_LAST
from models.gpu.state import GpuState
from schemas.ids import digest
from schemas.sample import Event, Sample

Source = Literal["log", "nvml", "gauge"]

LOST_CODE: Final = 79
CONTAINED: Final = 94
UNCONTAINED: Final = 95
NVLINK5_CODES: Final = range(144, 151)
KEPT_DIGESTS: Final = 64
# Sources disagree on when a fault was: a scrape reports it up to a few intervals after the log.
SAME_OCCURRENCE_SECONDS: Final = 60.0
SAME_OCCURRENCE_INTERVALS: Final = 4.0
# One fault prints its code many times: 5 s coalesce (Delta study, arXiv 2503.11901), 3 min are one burst
# (NVSentinel), repeats are counted over 24 h.
COALESCE_SECONDS: Final = 5.0
BURST_SECONDS: Final = 180.0
REPEAT_SECONDS: Final = 86_400.0
KEPT_BURSTS: Final = 5
_KEPT_CODES: Final = 32
_KEPT_PLACES: Final = 16
_PLACE_PREFIX: Final = "place "

_LOST_TYPES: Final = frozenset(("lost", "gpu_lost", "nvml_lost"))
_LOST_TEXT: Final = "fallen off the bus"


@dataclass(slots=True)
class Occurrence:
    """One XID that happened.

    ``at`` is event time (epoch s); ``bursts`` counts the bursts of the code, or of its place where the line
    names one, in the 24 h up to it; ``history`` is true for what was before the system looked.
    """

    code: int
    at: float
    source: Source
    line: str
    pci: str | None
    history: bool
    entry: XidEntry
    bursts: int
    fresh: bool  # not one more line of the fault reported within 5 s before


NO_OCCURRENCES: Final[Sequence[Occurrence]] = ()


def take_events(state: GpuState, sample: Sample, catalogue: Catalogue, *, taken: bool) -> Sequence[Occurrence]:
    """Return the XIDs of ``sample`` that were not taken before, and note each as evidence.

    Called for every sample, late ones too: events carry their own time and are never late. The gauge is
    latched, so only its edge is an occurrence, equal codes in a row cannot be seen on it, and the first
    value that a GPU shows is evidence of something older, never an occurrence. ``taken`` tells whether the state
    took the sample's values: only then the gauges count.
    """
    gauge = sample.values[XID_LAST]
    present = sample.values[GPU_PRESENT]
    if not sample.events and (not measured(gauge) or gauge == state.xid_gauge) and present != 0.0:
        return NO_OCCURRENCES
    found: list[Occurrence] = []
    for event in sample.events:
        code = _code(event)
        if code is None or not _first_time(state, event):
            continue
        source: Source = "nvml" if event.type in _LOST_TYPES else "log"
        _take(found, state, sample, catalogue, code, event.time, source, event.line, event.pci_bus_id)
    if taken:
        if measured(gauge) and gauge != state.xid_gauge:
            first_sight = not measured(state.xid_gauge)
            state.xid_gauge = gauge
            state.evidence_dirty = True
            code = int(gauge)
            if code > 0 and first_sight:
                state.note(f"xid_latched:{code}", sample.time, history=True)
            elif code > 0:
                _take(found, state, sample, catalogue, code, sample.time, "gauge")
        if present == 0.0 and "gpu_lost" not in state.alerts:
            _take(found, state, sample, catalogue, LOST_CODE, sample.time, "nvml")
    return found


def _code(event: Event) -> int | None:
    if event.type in _LOST_TYPES:
        return LOST_CODE
    if event.type != "xid":
        return None
    if event.code is None and _LOST_TEXT in event.line:
        return LOST_CODE
    return event.code if event.code is not None and event.code > 0 else None


def _first_time(state: GpuState, event: Event) -> bool:
    """Remember the event; False where it was taken before."""
    subject = f"{state.gpu_id}/{event.pci_bus_id}" if state.is_host else state.gpu_id
    mark = digest(subject, event.type, event.code, event.time, digest(event.line))
    if mark in state.digests:
        return False
    state.digests.append(mark)
    del state.digests[:-KEPT_DIGESTS]
    state.evidence_dirty = True
    return True


def _take(
    found: list[Occurrence],
    state: GpuState,
    sample: Sample,
    catalogue: Catalogue,
    code: int,
    at: float,
    source: Source,
    line: str = "",
    pci: str | None = None,
) -> None:
    times = _times(state, f"{code}@{pci}" if state.is_host else str(code), _KEPT_CODES)
    log_at, gauge_at = times.log_at, times.gauge_at
    interval = sample.interval_seconds or state.interval_seconds
    window = max(SAME_OCCURRENCE_SECONDS, SAME_OCCURRENCE_INTERVALS * interval)
    state.evidence_dirty = True
    if source == "gauge":
        times.gauge_at = at
        if log_at is not None and abs(at - log_at) <= window:
            return  # the log told this one already
        own = gauge_at
    else:
        times.log_at = at if log_at is None else max(log_at, at)
        told_by_gauge = gauge_at is not None and abs(at - gauge_at) <= window
        if told_by_gauge and not (log_at is not None and abs(at - log_at) <= window):
            return  # the gauge's edge was this one; a second line is another
        own = log_at
    started = state.first_time if measured(state.first_time) else sample.time
    at_first_sight = at < started or (not line and source == "nvml" and state.samples == 1)
    history = sample.history or at_first_sight
    fresh = own is None or not abs(at - own) <= COALESCE_SECONDS
    count = _count_burst(times.bursts, at)
    where = place(line) if code == 13 else None
    if where is not None:
        count = _count_burst(_times(state, f"{_PLACE_PREFIX}{where}", _KEPT_PLACES).bursts, at)
    if fresh:
        state.note(f"xid:{code}", at, history=history)
    if source == "nvml":
        state.note("lost", at, history=history)
    if code in NVLINK5_CODES and fatal(line):
        state.note(f"xid:{code}:fatal", at, history=history)
    found.append(Occurrence(code, at, source, line, pci, history, catalogue.entry(code), count, fresh))


def _times(state: GpuState, key: str, kept: int) -> XidTimes:
    """Return the times of a code or a place, at most ``kept`` of either."""
    known = state.remembered.xid
    times = known.get(key)
    if times is None:
        alike = [name for name in known if name.startswith(_PLACE_PREFIX) == key.startswith(_PLACE_PREFIX)]
        if len(alike) >= kept:  # forget the one that was quiet for longest
            known.pop(min(alike, key=lambda name: known[name].bursts[-1:] or [-1.0]))
        times = known[key] = XidTimes()
    return times


def _count_burst(bursts: list[float], at: float) -> int:
    """Add ``at`` to the bursts, each kept by its last line; return how many lie in the 24 h up to it."""
    if bursts and at - bursts[-1] <= BURST_SECONDS:
        bursts[-1] = max(bursts[-1], at)
    else:
        bursts.append(at)
        del bursts[:-KEPT_BURSTS]
    return sum(1 for burst in bursts if at - burst <= REPEAT_SECONDS)


def recent(state: GpuState, code: int, at: float, seconds: float) -> bool:
    """Whether an XID of ``code`` was reported within ``seconds`` of ``at``."""
    evidence = state.evidence.get(f"xid:{code}")
    return evidence is not None and abs(at - evidence.last_at) <= seconds
