"""The counters file that is given to exporters: its format, its names, and that it feeds every score."""

from __future__ import annotations

from pathlib import Path

from schemas.signals import ALIASES
from streams.doctor.exporter import ADVISED, REQUIRED

FILE = Path(__file__).parents[3] / "deploy" / "dcgm-counters.csv"
LINES = [line for line in FILE.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]


def test_every_line_has_the_three_fields_that_the_exporter_takes() -> None:
    for line in LINES:
        fields = [field.strip() for field in line.split(",")]
        assert len(fields) == 3, line
        assert fields[1] in ("gauge", "counter", "label"), line
        assert all(fields), line


def test_every_name_is_known_and_stands_once() -> None:
    names = [line.split(",")[0] for line in LINES]
    assert len(names) == len(set(names))
    labels = {line.split(",")[0] for line in LINES if line.split(",")[1].strip() == "label"}
    assert {name for name in names if name not in ALIASES} == labels


def test_counters_are_declared_as_what_they_are() -> None:
    for name, kind in ((line.split(",")[0], line.split(",")[1].strip()) for line in LINES):
        if kind != "label":
            assert (kind == "counter") == (ALIASES[name].signal.kind == "counter"), name


def test_it_feeds_every_score() -> None:
    sent = {ALIASES[line.split(",")[0]].signal.name for line in LINES if line.split(",")[0] in ALIASES}
    for table in (REQUIRED, ADVISED):
        for purpose, groups in table.items():
            for group in groups:
                assert sent.intersection(group), purpose
