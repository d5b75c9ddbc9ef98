"""Sample: one message in canonical signals and units, with the three states of every value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from math import inf, isfinite, nan
from operator import itemgetter, le, mul
from struct import Struct
from typing import Any, Final

import msgspec

from schemas.dead_letter import Reason
from schemas.errors import InvalidMessage
from schemas.raw import HOST_PREFIX, MetricValue, RawEvent, RawMessage
from schemas.signals import ALIASES, INDEX, MOVING, SIGNALS, link_alias
from schemas.times import parse_time

# NVIDIA's sentinels (DCGM dcgm_structs.h): int32 0x7ffffff0-f3, int64 0x7ffffffffffffff0-f3, fp64 2^47 + 0..3.
_INT32_BLANK_LOW: Final = 2147483632.0
_INT32_BLANK_HIGH: Final = 2147483635.0
_INT64_BLANK: Final = 9.2e18
_FP64_BLANK_LOW: Final = 140737488355328.0
_FP64_BLANK_HIGH: Final = 140737488355331.0
_SENTINELS: Final = frozenset((*(_INT32_BLANK_LOW + n for n in range(4)), *(_FP64_BLANK_LOW + n for n in range(4))))
# A signed 32-bit reading taken through the unsigned member of NVML's union: an H200's slowdown margin of -2 arrives
# as 4294967294 (tests/recordings/h200_nvml_580_fields.tsv).
_UINT32: Final = 4294967296.0
_BLANK_TEXTS: Final = frozenset(
    (
        "",
        "n/a",
        "[n/a]",
        "nan",
        "<<<null>>>",
        "<<<not_found>>>",
        "<<<not_supported>>>",
        "<<<not_perm>>>",
        "error - failed to convert to string",
        "[not supported]",
        "not supported",
    )
)

_EMPTY: Final = [nan] * len(SIGNALS)
_MEMORY_TEMP: Final = INDEX["memory_temp_celsius"]
_ECC_MODE: Final = INDEX["ecc_mode"]
_ECC: Final = tuple(signal.index for signal in SIGNALS if signal.name.startswith(("ecc_sbe", "ecc_dbe")))
_LASTING: Final = frozenset(
    signal.index
    for signal in SIGNALS
    if signal.kind in ("constant", "state")
    or signal.reset_class == "lifetime"
    or signal.name.startswith("bank_remap")
)
# A sample further ahead of its append time, or an event further ahead of its sample, has no usable clock.
CLOCK_AHEAD_SECONDS: Final = 60.0
_PLAN_LIMIT: Final = 4096
# All signals of a GPU with 18 links are some 250 names: a plan for many more is not worth keeping.
_PLANNED_NAMES: Final = 512
_FEW: Final = 32


class Event(msgspec.Struct, gc=False):
    """One event with its own time (epoch s)."""

    type: str
    code: int | None
    pci_bus_id: str | None
    line: str
    time: float


class Sample(msgspec.Struct, gc=False):
    """One collection tick of one GPU.

    ``values[i]`` is signal ``i`` of :data:`schemas.signals.SIGNALS` in its canonical unit, NaN where it was
    not measured; ``blanks`` are the signals that were reported blank. ``dropped`` names each value refused,
    with the reason; ``unknown`` counts names that no signal has. Times are epoch seconds; ``append_time``
    is the broker's. ``has_metrics`` is false for a message that carries events alone; ``counters`` are the
    counter signals that the message names (measured or not), ``lasting`` those whose last value stands until
    another is measured: constants, states, lifetime counts, spare banks. ``still`` is both but for MOVING, raw,
    of a message that a shape took: two messages of one plan that have the same have the same values there.
    """

    gpu_id: str
    host_id: str
    time: float
    append_time: float
    values: Sequence[float]
    blanks: tuple[int, ...]
    links: dict[int, dict[int, float]] | None
    events: tuple[Event, ...]
    labels: dict[str, str]
    interval_seconds: float | None
    source: str | None
    unknown: int
    dropped: tuple[tuple[str, str], ...]
    has_metrics: bool
    counters: tuple[int, ...]
    lasting: tuple[int, ...]
    history: bool
    is_host: bool
    host_facts: dict[str, float] | None
    still: bytes | None = None


@dataclass(slots=True)
class Plan:
    """How the values of one tuple of names become slots, in whole-message operations that run in C.

    ``factors``, ``lows`` and ``highs`` (canonical units) have one entry a name. ``rescaled`` picks the raw values
    of another unit, with their factors; ``arrange`` picks into slots from the raw values, one NaN for each slot
    that no name has, and the products; ``few`` are slot, position and factor where there are so few names that
    putting them one by one is faster; ``counts`` picks the
    raw values that may be a sentinel within their range. ``slots`` is -1 for a name without a signal.
    """

    slots: tuple[int, ...]
    factors: tuple[float, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]
    arrange: Callable[[Sequence[float]], tuple[float, ...]]
    rescaled: tuple[Callable[[Sequence[Any]], tuple[Any, ...]], tuple[float, ...]] | None
    few: tuple[tuple[int, int, float], ...] | None
    counts: Callable[[Sequence[Any]], tuple[Any, ...]] | None
    unknown: int
    links: tuple[tuple[int, int, int, float], ...]  # position, link, signal index, factor
    counters: tuple[int, ...]
    lasting: tuple[int, ...]
    still: Callable[[Sequence[float]], bytes]


# The plan of the names of a message that a shape took (see schemas.shapes), its values, and what is still of them.
Fitted = tuple[Plan, Sequence[float], bytes]

_plans: dict[tuple[str, ...], Plan] = {}


_numbers: Final = count()


def _plan(names: tuple[str, ...]) -> Plan:
    slots: list[int] = []
    gates: list[tuple[float, float, float]] = []
    links: list[tuple[int, int, int, float]] = []
    wide: list[int] = []
    unknown = 0
    for position, name in enumerate(names):
        alias = ALIASES.get(name)
        if alias is None:
            link = link_alias(name)
            if link is None:
                unknown += 1
            else:
                links.append((position, link[1], link[0].signal.index, link[0].factor))
            slots.append(-1)
            gates.append((1.0, -inf, inf))
            continue
        signal = alias.signal
        sentinel = _INT64_BLANK if signal.kind == "counter" else _FP64_BLANK_LOW
        high = min(signal.high, sentinel * 0.999 * alias.factor)
        slots.append(signal.index)
        gates.append((alias.factor, signal.low, high))
        if high >= _INT32_BLANK_LOW * alias.factor:
            wide.append(position)
    where: dict[int, int] = {}
    for position, slot in enumerate(slots):
        if slot >= 0 and (slot not in where or ALIASES[names[position]].rank < ALIASES[names[where[slot]]].rank):
            where[slot] = position
    present = sorted(where)
    factors, lows, highs = zip(*gates, strict=True) if gates else ((), (), ())
    # Only what has another unit is multiplied: behind the raw values and the NaN lie the products.
    units = [position for position in where.values() if factors[position] != 1.0]
    place = {slot: len(names) + 1 + units.index(at) if at in units else at for slot, at in where.items()}
    number = next(_numbers)
    plan = Plan(
        slots=tuple(slots),
        factors=factors,
        lows=lows,
        highs=highs,
        arrange=itemgetter(*[place.get(slot, len(names)) for slot in range(len(SIGNALS))]),
        rescaled=(itemgetter(*units, units[0]), tuple(factors[position] for position in units)) if units else None,
        few=tuple((slot, position, factors[position]) for slot, position in where.items())
        if len(where) < _FEW
        else None,
        # itemgetter of one index gives no tuple: one that is asked for twice does.
        counts=itemgetter(*wide, wide[0]) if wide else None,
        unknown=unknown,
        links=tuple(links),
        counters=tuple(slot for slot in present if SIGNALS[slot].kind == "counter"),
        lasting=tuple(slot for slot in present if slot in _LASTING),
        still=_still(number, [where[slot] for slot in present if _stands_still(slot)]),
    )
    if len(_plans) >= _PLAN_LIMIT:  # a sender that never repeats its names must not fill the memory
        _plans.clear()
    if len(names) <= _PLANNED_NAMES:
        _plans[names] = plan
    return plan


def _stands_still(slot: int) -> bool:
    return slot not in MOVING and (SIGNALS[slot].kind == "counter" or slot in _LASTING)


def _still(number: int, positions: list[int]) -> Callable[[Sequence[float]], bytes]:
    """Return what packs the values at ``positions``, behind the number of the plan."""
    pack = Struct(f"<q{len(positions)}d").pack
    if not positions:
        return lambda raw: pack(number)
    if len(positions) == 1:
        (position,) = positions
        return lambda raw: pack(number, raw[position])
    picked = itemgetter(*positions)
    return lambda raw: pack(number, *picked(raw))


def plan_of(names: tuple[str, ...]) -> Plan:
    """Return the plan of a message's names."""
    return _plans.get(names) or _plan(names)


