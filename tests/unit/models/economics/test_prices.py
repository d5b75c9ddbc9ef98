"""The price file: aliases, the default class, refusals."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import msgspec
import pytest

from models.economics.prices import Prices, decode_prices, load_prices

PACKAGED = (files("models.economics") / "prices.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("NVIDIA H100 80GB HBM3", "h100_sxm"),
        ("nvidia h100 80gb hbm3", "h100_sxm"),
        ("A100-40GB", "a100_40gb"),
        ("NVIDIA A100-SXM4-80GB", "a100_80gb"),
        ("H200", "h200_sxm"),
        ("NVIDIA B200", "b200"),
        ("NVIDIA H100 PCIe", "h100_pcie"),
    ],
)
def test_models_are_found_by_alias(name: str, key: str) -> None:
    prices = load_prices()
    assert prices.find(name) == (prices.models[key], True)


@pytest.mark.parametrize("name", [None, "", "NVIDIA", "Tesla V100-SXM2-32GB", "NVIDIA H100 80GB HBM3 MIG 1g"])
def test_unknown_models_get_the_default_class(name: str | None) -> None:
    prices = load_prices()
    assert prices.find(name) == (prices.default, False)


def test_no_alias_names_two_models() -> None:
    prices = load_prices()
    for price in prices.models.values():
        for alias in price.aliases:
            assert prices.find(alias)[0] is price


def test_every_price_has_year_source_and_strength() -> None:
    prices = load_prices()
    for price in (prices.default, *prices.models.values()):
        assert 2023 <= price.year <= 2100
        assert price.source
        assert price.strength in ("strong", "medium", "weak")
        assert 0.0 < price.used_price_usd < price.new_price_usd


def test_payload_of_gpu_inputs_decodes_to_the_same() -> None:
    prices = load_prices()
    assert decode_prices(msgspec.json.encode(prices)) == prices


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("discount_rate_per_year = 0.10", "discount_rate = 0.10", "discount_rate"),
        ("salvage_ratio = 0.06", "salvage_ratio = 1.5", "salvage_ratio"),
        ("value_loss_per_year = 0.30", "value_loss_per_year = 1.0", "value_loss_per_year"),
        ("horizon_months = 12", "horizon_months = 0", "horizon_months"),
        ("used_price_usd = 23500.0", "used_price_usd = -1.0", "used_price_usd"),
        ("used_price_usd = 23500.0", "used_price_usd = nan", "used_price_usd"),
        ("half_life_months = 1.5", "half_life_months = 0.0", "half_life_months"),
        ("medium = 0.20, ", "", "medium"),
    ],
)
def test_a_wrong_file_is_refused_by_name(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in PACKAGED
    path = tmp_path / "prices.toml"
    path.write_text(PACKAGED.replace(old, new), encoding="utf-8")
    with pytest.raises(ValueError, match=says):
        load_prices(path)


def test_own_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(PACKAGED.replace("version = 1", "version = 5", 1), encoding="utf-8")
    own: Prices = load_prices(path)
    assert own.version == 5
