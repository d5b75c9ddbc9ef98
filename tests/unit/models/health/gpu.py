"""A GPU to test with: samples by canonical signal names, fed as role score does."""

from __future__ import annotations

from models.gpu.minute import LoadModel
from models.gpu.state import GpuState
from models.health import evidence
from models.health.overall import Scores, score
from models.health.profile import Profile, load_profile
from schemas.raw import MetricValue, RawMessage
from schemas.sample import Sample, to_sample

START = 1_770_595_200.0  # 2026-02-09T00:00:00Z
PROFILE = load_profile(None)
HEALTHY: dict[str, MetricValue] = {
    "gpu_temp_celsius": 60.0,
    "memory_temp_celsius": 65.0,
    "power_usage_watts": 300.0,
    "sm_active_ratio": 0.9,
    "sm_clock_hertz": 1.7e9,
    "clocks_event_reasons": 0.0,
    "energy_joules_total": 1000.0,
    "ecc_sbe_volatile_total": 0.0,
    "ecc_dbe_volatile_total": 0.0,
    "row_remap_failed": 0.0,
    "row_remap_pending": 0.0,
}


def sample(
    time: float,
    metrics: dict[str, MetricValue],
    *,
    interval: float | None = None,
    labels: dict[str, str] | None = None,
) -> Sample:
    """Return the sample of ``metrics`` at ``time``."""
    raw = RawMessage(
        timestamp=time, gpu_id="GPU-1", host_id="host-1", metrics=metrics, interval_seconds=interval, labels=labels
    )
    return to_sample(raw, time)


class Gpu:
    """A GPU whose state takes samples at a fixed interval; ``set`` changes what it reports."""

    def __init__(
        self,
        metrics: dict[str, MetricValue] | None = None,
        *,
        interval: float = 10.0,
        profile: Profile = PROFILE,
        load_model: LoadModel | None = None,
    ) -> None:
        self.state = GpuState("GPU-1", "host-1")
        self.metrics = dict(HEALTHY if metrics is None else metrics)
        self.interval = interval
        self.profile = profile
        self.load_model = load_model
        self.time = START - interval

    def set(self, **changes: float | None) -> Gpu:
        """Report other values from the next sample on; None: no longer report the signal."""
        for name, value in changes.items():
            if value is None:
                self.metrics.pop(name, None)
            else:
                self.metrics[name] = value
        return self

    def run(self, seconds: float) -> Scores:
        """Send samples for ``seconds``; return the scores after the last one."""
        end = self.time + seconds
        scores = None
        while self.time < end - 1e-6:
            scores = self.tick()
        assert scores is not None
        return scores

    def tick(self) -> Scores:
        """Send one sample; return the scores after it."""
        self.time += self.interval
        energy = self.metrics.get("energy_joules_total")
        if isinstance(energy, float):
            watts = self.metrics.get("power_usage_watts")
            self.metrics["energy_joules_total"] = (
                energy + (watts if isinstance(watts, float) else 0.0) * self.interval
            )
        self.state.update(sample(self.time, dict(self.metrics), interval=self.interval), self.load_model)
        evidence.observe(self.state, self.profile)
        return score(self.state, self.profile)

    def reset(self) -> None:
        """Start the driver counters afresh: two samples in which they stand below where they were."""
        for name in ("energy_joules_total", "ecc_sbe_volatile_total", "ecc_dbe_volatile_total"):
            if name in self.metrics:
                self.metrics[name] = 0.0
        self.tick()
        self.tick()
