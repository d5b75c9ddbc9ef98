"""What holds for every rule: it fires from the fast exit and clears, has its runbook, its code and its ladder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from models.alerts.catalogue import load_catalogue
from models.alerts.operator_actions import LADDERS, TENANT_TEXTS, XID_ACTIONS, Action, xid_action
from models.alerts.rule_spec import RuleSpec
from models.alerts.rules_file import load_rules
from models.alerts.specs import BY_NAME, SPECS
from models.health.profile import load_profile
from schemas.alert import ActionCode, AlertEvent, CauseClass, Severity
from tests.unit.models.alerts.bench import Bench

ROOT = Path(__file__).parents[4]
DAY = 86_400
# Said by role notify of what no GPU shows: tests/unit/agents/notify.
OF_NOTIFY = {"clock_fault", "host_missing", "pipeline_stale"}
# Codes that ask nobody to do anything: nobody is woken for them.
NOTHING_TO_DO = {"none", "watch", "see_text"}


@dataclass(frozen=True)
class Case:
    """What makes a rule fire on a healthy GPU, and what ends it."""

    fire: Callable[[Bench], object]
    clear: Callable[[Bench], object]


def signal(name: str, bad: float, good: float, hold: float = 10.0, clear: float = 90.0) -> Case:
    """Return the case of a rule that looks at one signal; held and cleared in seconds."""
    return Case(lambda gpu: gpu.run(hold, {name: bad}), lambda gpu: gpu.run(clear, {name: good}))


def xid(*codes: int, line: str = "", apart: float = 300.0, clear: float = 8 * DAY) -> Case:
    """Return the case of XIDs one after another, over after ``clear`` seconds."""

    def fire(gpu: Bench) -> None:
        for code in codes:
            gpu.xid(code, line and f"{line} {gpu.now}")
            gpu.run(apart)

    return Case(fire, lambda gpu: slowly(gpu, clear))


def slowly(gpu: Bench, seconds: float) -> None:
    """Send samples of an hour's interval."""
    gpu.interval = 3600.0
    gpu.run(seconds)


def score(points: float) -> Case:
    """Return the case of an overall score."""

    def send(gpu: Bench, overall: float) -> None:
        gpu.scores.overall = overall
        gpu.run(1000)

    return Case(lambda gpu: send(gpu, points), lambda gpu: send(gpu, 95.0))


def risk(gpu: Bench, probability: float) -> None:
    """Send samples of a GPU of that risk."""
    gpu.risk.probability_30d = probability
    gpu.run(1000)


CASES: dict[str, Case] = {
    "gpu_missing": Case(lambda gpu: gpu.clock(gpu.now + 56.0), lambda gpu: gpu.tick()),
    "ecc_uncorrected": Case(lambda gpu: gpu.tick({"ecc_dbe_volatile_total": 1.0}), lambda gpu: slowly(gpu, 8 * DAY)),
    "ecc_corrected_rate": signal("ecc_sbe_volatile_total", 200.0, 200.0, clear=3 * 3600),
    "row_remap_pending": signal("row_remap_pending", 1.0, 0.0),
    "row_remap_failed": signal("row_remap_failed", 1.0, 0.0),
    "sram_threshold": signal("sram_threshold_exceeded", 1.0, 0.0),
    "bank_spares": signal("bank_remap_avail_none", 1.0, 0.0),
    "pages_retired": signal("page_retired_sbe_total", 60.0, 0.0),
    "recovery_action": signal("gpu_recovery_action", 1.0, 0.0),
    "thermal_limit": signal("gpu_temp_celsius", 90.0, 60.0, 310, 620),
    "thermal_slowdown": signal("clocks_event_reasons", float(0x40), 0.0, 600, 620),
    "power_brake": signal("clocks_event_reasons", float(0x80), 0.0, 600, 620),
    "score_degraded": score(65.0),
    "score_poor": score(40.0),
    "risk_high": Case(lambda gpu: risk(gpu, 0.2), lambda gpu: risk(gpu, 0.01)),
    "xid_hardware": xid(62),
    "xid_driver": xid(119),
    "xid_repeated": xid(31, 31),
    "gpu_lost": xid(79, clear=2 * DAY),
    "exporter_down": signal("exporter_up", 0.0, 1.0, 60, 620),
}


def subject(spec: RuleSpec) -> Bench:
    """Return a healthy GPU, or host, that has been seen for a while and has nothing open."""
    one = Bench("host:node1", values={"exporter_up": 1.0}) if spec.scope == "host" else Bench()
    one.run(600)
    assert not one.said
    assert not one.state.alerts
    return one


def fired(one: Bench, rule: str) -> AlertEvent:
    """Return the one event by which ``rule`` fired."""
    (event,) = [event for event in one.said if event.rule == rule and event.status == "firing"]
    return event


def test_every_rule_has_its_case() -> None:
    assert set(CASES) == set(BY_NAME) - OF_NOTIFY


