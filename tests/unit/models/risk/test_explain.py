"""The RiskScore record and when it is said."""

from __future__ import annotations

import msgspec
import pytest

from models.risk.explain import due, risk_score, to_published
from models.risk.features import NAMES
from schemas.risk_score import RiskScore
from tests.unit.models.risk.gpu import Gpu

HOUR = 3600.0


def test_record_names_every_feature_and_decodes() -> None:
    gpu = Gpu()
    risk = gpu.run(2 * HOUR)
    record = risk_score(gpu.state, risk, gpu.model)
    assert msgspec.json.decode(msgspec.json.encode(record), type=RiskScore) == record
    assert tuple(record.features) == NAMES
    assert record.features["temp_max_7d"] == pytest.approx(60.0)
    assert record.features["temp_std_7d"] == pytest.approx(0.0, abs=0.1)
    assert record.features["row_remap_pending"] is None  # not reported
    assert record.features["ecc_correctable_7d"] == 0.0  # measured
    assert record.calculated_at == "2026-02-09T14:00:00.000Z"


def test_what_was_never_measured_is_none_not_zero() -> None:
    gpu = Gpu()
    risk = gpu.run(60.0, ecc_mode=0.0)
    record = risk_score(gpu.state, risk, gpu.model)
    assert record.features["ecc_correctable_7d"] is None
    assert record.features["ecc_uncorrectable_30d"] is None


def test_contributions_tell_the_points_and_the_log_odds() -> None:
    gpu = Gpu()
    gpu.run(HOUR)
    gpu.note("dbe")
    risk = gpu.run(10.0, ecc_dbe_volatile_total=1.0)
    record = risk_score(gpu.state, risk, gpu.model)
    assert sum(item.points for item in record.contributions) == pytest.approx(record.risk_score)
    by_name = {item.feature: item for item in record.contributions}
    assert by_name["ecc_uncorrectable_30d"].points == 30.0
    assert by_name["uncorrected_error_floor"].points == 21.0
    assert by_name["memory_events_7d"].log_odds > 0.5


def test_record_id_is_a_function_of_what_it_says() -> None:
    ids = set()
    for _ in range(2):
        gpu = Gpu()
        ids.add(risk_score(gpu.state, gpu.run(HOUR), gpu.model).event_id)
    assert len(ids) == 1


def test_due_first_then_on_a_level_and_each_six_hours() -> None:
    gpu = Gpu()
    risk = gpu.run(10.0)
    assert due(risk, gpu.state.published.risk, gpu.now)
    last = to_published(risk, gpu.now)
    risk = gpu.run(HOUR)
    assert not due(risk, last, gpu.now)
    assert not due(risk, last, last.at + 6 * HOUR - 1.0)
    assert due(risk, last, last.at + 6 * HOUR)
    risk = gpu.run(10.0, ecc_dbe_volatile_total=1.0)
    assert due(risk, last, gpu.now)
