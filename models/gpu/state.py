"""The state of one GPU: what a sample changes, at O(1)."""

from __future__ import annotations

from math import nan
from sys import intern
from typing import TYPE_CHECKING, Final

from models.gpu.counters import Counters
from models.gpu.hour import ClosedHour
from models.gpu.minute import LoadModel, OpenMinute
from models.gpu.published import Published
from models.gpu.remembered import Remembered
from schemas.sample import Sample
from schemas.signals import SIGNALS

if TYPE_CHECKING:
    from models.alerts.alert_state import AlertState
    from models.health.overall import Scores
    from models.health.steady import Steady
    from models.risk.serving import Risk

__all__ = ["ClosedHour", "Evidence", "GpuState", "LoadModel"]

DEFAULT_INTERVAL_SECONDS: Final = 10.0
LEAST_GAP_SECONDS: Final = 40.0
GAP_INTERVALS: Final = 4.0


class Evidence:
    """Hard evidence of one kind.

    Attributes
    ----------
    first_at, last_at
        Event time of the first and of the last time, epoch s.
    count
        How often it was noted.
    reset_seen
        Whether a counter epoch began after the last time.
    loaded_mark
        The GPU's ``loaded_seconds`` at the last time or at the reset after it: clean time counts from there.
    history
        Whether all of it was before the system looked.
    """

    __slots__ = ("count", "first_at", "history", "last_at", "loaded_mark", "reset_seen")

    def __init__(self, at: float, *, history: bool) -> None:
        self.first_at = at
        self.last_at = at
        self.count = 0
        self.reset_seen = False
        self.loaded_mark = 0.0
        self.history = history


class GpuState(OpenMinute):
    """Everything kept of one GPU (or host).

    The attributes that the scores, the risk and the rules read:

    time, append_time, interval_seconds
        Of the last sample that carried metrics; epoch s, s.
    weight_seconds
        Time that the last sample stands for.
    gap_seconds
        Unobserved time before the last sample (0: none).
    values
        The last sample's values by signal index, NaN where not measured.
    lasting
        Last measured value of constants, states and lifetime counts.
    increments
        Increments of the last sample by signal index.
    reset_seen, replaced
        Whether the last sample began a counter epoch; lifetime counters that fell.
    thermal_seconds, hw_thermal_seconds, brake_seconds
        Of the last sample; NaN where nothing tells.
    load_ratio
        SM activity, else utilisation, NaN where neither is measured.
    open, open_known
        The open hour: see :mod:`models.gpu.windows`.
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
        "counters",
        "digests",
        "evidence",
        "first_append_time",
        "first_time",
        "gpu_id",
        "history",
        "host_facts",
        "host_id",
        "interval_seconds",
        "is_host",
        "labels",
        "late_samples",
        "published",
        "remembered",
        "replaced",
        "risk",
        "samples",
        "scores",
        "shown",
        "steady",
        "values",
        "weight_seconds",
        "xid_gauge",
    )

    def __init__(self, gpu_id: str, host_id: str, *, is_host: bool = False) -> None:
        super().__init__()
        self.gpu_id = gpu_id
        self.host_id = host_id
        self.is_host = is_host
        self.labels: dict[str, str] = {}
        self.first_time = nan
        self.first_append_time = nan
        self.append_time = nan
        self.interval_seconds = DEFAULT_INTERVAL_SECONDS
        self.weight_seconds = 0.0
        self.history = False
        self.samples = 0
        self.late_samples = 0
        self.values: list[float] = [nan] * len(SIGNALS)
        self.counters = Counters()
        self.replaced: tuple[int, ...] = ()
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

    # -- the step of a sample ------------------------------------------------------------------------------

    def update(self, sample: Sample, load_model: LoadModel | None = None) -> ClosedHour | None:
        """Take a sample newer than the last one; return the hour that it closed, if it closed one."""
        time = sample.time
        values = sample.values
        interval = sample.interval_seconds or DEFAULT_INTERVAL_SECONDS
        last = self.time
        self.gap_seconds = 0.0
        if last == last:
            elapsed = time - last
            longest = interval if interval > self.interval_seconds else self.interval_seconds
            limit = GAP_INTERVALS * longest
            if elapsed > limit and elapsed > LEAST_GAP_SECONDS:
                weight = min(interval, elapsed)
                self.gap_seconds = elapsed - weight
            else:
                weight = elapsed
        else:
            elapsed = weight = interval
            self.first_time = time
            self.first_append_time = sample.append_time
        self.interval_seconds = interval
        closed = None
        minute = int(time) // 60
        if minute != self._minute:
            if self._minute_count:
                self._close_minute(load_model)
            self._minute = minute
            hour = minute // 60
            if hour != self.windows.hour:
                closed = self._open_hour(hour)
        self.time = time
        self.append_time = sample.append_time
        self.weight_seconds = weight
        self.history = sample.history
        self.samples += 1
        self.open_samples += 1
        self.open_gap_seconds += self.gap_seconds
        self.values = values
        if sample.lasting:
            self._keep_lasting(sample)
        if sample.labels and sample.labels != self.labels:
            # Models, drivers and namespaces are the same text on thousands of GPUs.
            self.labels = {intern(name): intern(text) for name, text in sample.labels.items()}
            self.evidence_dirty = True
        if sample.host_id and sample.host_id != self.host_id:
            self.host_id = sample.host_id
            self.evidence_dirty = True
        self.increments, self.reset_seen, self.replaced = self.counters.update(values, sample.counters)
        self._accumulate(values, weight)
        return closed

    def _keep_lasting(self, sample: Sample) -> None:
        lasting = self.lasting
        values = sample.values
        for slot in sample.lasting:
            value = values[slot]
            if value != lasting[slot] and value == value:
                lasting[slot] = value
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
