"""Incidents told in a few lines, and the raw messages that they are.

``input.json`` of a case: ``interval_seconds``, ``gpus``, and ``steps``, each one of

``{"run_seconds": s, "set": {...}, "per_second": {...}, "only": gpu}``
    Regular samples for s seconds; ``set`` lasts, ``per_second`` counts up while it runs.
``{"once": {...}}``
    One sample with these values, which do not last.
``{"xids": [[seconds, code, line], ...]}``
    Messages that carry one XID of the first GPU each, ``seconds`` after the last sample.
``{"storm": {"code": c, "text": "... {line} ...", "lines": n, "apart_seconds": s}}``
    The same, n times.
``{"silent_seconds": s}``
    Nothing comes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

START = 1_770_638_400.0

# A healthy H100 at work, as an exporter with the ECC and remapping fields tells it.
HEALTHY: dict[str, float] = {
    "DCGM_FI_DEV_GPU_TEMP": 60.0,
    "DCGM_FI_DEV_MEMORY_TEMP": 72.0,
    "DCGM_FI_DEV_POWER_USAGE": 520.0,
    "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION": 5e12,
    "DCGM_FI_DEV_SM_CLOCK": 1755.0,
    "DCGM_FI_DEV_GPU_UTIL": 95.0,
    "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS": 0.0,
    "DCGM_FI_DEV_XID_ERRORS": 0.0,
    "DCGM_FI_DEV_ECC_SBE_VOL_TOTAL": 4.0,
    "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL": 0.0,
    "DCGM_FI_DEV_ECC_SBE_AGG_TOTAL": 310.0,
    "DCGM_FI_DEV_ECC_DBE_AGG_TOTAL": 0.0,
    "DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS": 0.0,
    "DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS": 0.0,
    "DCGM_FI_DEV_ROW_REMAP_FAILURE": 0.0,
    "DCGM_FI_DEV_ROW_REMAP_PENDING": 0.0,
    "DCGM_FI_DEV_PCIE_REPLAY_COUNTER": 12.0,
    "DCGM_FI_DEV_FB_USED": 70000.0,
    "DCGM_FI_DEV_FB_FREE": 10000.0,
}
_RATES = {"DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION": 520_000.0}


@dataclass
class Message:
    """One raw message and when it was appended (epoch s)."""

    value: bytes
    time: float


@dataclass
class Scenario:
    """Expands the steps of a case."""

    interval_seconds: float
    gpus: list[str]
    steps: list[dict[str, Any]]
    now: float = START
    values: dict[str, dict[str, float]] = field(default_factory=dict)

    def messages(self) -> Iterator[Message]:
        """Yield the messages in the order in which they are sent."""
        self.values = {gpu: dict(HEALTHY) for gpu in self.gpus}
        for step in self.steps:
            if "run_seconds" in step:
                yield from self._run(step)
            elif "once" in step:
                yield from self._tick(self.gpus, {}, step["once"])
            elif "xids" in step:
                yield from self._xids(step["xids"])
            elif "storm" in step:
                storm = step["storm"]
                texts = [storm["text"].format(line=line) for line in range(storm["lines"])]
                apart = storm["apart_seconds"]
                yield from self._xids([(apart * line, storm["code"], text) for line, text in enumerate(texts)])
            else:
                self.now += step["silent_seconds"]

    def _run(self, step: dict[str, Any]) -> Iterator[Message]:
        gpus = [step["only"]] if "only" in step else self.gpus
        for gpu in gpus:
            self.values[gpu].update(step.get("set", {}))
        for _ in range(round(step["run_seconds"] / self.interval_seconds)):
            yield from self._tick(gpus, step.get("per_second", {}), {})

    def _tick(self, gpus: list[str], rates: dict[str, float], once: dict[str, float]) -> Iterator[Message]:
        self.now += self.interval_seconds
        for gpu in gpus:
            values = self.values[gpu]
            for name, rate in {**_RATES, **rates}.items():
                values[name] += rate * self.interval_seconds
            yield self._message(gpu, self.now, {**values, **once}, [])

    def _xids(self, xids: list[tuple[float, int, str]]) -> Iterator[Message]:
        for seconds, code, text in xids:
            at = self.now + seconds
            line = f"NVRM: Xid (PCI:0000:9b:00): {code}, {text}"
            event = {"type": "xid", "code": code, "pci_bus_id": "0000:9b:00", "line": line, "timestamp": at}
            yield self._message(self.gpus[0], at, {}, [event])

    def _message(self, gpu: str, at: float, metrics: dict[str, float], events: list[dict[str, Any]]) -> Message:
        raw = {
            "timestamp": at,
            "gpu_id": gpu,
            "host_id": "node1",
            "metrics": metrics,
            "events": events,
            "labels": {"model": "NVIDIA H100 80GB HBM3", "serial": "1650", "slot": "3"},
            "interval_seconds": self.interval_seconds,
        }
        return Message(orjson.dumps(raw), at)
