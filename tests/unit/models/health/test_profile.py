"""The profile as a file and as a side input."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import msgspec
import pytest

from models.health.profile import decode_profile, load_profile

PACKAGED = (files("models.health") / "profile.toml").read_text(encoding="utf-8")


def write(folder: Path, text: str) -> Path:
    path = folder / "profile.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_packaged_profile_has_the_guide_s_weights() -> None:
    profile = load_profile(None)
    assert (profile.weights.thermal, profile.weights.memory, profile.weights.power) == (0.35, 0.45, 0.20)
    assert profile.version == 1


def test_a_file_equals_the_side_input_made_of_it(tmp_path: Path) -> None:
    path = write(tmp_path, PACKAGED.replace("warm_celsius = 75.0", "warm_celsius = 70.0"))
    profile = load_profile(path)
    assert profile.thermal.warm_celsius == 70.0
    assert decode_profile(msgspec.json.encode(profile)) == profile


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("warm_celsius = 75.0", "warn_celsius = 75.0", "warn_celsius"),
        ("[weights]", "[weight]", "weight"),
        ("hot_celsius = 85.0\n", "", "hot_celsius"),
        ("hot_celsius = 85.0", 'hot_celsius = "hot"', "hot_celsius"),
        ("thermal = 0.35", "thermal = 0.55", "add up to 1"),
        ("power = 0.20", "power = -0.2", "above 0"),
        ("slowdown_scale_ratio = 0.05", "slowdown_scale_ratio = 0.0", "slowdown_scale_ratio"),
        ("dbe = 70.0", "dbe = 170.0", "dbe"),
        ("watts_per_point = 2.0", "watts_per_point = inf", "watts_per_point"),
        ("version = 1", "version = ", "profile.toml"),
    ],
)
def test_a_bad_file_is_refused_by_name(tmp_path: Path, old: str, new: str, named: str) -> None:
    assert old in PACKAGED
    path = write(tmp_path, PACKAGED.replace(old, new, 1))
    with pytest.raises(ValueError, match=named) as refused:
        load_profile(path)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize("payload", [b"", b"{}", b"[]", b"\xff", b'{"version": 1, "extra": 2}'])
def test_a_bad_side_input_is_refused(payload: bytes) -> None:
    with pytest.raises(ValueError, match="profile"):
        decode_profile(payload)