def is_blank(value: float) -> bool:
    """Tell whether ``value`` is one of NVIDIA's numeric sentinels: counters are given as blank as gauges are.

    >>> is_blank(140737488355328.0), is_blank(2147483634.0), is_blank(9223372036854775794.0), is_blank(2147483636.0)
    (True, True, True, False)
    """
    if _INT32_BLANK_LOW <= value <= _INT32_BLANK_HIGH or value >= _INT64_BLANK:
        return True
    return _FP64_BLANK_LOW <= value <= _FP64_BLANK_HIGH


def to_sample(raw: RawMessage, append_time: float, fitted: Fitted | None = None) -> Sample:
    """Return the sample of a decoded message appended at ``append_time`` (epoch s).

    Where a shape ``fitted``, its values stand for the message's metrics.

    Raises
    ------
    InvalidMessage
        The timestamp is not a time.
    """
    try:
        time = parse_time(raw.timestamp if raw.timestamp is not None else "")
    except (ValueError, OverflowError) as error:
        raise InvalidMessage(Reason.BAD_TIME, str(error)[:200]) from error
    metrics = raw.metrics
    blanks: Sequence[int] = ()
    dropped: list[tuple[str, str]] = []
    still = None
    if fitted is not None:
        plan, values, still = fitted
    else:
        names = tuple(metrics)
        plan = _plans.get(names) or _plan(names)
        fast = scale(plan, list(metrics.values()))
        if fast is not None:
            values = fast
        else:
            values = filled = _EMPTY.copy()
            blanks = _fill(filled, metrics, dropped)
    if values[_MEMORY_TEMP] == 0.0:  # exactly 0 is a part without the sensor (dcgm-exporter #460)
        values = _without(values, (_MEMORY_TEMP,))
        blanks = (*blanks, _MEMORY_TEMP)
    if values[_ECC_MODE] == 0.0:  # with ECC off every ECC zero is not a measurement
        values = _without(values, _ECC)
    if raw.refused:
        dropped.extend(raw.refused.items())
    labels = raw.labels or {}
    interval = raw.interval_seconds
    is_host = raw.gpu_id.startswith(HOST_PREFIX)
    return Sample(
        gpu_id=raw.gpu_id,
        host_id=raw.host_id or (raw.gpu_id[len(HOST_PREFIX) :] if is_host else ""),
        time=time,
        append_time=append_time,
        values=values,
        blanks=tuple(blanks),
        links=_links(plan, metrics) if plan.links else None,
        events=_events(raw.events, time) if raw.events else (),
        labels=labels,
        interval_seconds=interval if interval is not None and 0.0 < interval <= 86_400.0 else None,
        source=raw.source,
        unknown=0 if is_host else plan.unknown,
        dropped=tuple(dropped),
        has_metrics=fitted is not None or bool(metrics),
        counters=plan.counters,
        lasting=plan.lasting,
        history=labels.get("history") == "true" if labels else False,
        is_host=is_host,
        host_facts=_host_facts(metrics) if is_host else None,
        still=still,
    )


