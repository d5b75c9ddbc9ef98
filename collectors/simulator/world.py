"""The simulated fleet's raw messages: samples, kernel log events and heartbeats, for any span of times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal

import numpy as np
import orjson
from numpy.typing import NDArray

from collectors.heartbeat import heartbeat_message
from collectors.kernel.log import LogEvent
from collectors.kernel.messages import event_message
from collectors.simulator.chance import Floats, uniform
from collectors.simulator.faults import KINDS, Fault, log_lines, silent_from
from collectors.simulator.fleet import Fleet, Gpu
from collectors.simulator.load import Load, Schedule
from collectors.simulator.models import GpuModel
from collectors.simulator.physics import Group, fault_starts, run
from collectors.simulator.signals import signals
from schemas.times import format_time

Format = Literal["full", "guide"]
Record = tuple[bytes, bytes]

SOURCE: Final = "simulator"
HISTORY_INTERVAL_SECONDS: Final = 300.0
RECENT_SECONDS: Final = 3_600.0
# History is made in pieces, all GPUs of a piece before the next one, so that no GPU's last sample waits.
_PIECE_SAMPLES: Final = 72
# The names that the original guide's collector sends, by the name that DCGM gives the signal.
GUIDE_NAMES: Final[Mapping[str, str]] = {
    "DCGM_FI_DEV_GPU_TEMP": "DCGM_FI_DEV_GPU_TEMP",
    "DCGM_FI_DEV_MEM_TEMP": "DCGM_FI_DEV_MEMORY_TEMP",
    "DCGM_FI_DEV_POWER_USAGE": "DCGM_FI_DEV_POWER_USAGE",
    "DCGM_FI_DEV_POWER_LIMIT": "DCGM_FI_DEV_ENFORCED_POWER_LIMIT",
    "DCGM_FI_DEV_GPU_UTIL": "DCGM_FI_DEV_GPU_UTIL",
    "DCGM_FI_DEV_MEM_COPY_UTIL": "DCGM_FI_DEV_MEM_COPY_UTIL",
    "DCGM_FI_DEV_FB_USED": "DCGM_FI_DEV_FB_USED",
    "DCGM_FI_DEV_FB_TOTAL": "DCGM_FI_DEV_FB_TOTAL",
    "DCGM_FI_DEV_ECC_SBE_VOL_TOTAL": "DCGM_FI_DEV_ECC_SBE_VOL_TOTAL",
    "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL": "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL",
    "DCGM_FI_DEV_SM_CLOCK": "DCGM_FI_DEV_SM_CLOCK",
    "DCGM_FI_DEV_MEM_CLOCK": "DCGM_FI_DEV_MEM_CLOCK",
    "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS": "DCGM_FI_DEV_CLOCKS_EVENT_REASONS",
}


class World:
    """A fleet and its faults; everything it says is a function of the seed, the GPU and the time.

    Parameters
    ----------
    fleet
        The GPUs.
    faults
        What goes wrong, when.
    form
        ``full``: all signals, labels, events; ``guide``: the original guide's message.
    """

    def __init__(self, fleet: Fleet, faults: Sequence[Fault], form: Format = "full") -> None:
        self.fleet = fleet
        self.faults = tuple(faults)
        self._form = form
        self._schedule = Schedule(fleet.seed, max((gpu.host for gpu in fleet.gpus), default=0) + 1)
        self._busy = frozenset(fault.gpu for fault in faults if fault.kind.needs_load)
        self._silent = {fault.gpu: silent_from(faults, fault.gpu) for fault in faults}
        by_model: dict[GpuModel, list[Gpu]] = {}
        for gpu in fleet.gpus:
            by_model.setdefault(gpu.model, []).append(gpu)
        self._groups = tuple((model, tuple(gpus)) for model, gpus in by_model.items())
        self._labels = {gpu.index: self._static_labels(gpu) for gpu in fleet.gpus}

    def samples(self, times: Sequence[float], *, interval_seconds: float, history: bool = False) -> Iterator[Record]:
        """Yield (gpu_id, message) of every GPU that reports, for each of ``times`` (epoch s, ascending)."""
        if not times:
            return
        moments = np.asarray(times, dtype=np.float64)
        stamps = [_naive(time) if self._form == "guide" else format_time(time) for time in times]
        blocks = [self._block(model, gpus, moments) for model, gpus in self._groups]
        for at, (time, stamp) in enumerate(zip(times, stamps, strict=True)):
            for (_, gpus), (names, values, load) in zip(self._groups, blocks, strict=True):
                rows = values[:, at, :].tolist()
                for position, (gpu, row) in enumerate(zip(gpus, rows, strict=True)):
                    if time >= self._silent.get(gpu.index, np.inf):
                        continue
                    metrics = dict(zip(names, row, strict=True))
                    yield self._record(gpu, stamp, metrics, load, position, at, interval_seconds, history)

    def event_times(self, start: float, end: float) -> list[float]:
        """Return when kernel log lines are written in [start, end), ascending."""
        return sorted({time for time, *_ in log_lines(self.faults, start, end)})

    def events(self, start: float, end: float, *, history: bool = False) -> Iterator[Record]:
        """Yield the messages of the kernel log lines written in [start, end)."""
        if self._form == "guide":
            return
        for time, index, code, text in log_lines(self.faults, start, end):
            gpu = self.fleet.gpus[index]
            line = f"kern  :warn  : {format_time(time)[:-1]}+00:00 NVRM: Xid (PCI:{gpu.pci_bus_id}): {code}, {text}"
            event = LogEvent("xid", code, gpu.pci_bus_id, line, time)
            message = event_message(
                event,
                host_id=gpu.host_id,
                near=time,
                uuid=gpu.gpu_id,
                labels=self._labels[index] | ({"history": "true"} if history else {}),
            )
            yield gpu.gpu_id.encode(), orjson.dumps(message)

    def heartbeats(self, time: float, *, interval_seconds: float) -> Iterator[Record]:
        """Yield each host's heartbeat at ``time``."""
        if self._form == "guide":
            return
        reporting: dict[str, int] = dict.fromkeys(self.fleet.host_ids, 0)
        for gpu in self.fleet.gpus:
            reporting[gpu.host_id] += time < self._silent.get(gpu.index, np.inf)
        for number, (host_id, count) in enumerate(reporting.items()):
            seconds = 0.04 + 0.03 * float(uniform(self.fleet.seed, 71, number, round(time * 10))[0])
            message = heartbeat_message(
                host_id=host_id,
                time=time,
                interval_seconds=interval_seconds,
                source=SOURCE,
                facts={
                    "exporter_up": 1.0,
                    "exporter_count": 1.0,
                    "gpu_count": float(count),
                    "scrape_seconds": round(seconds, 4),
                    "scrape_damaged_lines": 0.0,
                },
                labels={"simulated": "true"},
            )
            yield message["gpu_id"].encode(), orjson.dumps(message)

    def history(self, start: float, end: float, *, recent_interval_seconds: float) -> Iterator[Record]:
        """Yield [start, end): a sample each 5 minutes, and one an interval in the last hour, all marked."""
        recent = max(end - RECENT_SECONDS, start)
        coarse = _steps(start, recent, HISTORY_INTERVAL_SECONDS)
        fine = _steps(recent, end, recent_interval_seconds)
        for times, interval in ((coarse, HISTORY_INTERVAL_SECONDS), (fine, recent_interval_seconds)):
            for first in range(0, len(times), _PIECE_SAMPLES):
                piece = times[first : first + _PIECE_SAMPLES]
                yield from self.samples(piece, interval_seconds=interval, history=True)
                yield from self.events(piece[0], piece[-1] + interval, history=True)

    def _block(self, model: GpuModel, gpus: tuple[Gpu, ...], times: Floats) -> tuple[tuple[str, ...], Floats, Load]:
        hosts: NDArray[np.int64] = np.array([gpu.host for gpu in gpus], dtype=np.int64)
        busy = np.array([gpu.index in self._busy for gpu in gpus])
        load = self._schedule.load(hosts, busy, times)
        starts = fault_starts(self.faults, gpus, tuple(KINDS))
        group = Group(self.fleet.seed, model, gpus, times, load, starts)
        found = signals(group, run(group))
        if self._form == "guide":
            found = {name: found[truth] for name, truth in GUIDE_NAMES.items()}
        else:
            found = dict(sorted(found.items()))
        shape = (len(gpus), len(times))
        values = np.stack([np.broadcast_to(array, shape) for array in found.values()], axis=-1)
        return tuple(found), values, load

    def _record(
        self,
        gpu: Gpu,
        stamp: str,
        metrics: dict[str, float],
        load: Load,
        position: int,
        at: int,
        interval_seconds: float,
        history: bool,
    ) -> Record:
        message: dict[str, Any] = {
            "timestamp": stamp,
            "gpu_id": gpu.gpu_id,
            "host_id": gpu.host_id,
            "metrics": metrics,
        }
        if self._form == "full":
            labels = dict(self._labels[gpu.index])
            if load.utilisation[position, at] > 0.0:
                labels["namespace"] = "research"
                labels["pod"] = f"job-{gpu.host + 1}-{int(load.job[position, at])}"
            if history:
                labels["history"] = "true"
            message["labels"] = labels
            message["interval_seconds"] = interval_seconds
            message["source"] = SOURCE
            message["schema_version"] = 1
        return gpu.gpu_id.encode(), orjson.dumps(message)

    @staticmethod
    def _static_labels(gpu: Gpu) -> dict[str, str]:
        return {
            "simulated": "true",
            "gpu": str(gpu.slot),
            "slot": str(gpu.slot),
            "rack_id": gpu.rack_id,
            "model": gpu.model.name,
            "serial": gpu.serial,
            "pci_bus_id": gpu.pci_bus_id,
            "driver_version": gpu.model.driver_version,
        }


def _steps(start: float, end: float, interval: float) -> list[float]:
    return [start + step * interval for step in range(int(np.ceil((end - start) / interval)))]


def _naive(time: float) -> str:
    """Return the time as the guide's collector writes it: UTC without a zone."""
    return datetime.fromtimestamp(time, UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
