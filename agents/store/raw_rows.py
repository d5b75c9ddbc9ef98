"""Samples to rows of gpu_health_metrics and gpu_raw_events, and back to messages that give the same sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from operator import itemgetter
from typing import Any, Final

import msgspec

from agents.store.rows import Row, storable_json, storable_text
from schemas.ids import digest
from schemas.sample import Event, Sample
from schemas.signals import ALIASES, INDEX, SIGNALS, Signal

METRICS_TABLE: Final = "gpu_health_metrics"
RAW_EVENTS_TABLE: Final = "gpu_raw_events"

# The guide's own columns come first, in its order; temp_hotspot has no source, so nothing ever fills it.
GUIDE_COLUMNS: Final = (
    *("temp_gpu", "temp_memory", "temp_hotspot", "power_draw", "power_limit", "util_gpu", "util_memory"),
    *("memory_used", "memory_total", "ecc_correctable", "ecc_uncorrectable", "clock_gpu", "clock_memory"),
    "throttle_reason",
)
_BY_COLUMN: Final = {signal.column: signal for signal in SIGNALS}
SIGNAL_COLUMNS: Final[tuple[Signal, ...]] = tuple(
    [_BY_COLUMN[name] for name in GUIDE_COLUMNS if name in _BY_COLUMN]
    + [signal for signal in SIGNALS if signal.column not in GUIDE_COLUMNS]
)
_HEAD: Final = ("time", "gpu_id", "host_id")
_TAIL: Final = ("appended_at", "interval_seconds", "source", "labels_digest", "labels", "blanks", "links", "events")
METRICS_COLUMNS: Final = (*_HEAD, *(s.column for s in SIGNAL_COLUMNS), *_TAIL, "exact_values")
RAW_EVENT_COLUMNS: Final = (
    "event_id",
    *_HEAD,
    *("appended_at", "interval_seconds", "source", "labels", "blanks", "events", "host_facts"),
)

_in_columns: Final = itemgetter(*[signal.index for signal in SIGNAL_COLUMNS])
# Columns in the guide's unit: position in the row's values, signal, factor of the column's own name.
_SCALED: Final = tuple(
    (position, signal, ALIASES[signal.column].factor)
    for position, signal in enumerate(SIGNAL_COLUMNS)
    if signal.column_factor != 1.0
)
_LINK_STEMS: Final = {
    alias.signal.index: name.removesuffix("_TOTAL")
    for name, alias in ALIASES.items()
    if "NVLINK" in name and name.endswith("_TOTAL")
}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class LabelMemory:
    """Which label sets were stored with a row of this day already: a set is stored once a GPU and day.

    Every row names its set by ``labels_digest``, so rows may arrive in any order, and a day can be dropped
    without taking the labels of another one with it.
    """

    def __init__(self) -> None:
        self._days: dict[str, tuple[int, set[int]]] = {}

    def is_new(self, gpu_id: str, day: int, labels_digest: int) -> bool:
        """Tell whether the set must be stored, and remember that it was."""
        known_day, known = self._days.get(gpu_id, (-1, set()))
        if known_day != day:
            known = set()
            self._days[gpu_id] = (day, known)
        if labels_digest in known:
            return False
        known.add(labels_digest)
        return True

    def clear(self) -> None:
        """Forget all: rows that were made may never have been stored."""
        self._days.clear()


def as_datetime(seconds: float) -> datetime:
    """Return the time to the microsecond, as the database holds it."""
    return datetime.fromtimestamp(seconds, UTC)


def as_seconds(moment: datetime) -> float:
    """Return epoch seconds; undoes :func:`as_datetime` for every time that has whole microseconds."""
    return (moment - _EPOCH) / timedelta(seconds=1)


def sample_row(sample: Sample, memory: LabelMemory) -> Row:
    """Return the row of a sample: raw events and host facts have a table of their own."""
    if sample.is_host or not sample.has_metrics:
        return _event_row(sample)
    values: list[float | None] = [value if value == value else None for value in _in_columns(sample.values)]
    exact: dict[str, float] = {}
    for position, signal, factor in _SCALED:
        canonical = values[position]
        if canonical is not None:
            column = canonical / factor
            if column % 1.0:  # a whole number has no more digits to lose, and rounding is slow
                column = round(column, 9)
            values[position] = column
            if column * factor != canonical:
                exact[signal.name] = canonical
    labels_digest = labels = None
    if sample.labels:
        labels_digest = _labels_digest(sample.labels)
        if memory.is_new(sample.gpu_id, int(sample.time // 86_400), labels_digest):
            labels = storable_json(sample.labels)
    return Row(
        METRICS_TABLE,
        (
            as_datetime(sample.time),
            sample.gpu_id,
            storable_text(sample.host_id),
            *values,
            as_datetime(sample.append_time),
            sample.interval_seconds,
            None if sample.source is None else storable_text(sample.source),
            labels_digest,
            labels,
            _blanks(sample),
            storable_json(_named_links(sample.links)) if sample.links else None,
            storable_json([_event(event) for event in sample.events]) if sample.events else None,
            storable_json(exact) if exact else None,
        ),
    )


def _blanks(sample: Sample) -> list[str] | None:
    return [SIGNALS[index].name for index in dict.fromkeys(sample.blanks)] if sample.blanks else None


def _event_row(sample: Sample) -> Row:
    events = storable_json([_event(event) for event in sample.events]) if sample.events else None
    facts = storable_json(sample.host_facts) if sample.host_facts else None
    return Row(
        RAW_EVENTS_TABLE,
        (
            digest("raw", sample.gpu_id, sample.time, events, facts),
            as_datetime(sample.time),
            sample.gpu_id,
            storable_text(sample.host_id),
            as_datetime(sample.append_time),
            sample.interval_seconds,
            None if sample.source is None else storable_text(sample.source),
            storable_json(sample.labels) if sample.labels else None,
            _blanks(sample),
            events,
            facts,
        ),
    )


def _labels_digest(labels: Mapping[str, str]) -> int:
    encoded = msgspec.json.encode(sorted(labels.items()))
    return int.from_bytes(blake2b(encoded, digest_size=8).digest(), "big", signed=True)


def _named_links(links: Mapping[int, Mapping[int, float]]) -> dict[str, dict[str, float]]:
    return {str(link): {SIGNALS[i].name: value for i, value in found.items()} for link, found in links.items()}


def _event(event: Event) -> dict[str, Any]:
    moment = as_datetime(event.time)
    exact = as_seconds(moment) == event.time
    return {
        "type": event.type,
        "code": event.code,
        "pci_bus_id": event.pci_bus_id,
        "line": event.line,
        "timestamp": moment.isoformat() if exact else event.time,
    }


def metrics_message(row: Mapping[str, Any], labels: Mapping[str, str] | None) -> bytes:
    """Return RawMessage JSON of a row of gpu_health_metrics; ``labels`` is the set its digest names."""
    exact: Mapping[str, float] = row["exact_values"] or {}
    metrics: dict[str, float | None] = {}
    for signal in SIGNAL_COLUMNS:
        value = row[signal.column]
        if value is None:
            continue
        if signal.column_factor == 1.0:
            metrics[signal.name] = value
        elif signal.name in exact:
            metrics[signal.name] = float(exact[signal.name])
        else:
            metrics[signal.column] = value
    metrics.update(_blank_metrics(row))
    for link, found in (row["links"] or {}).items():
        for name, value in found.items():
            metrics[f"{_LINK_STEMS[INDEX[name]]}_L{link}"] = float(value)
    # A message whose every value was refused still is a sample, not an event.
    return _message(row, metrics or {"refused": None}, labels)


def _blank_metrics(row: Mapping[str, Any]) -> dict[str, None]:
    # A name that signals.csv has no more is left out, as an unknown name of a message is.
    return {name: None for name in row["blanks"] or () if name in INDEX}


def raw_event_message(row: Mapping[str, Any]) -> bytes:
    """Return RawMessage JSON of a row of gpu_raw_events."""
    facts = {name: float(value) for name, value in (row["host_facts"] or {}).items()}
    return _message(row, {**_blank_metrics(row), **facts}, row["labels"])


def _message(row: Mapping[str, Any], metrics: Mapping[str, float | None], labels: Mapping[str, str] | None) -> bytes:
    message: dict[str, Any] = {
        "timestamp": row["time"].astimezone(UTC).isoformat(),
        "gpu_id": row["gpu_id"],
        "host_id": row["host_id"],
        "metrics": metrics,
    }
    events: Sequence[Mapping[str, Any]] | None = row["events"]
    optional = {
        "labels": labels,
        "events": events,
        "interval_seconds": row["interval_seconds"],
        "source": row["source"],
    }
    message.update((name, value) for name, value in optional.items() if value is not None)
    return msgspec.json.encode(message)
