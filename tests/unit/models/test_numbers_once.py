"""A number that is written in two places, because each place is tuned or frozen by itself, is the same in both."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from models.alerts.rules_file import load_rules
from models.gpu.margin import BELIEVED_BELOW_SLOWDOWN_CELSIUS, BELIEVED_CELSIUS
from models.gpu.slots import BENIGN_MASK
from models.health.profile import load_profile

SQL = sorted(Path(__file__).parents[3].glob("sql/**/*.sql"))
MASK = re.compile(r"throttle_reason::bigint & ~(\d+)::bigint")


def test_hot_is_one_temperature_for_scores_alerts_and_stuck_margins() -> None:
    profile, rules = load_profile(None).thermal, load_rules()
    assert profile.hot_celsius == rules.hot_celsius == BELIEVED_CELSIUS
    assert profile.hot_below_slowdown_celsius == rules.hot_below_slowdown_celsius == BELIEVED_BELOW_SLOWDOWN_CELSIUS
    assert profile.memory_hot_celsius == rules.memory_hot_celsius
    assert profile.hot_margin_celsius == rules.hot_margin_celsius


@pytest.mark.parametrize("path", [path for path in SQL if "throttle_reason::bigint" in path.read_text()], ids=str)
def test_the_databases_count_of_throttled_samples_leaves_out_what_is_benign(path: Path) -> None:
    assert {int(mask) for mask in MASK.findall(path.read_text())} == {BENIGN_MASK}
