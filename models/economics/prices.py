"""Prices and assumptions: a settings file with source and year, published as a versioned side input."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files
from math import isfinite
from pathlib import Path
from typing import Final, Literal

import msgspec

from schemas.user_file import UserFileError, read_toml

Strength = Literal["strong", "medium", "weak"]

_SLICE: Final = re.compile(r"-\d{1,3}[ABCQ]\Z")


class Assumptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the owner assumes; ratios 0 to 1, money in USD. See prices.toml for the meaning of each."""

    horizon_months: int
    discount_rate_per_year: float
    power_price_usd_per_kwh: float
    power_usage_effectiveness: float
    hosting_usd_per_month: float
    prior_occupied_ratio: float
    prior_occupied_weight_hours: float
    value_loss_per_year: float
    selling_cost_ratio: float
    selling_cost_usd: float
    removal_cost_usd: float
    salvage_ratio: float
    failure_cost_usd: float
    return_cost_usd: float
    warranty_handling_usd: float
    warranty_downtime_months: float
    excess_hazard_half_life_months: float
    switch_margin_ratio: float
    price_spread_ratio: dict[Strength, float]


class ModelPrice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One GPU model: prices of a new and a used card, what an hour of it earns, its board power."""

    aliases: tuple[str, ...]
    new_price_usd: float
    used_price_usd: float
    rental_usd_per_hour: float
    board_watts: float
    year: int
    strength: Strength
    source: str


class Prices(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file (payload of the side input ``prices``)."""

    version: int
    as_of: str
    assumptions: Assumptions
    default: ModelPrice
    models: dict[str, ModelPrice]

    def find(self, model: str | None) -> tuple[ModelPrice, bool]:
        """Return the price of ``model`` and whether it is known; the default class where it is not.

        A name matches an alias whatever its case and with or without spaces, hyphens and "NVIDIA".
        """
        if model:
            wanted = _plain(model)
            for price in self.models.values():
                if any(_plain(alias) == wanted for alias in price.aliases):
                    return price, True
        return self.default, False


@lru_cache(maxsize=1024)
def is_slice(model: str) -> bool:
    """Tell whether a guest calls a vGPU by this name: a card, its framebuffer in GB, and the series A, B, C or Q.

    >>> is_slice("GRID A100-8C"), is_slice("NVIDIA RTX6000-Ada-48Q"), is_slice("NVIDIA A100-1-5C")
    (True, True, True)
    >>> is_slice("NVIDIA A100-SXM4-80GB"), is_slice("Tesla V100-PCIE-16GB"), is_slice("NVIDIA RTX A6000")
    (False, False, False)
    """
    return _SLICE.search(model) is not None


def load_prices(path: Path | None = None) -> Prices:
    """Return the prices of ``path``, by default the packaged ones.

    Raises
    ------
    UserFileError
        It cannot be read, or is not such a file: an unknown or missing key, a figure out of range (the text names
        it).
    """
    source = files("models.economics") / "prices.toml" if path is None else path
    prices = read_toml(source, Prices, "prices file")
    try:
        return check(prices)
    except ValueError as error:
        raise UserFileError(f"prices file {source}: {error}") from None


def decode_prices(payload: bytes) -> Prices:
    """Return the prices of a side input's payload (JSON); a ValueError says what is wrong with it."""
    return check(msgspec.json.decode(payload, type=Prices))


def check(prices: Prices) -> Prices:
    """Return ``prices`` if every figure is usable.

    Raises
    ------
    ValueError
        Names the first figure that is not.
    """
    assumed = prices.assumptions
    for name, value in msgspec.structs.asdict(assumed).items():
        if name == "price_spread_ratio":
            continue
        if not isfinite(value) or value < 0.0:
            raise ValueError(f"prices: assumptions.{name} = {value}: must be 0 or more")
        if (name.endswith("_ratio") and value > 1.0) or (name == "value_loss_per_year" and value >= 1.0):
            raise ValueError(f"prices: assumptions.{name} = {value}: must be at most 1")
    if not 1 <= assumed.horizon_months <= 120:
        raise ValueError(f"prices: assumptions.horizon_months = {assumed.horizon_months}: must be 1 to 120")
    if not assumed.excess_hazard_half_life_months > 0.0:
        raise ValueError("prices: assumptions.excess_hazard_half_life_months must be above 0")
    if set(assumed.price_spread_ratio) != {"strong", "medium", "weak"}:
        raise ValueError("prices: assumptions.price_spread_ratio must name strong, medium and weak")
    for key, price in [("default", prices.default), *prices.models.items()]:
        for name in ("new_price_usd", "used_price_usd", "rental_usd_per_hour", "board_watts"):
            value = getattr(price, name)
            if not isfinite(value) or value < 0.0:
                raise ValueError(f"prices: {key}.{name} = {value}: must be 0 or more")
    return prices


def _plain(name: str) -> str:
    text = "".join(letter for letter in name.lower() if letter.isalnum())
    return text.removeprefix("nvidia")
