"""What the simulated hosts work on: jobs of some hours, one after the other, each host its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collectors.simulator.chance import Floats, uniform

EPOCH: Final = datetime(2025, 1, 1, tzinfo=UTC).timestamp()

IDLE: Final = 0
INFERENCE: Final = 1
TRAINING: Final = 2

_JOB_HOURS: Final = (4.0, 10.0)
_IDLE_SHARE: Final = 0.12
_INFERENCE_SHARE: Final = 0.30
_HOUR_SECONDS: Final = 3_600.0
# of the power range between idle and limit
_POWER_SHARE: Final = ((0.0, 0.02), (0.35, 0.60), (0.80, 0.95))
_UTILISATION: Final = ((0.0, 0.0), (0.35, 0.75), (0.93, 0.99))
BUSY_POWER_SHARE: Final = 0.85


@dataclass(frozen=True, slots=True)
class Load:
    """Load of some GPUs at some times; every array has the shape (GPUs, times).

    ``share`` is power as a share of the range from idle to limit, ``share_before`` that of the job before,
    ``since_seconds`` the time since the job began, ``share_seconds`` the integral of ``share`` since the
    epoch of the fleet.
    """

    job: Floats
    kind: NDArray[np.int64]
    utilisation: Floats
    share: Floats
    share_before: Floats
    since_seconds: Floats
    share_seconds: Floats


class Schedule:
    """The jobs of all hosts of one seed, with running sums, made as far as they are asked for."""

    def __init__(self, seed: int, hosts: int) -> None:
        self._seed = seed
        index = np.arange(hosts, dtype=np.float64)
        low, high = _JOB_HOURS
        self._job_seconds = np.round(_HOUR_SECONDS * (low + (high - low) * uniform(seed, 11, index)))
        self._phase = np.floor(self._job_seconds * uniform(seed, 12, index))
        self._sums = np.zeros((hosts, 0))

    def load(self, hosts: NDArray[np.int64], busy: NDArray[np.bool_], times: Floats) -> Load:
        """Return the load of GPUs on ``hosts`` at ``times`` (epoch s, not before 2025); ``busy`` ones never rest."""
        since_epoch = times[None, :] - EPOCH + self._phase[hosts][:, None]
        job_seconds = self._job_seconds[hosts][:, None]
        job = np.floor(since_epoch / job_seconds)
        since = since_epoch - job * job_seconds
        host = hosts[:, None].astype(np.float64)
        self._extend(int(job.max()) + 1)
        kind, share, utilisation = self._jobs(host, job)
        _, before, _ = self._jobs(host, job - 1)
        sums = self._sums[hosts[:, None], job.astype(np.int64)] + share * since
        always = busy[:, None]
        return Load(
            job=job,
            kind=np.where(always, TRAINING, kind),
            utilisation=np.where(always, 0.97, utilisation),
            share=np.where(always, BUSY_POWER_SHARE, share),
            share_before=np.where(always, BUSY_POWER_SHARE, before),
            since_seconds=since,
            share_seconds=np.where(always, BUSY_POWER_SHARE * since_epoch, sums),
        )

    def _jobs(self, host: Floats, job: Floats) -> tuple[NDArray[np.int64], Floats, Floats]:
        chance = uniform(self._seed, 13, host, job)
        kind = np.where(
            chance < _IDLE_SHARE, IDLE, np.where(chance < _IDLE_SHARE + _INFERENCE_SHARE, INFERENCE, TRAINING)
        )
        where = uniform(self._seed, 14, host, job)
        power, use = np.array(_POWER_SHARE)[kind], np.array(_UTILISATION)[kind]
        share = power[..., 0] + (power[..., 1] - power[..., 0]) * where
        utilisation = use[..., 0] + (use[..., 1] - use[..., 0]) * where
        return kind, share, utilisation

    def _extend(self, jobs: int) -> None:
        """Make ``_sums[host, job]``, the integral of the share up to the job's begin, reach ``jobs``."""
        if self._sums.shape[1] >= jobs:
            return
        count = jobs + 256
        host = np.arange(len(self._job_seconds), dtype=np.float64)[:, None]
        _, share, _ = self._jobs(host, np.arange(count, dtype=np.float64)[None, :])
        ends = np.cumsum(share * self._job_seconds[:, None], axis=1)
        self._sums = np.concatenate((np.zeros((len(host), 1)), ends[:, :-1]), axis=1)
