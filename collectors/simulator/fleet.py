"""Who the simulated GPUs are: hosts of eight, models, serials, addresses; a function of the seed alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import blake2b
from typing import Final

from collectors.simulator.faults import Fault
from collectors.simulator.models import GPUS_PER_HOST, HOST_MODELS, GpuModel

HOSTS_PER_RACK: Final = 4
# Buses of the eight GPUs of a common 8 x SXM baseboard.
_BUSES: Final = ("1b", "43", "52", "61", "9d", "c3", "d1", "df")
# The simulated fleet was bought in the months before this day.
_NEWEST_DEPLOYMENT: Final = date(2026, 1, 15)
_WARRANTY_DAYS: Final = 3 * 365


@dataclass(frozen=True, slots=True)
class Gpu:
    """One simulated GPU."""

    index: int
    host: int
    slot: int
    model: GpuModel
    gpu_id: str
    host_id: str
    serial: str
    pci_bus_id: str
    rack_id: str


@dataclass(frozen=True, slots=True)
class Fleet:
    """All simulated GPUs of one seed."""

    seed: int
    gpus: tuple[Gpu, ...]

    @property
    def host_ids(self) -> tuple[str, ...]:
        """Return the hosts in order."""
        return tuple(dict.fromkeys(gpu.host_id for gpu in self.gpus))


def make_fleet(seed: int, gpus: int) -> Fleet:
    """Return a fleet of ``gpus`` GPUs; GPU ``i`` is the same in a fleet of any size.

    >>> make_fleet(1, 8).gpus[3].gpu_id == make_fleet(1, 50).gpus[3].gpu_id
    True
    """
    return Fleet(seed, tuple(_gpu(seed, index) for index in range(gpus)))


def _gpu(seed: int, index: int) -> Gpu:
    host, slot = divmod(index, GPUS_PER_HOST)
    digits = blake2b(f"simulated gpu {seed} {index}".encode(), digest_size=16).hexdigest()
    return Gpu(
        index=index,
        host=host,
        slot=slot,
        model=HOST_MODELS[host % len(HOST_MODELS)],
        gpu_id=f"GPU-{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}",
        host_id=f"sim-node-{host + 1:03d}",
        serial=f"16{int(digits[:10], 16) % 10**11:011d}",
        pci_bus_id=f"0000:{_BUSES[slot]}:00",
        rack_id=f"rack-{host // HOSTS_PER_RACK + 1:02d}",
    )


_ISSUES: Final = {
    "hot_gpu": "Thermal: runs hot, cooler suspected",
    "ecc_trend": "Memory: corrected ECC errors rising",
    "throttling": "Thermal: slows down under load",
    "power_instability": "Power: draw unsteady at steady load",
}


def fleet_assets(seed: int, gpus: int, faults: tuple[Fault, ...] = ()) -> list[dict[str, str]]:
    """Return the asset list of a simulated fleet, a dict a row, all values text as in a CSV file.

    ``known_issues`` names what an operator would know: the slow faults among ``faults``, not the sudden ones.

    >>> fleet_assets(1, 1)[0]["asset_tag"]
    'GPU-H100-001'
    """
    issues = {fault.gpu: _ISSUES[fault.name] for fault in faults if fault.name in _ISSUES}
    rows: list[dict[str, str]] = []
    for gpu in make_fleet(seed, gpus).gpus:
        age_days = 90 + int(blake2b(gpu.host_id.encode(), digest_size=2).hexdigest(), 16) % 700
        deployed = _NEWEST_DEPLOYMENT - timedelta(days=age_days)
        rows.append(
            {
                "gpu_id": gpu.gpu_id,
                "asset_tag": f"GPU-{gpu.model.short}-{gpu.index + 1:03d}",
                "model": gpu.model.name,
                "serial": gpu.serial,
                "host_id": gpu.host_id,
                "pci_bus_id": gpu.pci_bus_id,
                "slot": str(gpu.slot),
                "datacenter": "sim-dc-1",
                "rack_id": gpu.rack_id,
                "deployed_date": deployed.isoformat(),
                "purchase_price_usd": f"{gpu.model.price_usd:.0f}",
                "warranty_expiry": (deployed + timedelta(days=_WARRANTY_DAYS)).isoformat(),
                "known_issues": issues.get(gpu.index, ""),
            }
        )
    return rows
