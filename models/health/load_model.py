"""Power that load and clock explain, by GPU model; published to gpu-inputs, never fitted on the GPU judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import nan

import msgspec

from models.gpu.minute import LoadModel as LoadFunction
from models.gpu.slots import POWER_LIMIT


class LoadModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Expected power of one GPU model.

    Parameters
    ----------
    idle_watts
        Power without load.
    full_load_watts
        What full load at the reference clock adds to it.
    reference_clock_hertz
        SM clock at which ``full_load_watts`` was observed.
    clock_exponent
        Power under load goes with (clock / reference) to this power; 0 where clocks explain nothing.
    load_exponent
        Power under load goes with load to this power.

    Notes
    -----
    The expected power never passes the enforced limit: at the cap a GPU is busy, not unstable.
    """

    idle_watts: float
    full_load_watts: float
    reference_clock_hertz: float
    clock_exponent: float = 1.0
    load_exponent: float = 1.0

    def __post_init__(self) -> None:
        if not (self.idle_watts >= 0.0 and self.full_load_watts > 0.0 and self.reference_clock_hertz > 0.0):
            raise ValueError("watts and the reference clock must be above 0")
        if not (0.0 <= self.clock_exponent <= 4.0 and 0.0 < self.load_exponent <= 4.0):
            raise ValueError("exponents must lie within 0 and 4")

    def expected_watts(self, load_ratio: float, clock_hertz: float, limit_watts: float) -> float:
        """Return the power that load and clock explain, at most the limit (NaN: no limit)."""
        dynamic = self.full_load_watts * load_ratio**self.load_exponent
        if self.clock_exponent > 0.0:
            dynamic *= (clock_hertz / self.reference_clock_hertz) ** self.clock_exponent
        expected = self.idle_watts + dynamic
        return limit_watts if expected > limit_watts else expected

    def residual_watts(self, watts: float, load_ratio: float, clock_hertz: float, lasting: Sequence[float]) -> float:
        """Return measured minus expected power; NaN where an input is not measured."""
        if not (watts == watts and load_ratio >= 0.0 and clock_hertz >= 0.0):
            return nan
        return watts - self.expected_watts(load_ratio, clock_hertz, lasting[POWER_LIMIT])


class LoadModels(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Payload of the side input ``load_model``: a model by the name that GPUs report in their label."""

    models: dict[str, LoadModel]

    def functions(self) -> Mapping[str, LoadFunction]:
        """Return what :meth:`models.gpu.state.GpuState.update` is given, by GPU model."""
        return {name: model.residual_watts for name, model in self.models.items()}


def decode_load_models(payload: bytes) -> LoadModels:
    """Return the load models of a side input's JSON payload.

    Raises
    ------
    ValueError
        A key is unknown or missing, or a value is impossible.
    """
    try:
        return msgspec.json.decode(payload, type=LoadModels)
    except msgspec.DecodeError as error:
        raise ValueError(f"load models: {error}") from error
