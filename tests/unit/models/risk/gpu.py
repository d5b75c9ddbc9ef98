"""A GPU's state driven by plain samples."""

from __future__ import annotations

from models.gpu.evidence import Evidence
from models.gpu.state import GpuState
from models.health.profile import Profile, load_profile
from models.risk.online import RiskModel, prior_model
from models.risk.serving import Risk, assess
from schemas.raw import MetricValue, RawMessage
from schemas.sample import Sample, to_sample

START = 1_770_638_400.0  # 2026-02-09T12:00:00Z, a full hour
HEALTHY = {
    "gpu_temp_celsius": 60.0,
    "power_usage_watts": 500.0,
    "sm_active_ratio": 0.9,
    "ecc_sbe_volatile_total": 0.0,
    "ecc_dbe_volatile_total": 0.0,
    "row_remap_failed": 0.0,
    "clocks_event_reasons": 0.0,
}


def sample(time: float, interval: float = 10.0, **changed: float) -> Sample:
    """Return a healthy H100's sample at ``time`` with some values changed."""
    metrics: dict[str, MetricValue] = {**HEALTHY, **changed}
    labels = {"model": "NVIDIA H100 80GB HBM3"}
    raw = RawMessage(
        timestamp=time, gpu_id="GPU-1", host_id="host-1", metrics=metrics, labels=labels, interval_seconds=interval
    )
    return to_sample(raw, time)


class Gpu:
    """One GPU with its side inputs; ``run`` feeds samples and returns the risk after the last."""

    def __init__(self, model: RiskModel | None = None, profile: Profile | None = None) -> None:
        self.model = model or prior_model()
        self.profile = profile or load_profile(None)
        self.state = GpuState("GPU-1", "host-1")
        self.now = START

    def run(self, seconds: float, *, step: float = 10.0, deployed_at: float | None = None, **changed: float) -> Risk:
        end = self.now + seconds
        while self.now < end:
            self.now += step
            self.state.update(sample(self.now, step, **changed))
            assess(self.state, self.model, self.profile, deployed_at)
        return assess(self.state, self.model, self.profile, deployed_at)

    @property
    def risk(self) -> Risk:
        """The risk after the last sample."""
        assert self.state.risk is not None
        return self.state.risk

    def note(self, kind: str, at: float | None = None) -> None:
        """Put evidence of ``kind`` at ``at``, as a rule or an XID would."""
        time = self.now if at is None else at
        found = self.state.evidence.get(kind)
        if found is None:
            self.state.evidence[kind] = Evidence(time, history=False)
        else:
            found.last_at = time
