"""The GPU models of the simulated fleet: limits as devices report them, and how they heat.

References
----------
Limits: V100 to H100 captures of nvidia-smi; H100 700 W with slowdown at 89 C, shutdown at 92 C and memory
limit 95 C (driver 525), A100 89 / 92 C, L40S 350 W with margins only. Slots: on healthy 8 x H100 training
nodes four GPUs ran 64-66 C and four 53-56 C at equal power. Banks with spare rows: 2,560 on H100, 192 on
L40S (utkuozdemir/nvidia_gpu_exporter captures).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class GpuModel:
    """One model.

    Parameters
    ----------
    name, short
        As the driver spells it, and as an asset tag does.
    celsius_per_watt
        Steady rise of the die over the inlet air.
    slot_celsius
        Further rise of the warm slots at full power.
    memory_celsius
        Rise of the memory over the die at full power; None: no sensor.
    slowdown_celsius
        None: the device reports a margin only.
    """

    name: str
    short: str
    power_limit_watts: float
    idle_watts: float
    celsius_per_watt: float
    slot_celsius: float
    memory_celsius: float | None
    max_op_celsius: float
    memory_max_op_celsius: float | None
    slowdown_celsius: float | None
    shutdown_celsius: float | None
    reports_margin: bool
    memory_mib: float
    sm_clock_mhz: float
    idle_sm_clock_mhz: float
    memory_clock_mhz: float
    nvlinks: int
    banks: float
    pcie_gen: float
    driver_version: str
    price_usd: float


H100: Final = GpuModel(
    name="NVIDIA H100 80GB HBM3",
    short="H100",
    power_limit_watts=700.0,
    idle_watts=70.0,
    celsius_per_watt=0.046,
    slot_celsius=10.0,
    memory_celsius=9.0,
    max_op_celsius=87.0,
    memory_max_op_celsius=95.0,
    slowdown_celsius=89.0,
    shutdown_celsius=92.0,
    reports_margin=True,
    memory_mib=81_559.0,
    sm_clock_mhz=1_980.0,
    idle_sm_clock_mhz=345.0,
    memory_clock_mhz=2_619.0,
    nvlinks=18,
    banks=2_560.0,
    pcie_gen=5.0,
    driver_version="590.48.01",
    price_usd=30_000.0,
)
A100: Final = GpuModel(
    name="NVIDIA A100-SXM4-80GB",
    short="A100",
    power_limit_watts=400.0,
    idle_watts=55.0,
    celsius_per_watt=0.078,
    slot_celsius=6.0,
    memory_celsius=10.0,
    max_op_celsius=85.0,
    memory_max_op_celsius=95.0,
    slowdown_celsius=89.0,
    shutdown_celsius=92.0,
    reports_margin=False,
    memory_mib=81_920.0,
    sm_clock_mhz=1_410.0,
    idle_sm_clock_mhz=210.0,
    memory_clock_mhz=1_593.0,
    nvlinks=12,
    banks=640.0,
    pcie_gen=4.0,
    driver_version="570.172.08",
    price_usd=12_000.0,
)
L40S: Final = GpuModel(
    name="NVIDIA L40S",
    short="L40S",
    power_limit_watts=350.0,
    idle_watts=35.0,
    celsius_per_watt=0.095,
    slot_celsius=3.0,
    memory_celsius=None,
    max_op_celsius=87.0,
    memory_max_op_celsius=None,
    slowdown_celsius=None,
    shutdown_celsius=None,
    reports_margin=True,
    memory_mib=46_068.0,
    sm_clock_mhz=2_520.0,
    idle_sm_clock_mhz=210.0,
    memory_clock_mhz=9_001.0,
    nvlinks=0,
    banks=192.0,
    pcie_gen=4.0,
    driver_version="595.80",
    price_usd=8_000.0,
)

# One model a host, in this order over and over: a pilot of seven hosts has all three.
HOST_MODELS: Final = (H100, H100, A100, H100, L40S, H100, A100)
WARM_SLOTS: Final = frozenset({0, 3, 4, 6})
GPUS_PER_HOST: Final = 8
