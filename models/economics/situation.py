"""What a valuation needs, taken from a GPU's state, its prices and the asset list, with what had to be assumed."""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

from models.alerts.operator_actions import LADDERS
from models.alerts.xid import LOST_CODE
from models.economics.prices import Prices
from models.economics.value import MONTH_SECONDS, Situation
from models.gpu.columns import HOUR_SECONDS, LOADED, OBSERVED, POWER, UTIL
from models.gpu.measured import measured
from models.gpu.state import GpuState
from schemas.side_input import Asset
from schemas.times import parse_time

# Where power is not measured: a share of the board's power.
ASSUMED_POWER_RATIO: Final = 0.6
# A restart of the node, then a power cycle, which are not done within minutes.
_REMEDIES: Final = 1 + LADDERS["restart_node"].index("replace")
_REMEDIED_SECONDS: Final = 86_400.0


class Hazard(Protocol):
    """What of the risk a valuation reads."""

    @property
    def probability_30d(self) -> float: ...
    @property
    def fleet_probability_30d(self) -> float: ...


class Found(NamedTuple):
    """A situation and how well it is known; ``reasons`` name what was assumed."""

    situation: Situation
    model: str | None
    model_known: bool
    occupancy_measured: bool
    reasons: list[str]


def situation(state: GpuState, risk: Hazard, prices: Prices, asset: Asset | None) -> Found:
    """Return the situation of a GPU after its last sample."""
    model = state.labels.get("model") or (asset.model if asset else None)
    price, known = prices.find(model)
    reasons = [] if known else [f"model_unknown: {model or 'not told'}, valued as the default class"]
    ratio, known_occupancy = occupied_ratio(state, prices)
    if not known_occupancy:
        reasons.append("utilisation_assumed: no load measured for an hour yet")
    watts = state.hour.mean(POWER, state.windows.week)
    if not measured(watts):
        watts = price.board_watts * ASSUMED_POWER_RATIO
        reasons.append("power_assumed: not measured")
    months, readable = warranty_months(asset, state.time)
    if not readable:
        reasons.append("warranty_unreadable: the asset list's date is none")
    return Found(
        Situation(
            price=price,
            assumptions=prices.assumptions,
            probability_30d=risk.probability_30d,
            fleet_probability_30d=risk.fleet_probability_30d,
            occupied_ratio=ratio,
            power_watts=watts,
            warranty_months=months,
            drained=replacement_due(state),
        ),
        model,
        known,
        known_occupancy,
        reasons,
    )


def replacement_due(state: GpuState) -> bool:
    """Whether the GPU itself is to be replaced: by what its alerts say to do first, or because it was lost again.

    The first remedies of a lost GPU are a restart of its node and a power cycle (the ladder of ``gpu_lost``): only
    what comes back after both is the GPU's own.
    """
    if any(alert.open and not alert.trial and alert.action.code == "replace" for alert in state.alerts.values()):
        return True
    lost = state.evidence.get(f"xid:{LOST_CODE}")
    return lost is not None and lost.count > _REMEDIES and lost.last_at - lost.first_at >= _REMEDIED_SECONDS


def occupied_ratio(state: GpuState, prices: Prices) -> tuple[float, bool]:
    """Return the share of time with work on the GPU, and whether an hour or more of it was measured.

    The owner's prior counts as ``prior_occupied_weight_hours`` of observation, so that the first minutes of
    a GPU do not decide its value.
    """
    assumed = prices.assumptions
    prior = assumed.prior_occupied_ratio
    week = state.windows.week
    load = state.hour.mean(UTIL, week)
    if not measured(load):
        return prior, False
    weight = assumed.prior_occupied_weight_hours
    observed = state.hour.total(OBSERVED, week) / HOUR_SECONDS
    loaded = state.hour.total(LOADED, week) / HOUR_SECONDS
    hours = observed + weight
    return ((loaded + prior * weight) / hours if hours > 0.0 else prior), observed >= 1.0


def warranty_months(asset: Asset | None, time: float) -> tuple[float, bool]:
    """Return the months of warranty left at ``time`` (epoch s), and whether the date could be read."""
    if asset is None or not asset.warranty_expiry:
        return 0.0, True
    try:
        expiry = parse_time(asset.warranty_expiry)
    except ValueError:
        return 0.0, False
    return max(expiry - time, 0.0) / MONTH_SECONDS, True