@pytest.mark.parametrize("name", CASES)
def test_it_fires_from_the_fast_exit_as_its_spec_says_and_clears(name: str) -> None:
    spec, case = BY_NAME[name], CASES[name]
    one = subject(spec)
    case.fire(one)
    event = fired(one, name)
    assert event.cause_class in ((spec.cause,) if spec.cause else get_args(CauseClass))
    assert spec.page or not event.page
    assert (event.unit, event.runbook, event.trial, event.count) == (spec.unit, spec.runbook, spec.trial, 1)
    assert event.tenant_text == TENANT_TEXTS[event.action_code]
    assert event.action_code in get_args(ActionCode)
    assert event.action_text
    if not spec.acts:
        assert (event.action_code, event.action_ladder) == (spec.action_code, list(spec.ladder))
    one.said.clear()
    case.clear(one)
    over = [event for event in one.said if event.rule == name and event.status == "resolved"]
    assert [event.tenant_text for event in over] == ["It is over; nothing more to do."]
    assert name not in {alert.rule for alert in one.state.alerts.values()}


@pytest.mark.parametrize("name", CASES)
def test_on_trial_it_is_published_and_never_pages(name: str) -> None:
    spec, case = BY_NAME[name], CASES[name]
    one = subject(spec)
    one.rules = msgspec.structs.replace(one.rules, trial=(name,))
    case.fire(one)
    case.clear(one)
    found = [event for event in one.said if event.rule == name]
    assert {event.status for event in found} == {"firing", "resolved"}
    assert all(event.trial and not event.page for event in found)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_it_is_whole(spec: RuleSpec) -> None:
    assert f"\n## {spec.name}\n" in (ROOT / "docs" / "runbooks.md").read_text("utf-8")
    assert spec.runbook == f"docs/runbooks.md#{spec.name}"
    assert spec.cause is None or spec.cause in get_args(CauseClass)
    assert spec.severity in get_args(Severity)
    assert spec.action_code in get_args(ActionCode)
    assert set(spec.ladder) <= set(get_args(ActionCode))
    assert spec.action_code not in spec.ladder
    assert spec.fires
    assert spec.clears


@pytest.mark.parametrize("spec", [spec for spec in SPECS if spec.page], ids=lambda spec: spec.name)
def test_who_is_woken_has_something_to_do(spec: RuleSpec) -> None:
    assert spec.action_code not in NOTHING_TO_DO


def test_xids_that_may_page_ask_for_something() -> None:
    catalogue = load_catalogue()
    for code in catalogue.codes():
        entry = catalogue.entry(code)
        if entry.may_page != "no":
            assert xid_action(entry.immediate).code not in NOTHING_TO_DO, code


def test_every_code_has_its_ladder_and_its_words() -> None:
    codes = set(get_args(ActionCode))
    assert set(LADDERS) == set(TENANT_TEXTS) == codes
    for code, ladder in LADDERS.items():
        assert set(ladder) <= codes - {code, "see_text", "none"}
        assert len(set(ladder)) == len(ladder)
    assert {action.code for action in XID_ACTIONS.values()} <= codes


def test_a_setting_that_does_not_exist_is_refused() -> None:
    fields: dict[str, Any] = {name: getattr(BY_NAME["sram_threshold"], name) for name in RuleSpec.__slots__}
    with pytest.raises(ValueError, match="no_such_seconds"):
        RuleSpec(**{**fields, "hold": "no_such_seconds"})


def test_a_rule_on_trial_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    text = (ROOT / "models" / "alerts" / "rules.toml").read_text("utf-8")
    path = tmp_path / "rules.toml"
    path.write_text(text.replace("trial = []", 'trial = ["power_brake", "power_breake"]'), "utf-8")
    with pytest.raises(ValueError, match="no rule is called power_breake"):
        load_rules(path)
    path.write_text(text.replace("trial = []", 'trial = ["power_brake"]'), "utf-8")
    assert load_rules(path).trial == ("power_brake",)


def test_what_is_on_trial_hides_nothing() -> None:
    gpu = Bench()
    gpu.rules = msgspec.structs.replace(gpu.rules, trial=("gpu_lost",))
    gpu.run(600)
    gpu.xid(79)
    (missing,) = gpu.clock(gpu.now + 56.0)
    assert (missing.rule, missing.page, missing.suppressed_by) == ("gpu_missing", True, None)


def test_the_limits_of_heat_are_those_of_the_score() -> None:
    rules, thermal = load_rules(), load_profile(None).thermal
    assert rules.hot_celsius == thermal.hot_celsius
    assert rules.memory_hot_celsius == thermal.memory_hot_celsius


def test_a_custom_ladder_stands() -> None:
    assert Action("reset_gpu", "look", ("replace",)).ladder == ("replace",)
    assert Action("reset_gpu", "look").ladder == ("restart_node", "replace")