def _without(values: Sequence[float], slots: Sequence[int]) -> Sequence[float]:
    kept = list(values)
    for slot in slots:
        kept[slot] = nan
    return kept


def scale(plan: Plan, raw: Sequence[Any]) -> Sequence[float] | None:
    """Return the values of an ordinary message, None where any of them needs a closer look."""
    try:
        of_ranges = list(map(mul, raw, plan.factors))
        if not (all(map(le, plan.lows, of_ranges)) and all(map(le, of_ranges, plan.highs))):
            return None
    except TypeError:  # a text or a null
        return None
    return scaled(plan, raw) if free_of_sentinels(plan, raw) else None


def free_of_sentinels(plan: Plan, raw: Sequence[Any]) -> bool:
    """Whether no value is a sentinel that lies within its signal's range."""
    return plan.counts is None or _SENTINELS.isdisjoint(plan.counts(raw))


def scaled(plan: Plan, raw: Sequence[float]) -> Sequence[float]:
    """Return numbers within their ranges by signal index, in canonical units."""
    if plan.few is None:
        if plan.rescaled is None:
            return plan.arrange((*raw, nan))
        picked, factors = plan.rescaled
        return plan.arrange((*raw, nan, *map(mul, picked(raw), factors)))
    values = _EMPTY.copy()
    for slot, position, factor in plan.few:
        values[slot] = raw[position] * factor
    return values


