"""The state of one GPU: its parts, and what a sample changes in them, at O(1).

With thousands of GPUs a step waits for memory more than it computes. So what a sample touches lies in a few short
lists, what GPUs have alike is one object, and of the last sample little is kept.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from math import nan
from operator import itemgetter
from struct import Struct
from typing import TYPE_CHECKING, ClassVar, Final

from models.gpu.columns import (
    CORRECTED,
    HOUR_SECONDS,
    LINK_ERRORS,
    MINUTE_SECONDS,
    SRAM_CORRECTED,
    UNCORRECTED,
    Buckets,
)
from models.gpu.counters import Counters
from models.gpu.departure import Departure
from models.gpu.evidence import Evidence
from models.gpu.gaps import DEFAULT_INTERVAL_SECONDS, weight_and_gap
from models.gpu.hour import LOADED_RATIO, ClosedHour, OpenHour
from models.gpu.margin import is_believed
from models.gpu.minute import COUNT, LoadModel, OpenMinute
from models.gpu.published import Published
from models.gpu.remembered import Remembered
from models.gpu.shared import shared_labels, shared_lasting
from models.gpu.slots import (
    DBE,
    ENERGY,
    GPU_TEMP,
    GPU_UTIL,
    GR_ACTIVE,
    LINK_COUNTERS,
    MEM_TEMP,
    POWER_USAGE,
    SBE,
    SM_ACTIVE,
    SM_CLOCK,
    SRAM_SBE,
    STATUS_SLOTS,
    TEMP_MARGIN,
    TEMP_SLOWDOWN,
)
from models.gpu.throttling import of_the_sample, throttled
from models.gpu.windows import Windows
from schemas.sample import Sample
from schemas.signals import SIGNALS

if TYPE_CHECKING:
    from models.alerts.alert_state import AlertState
    from models.health.overall import Scores
    from models.health.steady import Steady
    from models.risk.serving import Risk

__all__ = ["ClosedHour", "GpuState", "LoadModel"]

_INCREMENT_COLUMN: Final = {
    SBE: CORRECTED,
    DBE: UNCORRECTED,
    SRAM_SBE: SRAM_CORRECTED,
    **dict.fromkeys(LINK_COUNTERS, LINK_ERRORS),
}
_MINUTES_AN_HOUR: Final = HOUR_SECONDS // MINUTE_SECONDS
_OWN: Final = Struct("<12d")
_NEVER: Final = (nan,) * len(SIGNALS)
_shown: Final = itemgetter(*STATUS_SLOTS)
_NOTHING_SHOWN: Final = (nan,) * len(STATUS_SLOTS)


class GpuState:
    """Everything kept of one GPU (or host).

    Its parts:

    minute
        The open minute: :class:`models.gpu.minute.OpenMinute`.
    hour
        The open hour, and values over the windows and it: :class:`models.gpu.hour.OpenHour`.
    windows
        Closed hours and days: :class:`models.gpu.windows.Windows`.
    counters
        Last values of counters: :class:`models.gpu.counters.Counters`.

    The attributes that the scores, the risk and the rules read:

    time, append_time, interval_seconds
        Of the last sample that carried metrics; epoch s, s.
    weight_seconds
        Time that the last sample stands for.
    gap_seconds
        Unobserved time before the last sample (0: none).
    values
        The last sample's values by signal index, NaN where not measured; none after :meth:`settle`.
    status_values
        Those that a status shows, by place in :data:`models.gpu.slots.STATUS_SLOTS`; not kept.
    still
        What most often stays as it is, as the last sample had it: ``Sample.still``; not kept.
    lasting
        Last measured value of constants, states and lifetime counts, by signal index.
    lasting_changes
        How often one of them changed since the state was made or restored.
    increments
        Increments of the last sample by signal index.
    reset_seen, replaced
        Whether the last sample began a counter epoch; lifetime counters that fell.
    thermal_seconds, hw_thermal_seconds, brake_seconds
        Of the last sample; NaN where nothing tells.
    load_ratio
        SM activity, else utilisation, NaN where neither is measured.
    energy_time
        When the energy counter rose last, epoch s; NaN: never.
    loaded_seconds
        Time under load since the GPU was first seen; it never falls.
    pending_rows
        Hours that closed after the window record was written: their number, their row, the hour opened then.
    evidence_dirty
        Whether the evidence record is older than the state.
    evidence
        Hard evidence by kind: ``dbe``, ``xid:<code>``, ``lost``, ...
    alerts
        State of the rules that are not inactive, by key; owned by models.alerts.
    published
        What was published last, by kind of record.
    remembered
        What the scores, the risk and the rules remember beyond the windows.
    risk
        Cache of models.risk.serving; not kept, a function of the rest.
    scores
        Health scores as of the last sample; None until the first one (after a restore too).
    steady
        Within which bounds scores and risk stay as they are; not kept, None where each sample moves them.
    shown
        The scores that the last status was decided from; not kept.
    host_facts
        Of a host: its facts by name, as last told.
    """

    __slots__ = (
        "alerts",
        "append_time",
        "brake_seconds",
        "clock_ahead_seconds",
        "counters",
        "departure",
        "digests",
        "energy_time",
        "evidence",
        "evidence_dirty",
        "first_append_time",
        "first_time",
        "gap_seconds",
        "gpu_id",
        "heard_at",
        "history",
        "host_facts",
        "host_id",
        "hour",
        "hw_thermal_seconds",
        "increments",
        "interval_seconds",
        "is_host",
        "labels",
        "lasting",
        "lasting_changes",
        "late_samples",
        "load_ratio",
        "loaded_seconds",
        "minute",
        "pending_rows",
        "published",
        "remembered",
        "replaced",
        "reset_seen",
        "risk",
        "samples",
        "scores",
        "shown",
        "status_values",
        "steady",
        "still",
        "thermal_seconds",
        "time",
        "values",
        "weight_seconds",
        "windows",
        "xid_gauge",
    )
    BLOCKS: ClassVar = (12,)

    def __init__(self, gpu_id: str, host_id: str, *, is_host: bool = False) -> None:
        self.gpu_id = gpu_id
        self.host_id = host_id
        self.is_host = is_host
        self.minute = OpenMinute()
        self.hour = OpenHour()
        self.windows = Windows()
        self.counters = Counters()
        self.pending_rows: list[tuple[int, Buckets, int]] = []
        self.evidence_dirty = True
        self.labels: dict[str, str] = {}
        self.first_time = nan
        self.first_append_time = nan
        self.time = nan
        self.append_time = nan
        self.interval_seconds = DEFAULT_INTERVAL_SECONDS
        self.weight_seconds = 0.0
        self.gap_seconds = 0.0
        self.history = False
        self.samples = 0
        self.late_samples = 0
        self.values: Sequence[float] = _NEVER
        self.status_values: Sequence[float] = _NOTHING_SHOWN
        self.still: bytes | None = None
        self.lasting: tuple[float, ...] = _NEVER
        self.lasting_changes = 0
        self.increments: dict[int, float] = {}
        self.reset_seen = False
        self.replaced: tuple[int, ...] = ()
        self.thermal_seconds = nan
        self.hw_thermal_seconds = nan
        self.brake_seconds = nan
        self.load_ratio = nan
        self.loaded_seconds = 0.0
        self.energy_time = nan
        self.xid_gauge = nan
        self.digests: list[str] = []
        self.evidence: dict[str, Evidence] = {}
        self.alerts: dict[str, AlertState] = {}
        self.published = Published()
        self.remembered = Remembered()
        self.risk: Risk | None = None
        self.scores: Scores | None = None
        self.steady: Steady | None = None
        self.shown: Scores | None = None
        self.host_facts: dict[str, float] = {}
        self.departure: Departure | None = None
        self.heard_at = nan
        self.clock_ahead_seconds = 0.0

    @property
    def heard(self) -> float:
        """Return the append time of the newest message (epoch s), be it taken, late or refused."""
        return self.heard_at if self.heard_at > self.append_time or not self.samples else self.append_time

    # -- the step of a sample ------------------------------------------------------------------------------

    def update(self, sample: Sample, load_model: LoadModel | None = None) -> ClosedHour | None:
        """Take a sample newer than the last one; return the hour that it closed, if it closed one."""
        time = sample.time
        values = sample.values
        interval = sample.interval_seconds or DEFAULT_INTERVAL_SECONDS
        last = self.time
        if last == last:
            weight, gap = weight_and_gap(time - last, interval, self.interval_seconds)
        else:
            weight, gap = interval, 0.0
            self.first_time = time
            self.first_append_time = sample.append_time
        closed = None
        number = int(time) // MINUTE_SECONDS
        if number != self.minute.number:
            closed = self._open_minute(number, load_model)
        self.interval_seconds = interval
        self.gap_seconds = gap
        self.time = time
        self.append_time = sample.append_time
        self.weight_seconds = weight
        self.history = sample.history
        self.samples += 1
        self.values = values
        if sample.labels and sample.labels != self.labels:
            self.labels = shared_labels(sample.labels)
            self.evidence_dirty = True
        if sample.host_id and sample.host_id != self.host_id:
            self.host_id = sample.host_id
            self.evidence_dirty = True
        still = sample.still
        increments = self.counters.moving(values) if still is not None and still == self.still else None
        if increments is not None:
            self.reset_seen = False
            self.replaced = ()
        else:
            self.still = still
            if sample.lasting:
                self._keep_lasting(sample)
            increments, self.reset_seen, self.replaced = self.counters.update(values, sample.counters)
        self.increments = increments
        self._accumulate(values, weight, gap, increments)
        return closed

    def settle(self) -> None:
        """Forget the last sample's values, once the step has read them, but for what a status shows.

        They hold a float object each; freed now they are still in the cache, at the GPU's next sample they would
        be fetched only to be freed. So between two samples a state knows what it knows after a restore.
        """
        if self.values is not _NEVER:
            self.status_values = array("d", _shown(self.values))
            self.values = _NEVER

    def pack(self) -> bytes:
        """Return the state's own block of the hot record."""
        return _OWN.pack(
            self.first_time,
            self.first_append_time,
            self.time,
            self.append_time,
            self.interval_seconds,
            self.xid_gauge,
            self.loaded_seconds,
            self.energy_time,
            self.samples,
            self.late_samples,
            self.windows.hour,
            self.windows.day,
        )

    def unpack(self, blocks: Sequence[Sequence[float]]) -> None:
        """Take what :meth:`pack` gave."""
        (block,) = blocks
        self.first_time, self.first_append_time, self.time, self.append_time = block[:4]
        self.interval_seconds, self.xid_gauge, self.loaded_seconds, self.energy_time = block[4:8]
        self.samples, self.late_samples, self.windows.hour, self.windows.day = map(int, block[8:12])

    def _open_minute(self, number: int, load_model: LoadModel | None) -> ClosedHour | None:
        """Close the open minute, and the open hour where ``number`` lies in another."""
        minute, windows = self.minute, self.windows
        if minute.sums[COUNT]:
            minute.close(self.hour.sums, load_model, self.lasting)
        minute.number = number
        hour = number // _MINUTES_AN_HOUR
        if hour == windows.hour:
            return None
        if windows.hour < 0:
            windows.begin(hour)
            return None
        closed = self.hour.close(windows.hour)
        # The window record is written later in the hour; until then the row travels with the evidence.
        self.pending_rows.append((closed.hour, closed.row, hour))
        self.evidence_dirty = True
        windows.close_hour(closed.row, hour)
        return closed

    def _accumulate(self, values: Sequence[float], weight: float, gap: float, increments: dict[int, float]) -> None:
        """Add one sample's values, which stand for ``weight`` seconds, to the open minute and hour."""
        time = self.time
        hour = self.hour
        hour.samples += 1
        if gap:
            hour.gap_seconds += gap
        own = increments
        if increments and (gap > 0.0 or self.reset_seen):
            own = of_the_sample(increments, weight, gap, self.reset_seen)
        thermal, self.hw_thermal_seconds, brake = throttled(values, weight, own)
        self.thermal_seconds = thermal
        self.brake_seconds = brake
        hour.add_throttling(weight, thermal, brake, time)
        load = values[SM_ACTIVE]
        if load != load:
            load = values[GPU_UTIL]
            if load != load:
                load = values[GR_ACTIVE]
        self.load_ratio = load
        if load >= LOADED_RATIO:
            self.loaded_seconds += weight
        temp = values[GPU_TEMP]
        memory = values[MEM_TEMP]
        margin = values[TEMP_MARGIN]
        if margin <= 0.0 and not is_believed(temp, thermal, self.lasting[TEMP_SLOWDOWN]):
            margin = nan
        power = values[POWER_USAGE]
        if increments:
            energy = increments.get(ENERGY)
            if energy is not None:
                # The true mean since the counter last rose, whatever the sensor's own window; a bad read in
                # between makes that more than one sample.
                since = time - self.energy_time
                if since > 0.0 and not self.reset_seen:
                    power = energy / since
                self.energy_time = time
            sums = hour.sums
            for slot, increment in increments.items():
                column = _INCREMENT_COLUMN.get(slot)
                if column is not None:
                    sums[column] += increment
        hour.add(weight, temp, memory, margin, load, power)
        self.minute.add(temp, memory, margin, load, power, values[SM_CLOCK])

    def _keep_lasting(self, sample: Sample) -> None:
        lasting = self.lasting
        values = sample.values
        for slot in sample.lasting:
            value = values[slot]
            if value != lasting[slot] and value == value:
                self.learn({slot: values[slot] for slot in sample.lasting if values[slot] == values[slot]})
                return

    def learn(self, lasting: Mapping[int, float]) -> None:
        """Take lasting values by signal index, of which at least one is new."""
        values = list(self.lasting)
        for slot, value in lasting.items():
            values[slot] = value
        self.lasting = shared_lasting(values)
        self.lasting_changes += 1
        self.evidence_dirty = True

    def note(self, kind: str, at: float, *, history: bool) -> None:
        """Keep ``kind`` as evidence of ``at`` (epoch s); one more time starts its clean time afresh."""
        item = self.evidence.get(kind)
        if item is None:
            item = self.evidence[kind] = Evidence(at, history=history)
        else:
            item.last_at = max(item.last_at, at)
            item.history = item.history and history
        item.count += 1
        item.reset_seen = False
        item.loaded_mark = self.loaded_seconds
        self.evidence_dirty = True
