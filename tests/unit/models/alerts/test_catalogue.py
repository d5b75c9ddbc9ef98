"""The XID catalogue and the numbers of the rules."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from models.alerts.catalogue import MayPage, XidClass, load_catalogue
from models.alerts.operator_actions import XID_ACTIONS
from models.alerts.rules_file import decode_rules, load_rules
from schemas.alert import CauseClass, Severity
from tests.recorded import RECORDINGS

CATALOGUE = load_catalogue()
RECORDED = RECORDINGS / "xid" / "xid_actions.csv"


def test_every_entry_is_of_the_known_words() -> None:
    assert len(CATALOGUE.codes()) >= 172
    for code in CATALOGUE.codes():
        entry = CATALOGUE.entry(code)
        assert entry.xid_class in get_args(XidClass)
        assert entry.cause in get_args(CauseClass)
        assert entry.severity in get_args(Severity)
        assert entry.may_page in get_args(MayPage)
        assert entry.immediate in ("", *XID_ACTIONS, "WORKFLOW_XID_45", "XID_154"), code


@pytest.mark.parametrize("code", [13, 31, 43, 45])
def test_application_codes_may_never_page(code: int) -> None:
    assert CATALOGUE.entry(code).may_page == "no"


@pytest.mark.parametrize("code", [48, 62, 64, 74, 79, 95, 119, 120])
def test_the_field_s_critical_codes_are_critical(code: int) -> None:
    assert CATALOGUE.entry(code).severity == "critical"


def test_actions_are_nvidia_s() -> None:
    with RECORDED.open(encoding="utf-8") as file:
        told = {int(row["code"]): row["immediate"] for row in csv.DictReader(file)}
    assert len(told) == 172
    assert {code: CATALOGUE.entry(code).immediate for code in told} == told


def test_a_damaged_catalogue_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.csv"
    path.write_text("code,mnemonic\n1,A,B\n", "utf-8")
    with pytest.raises(ValueError, match="columns"):
        load_catalogue(path)


def test_rules_refuse_an_unknown_number(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text("version = 2\nno_such_rule_seconds = 1.0\n", "utf-8")
    with pytest.raises(ValueError, match="rules file"):
        load_rules(path)


def test_rules_travel_as_json() -> None:
    rules = load_rules()
    assert decode_rules(msgspec.json.encode(rules)) == rules