def _fill(values: list[float], metrics: dict[str, MetricValue], dropped: list[tuple[str, str]]) -> list[int]:
    """Check and fill value by value; return the blank signals, append refusals to ``dropped``.

    Of several names of a signal the first by rank that has a value counts, whatever their order in the message.
    """
    blanks: list[int] = []
    ranks: dict[int, int] = {}
    for name, raw in metrics.items():
        alias = ALIASES.get(name)
        if alias is None:
            continue
        signal = alias.signal
        number: float | None
        if raw is None:
            number = None
        elif isinstance(raw, str):
            text = raw.strip().lower()
            if text in _BLANK_TEXTS:
                number = None
            else:
                try:
                    number = float(text)
                except ValueError:
                    dropped.append((name, "not_a_number"))
                    continue
        else:
            number = raw
        if number is None or (isfinite(number) and is_blank(number)):
            blanks.append(signal.index)
            continue
        if signal.low < 0.0 and _UINT32 + signal.low <= number < _UINT32:
            number -= _UINT32
        value = number * alias.factor
        if signal.low <= value <= signal.high:
            if alias.rank <= ranks.get(signal.index, alias.rank):
                ranks[signal.index] = alias.rank
                values[signal.index] = value
        else:
            dropped.append((name, "out_of_range" if isfinite(number) else "not_finite"))
    return [slot for slot in dict.fromkeys(blanks) if slot not in ranks]


def _links(plan: Plan, metrics: dict[str, MetricValue]) -> dict[int, dict[int, float]]:
    found = list(metrics.values())
    links: dict[int, dict[int, float]] = {}
    for position, link, index, factor in plan.links:
        value = found[position]
        if isinstance(value, float) and value >= 0 and not is_blank(value):
            links.setdefault(link, {})[index] = value * factor
    return links


def _host_facts(metrics: dict[str, MetricValue]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if isinstance(value, float)}


def _events(events: list[RawEvent], sample_time: float) -> tuple[Event, ...]:
    taken: list[Event] = []
    for event in events:
        time = sample_time
        if event.timestamp is not None:
            try:
                time = parse_time(event.timestamp)
            except (ValueError, OverflowError):
                time = sample_time  # an event without a usable clock happened when it was told
            if time > sample_time + CLOCK_AHEAD_SECONDS:
                time = sample_time
        taken.append(Event(event.type, event.code, event.pci_bus_id, event.line or "", time))
    return tuple(taken)
