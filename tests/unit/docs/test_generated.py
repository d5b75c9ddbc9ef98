"""What is made from code is current, and says something about everything."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from schemas import export, topics
from streams import rules_doc, settings_doc
from streams.kafka.topics import topic_specs
from streams.settings import Settings

DOCS = Path(__file__).parents[3] / "docs"
STATE_TOPICS = {topics.STATE, topics.NOTIFY_STATE}
GUIDE_MESSAGE = {
    "timestamp": "2026-02-09T12:00:00.123456",
    "gpu_id": "GPU-1",
    "host_id": "node-1",
    "metrics": {"DCGM_FI_DEV_GPU_TEMP": 65.0, "DCGM_FI_DEV_POWER_USAGE": None, "util_gpu": "95"},
}


def test_settings_are_current() -> None:
    """Else run ``python -m streams.settings_doc``."""
    assert (DOCS / "settings.md").read_text("utf-8") == settings_doc.document()


def test_the_tables_of_alerts_are_current() -> None:
    """Else run ``python -m streams.rules_doc``."""
    text = (DOCS / "alerts.md").read_text("utf-8")
    assert rules_doc.document(text) == text


def test_a_table_without_its_place_is_refused() -> None:
    with pytest.raises(ValueError, match="no place for the table of rules"):
        rules_doc.document("# Alerts\n")


def test_every_setting_says_what_it_is() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


@pytest.mark.parametrize("topic", export.RECORDS)
def test_schemas_are_current(topic: str) -> None:
    """Else run ``python -m schemas.export``."""
    assert (DOCS / "schemas" / f"{topic}.json").read_text("utf-8") == export.schema_text(topic)


def test_every_topic_has_its_schema_and_its_place_in_the_document() -> None:
    names = {spec.name for spec in topic_specs(Settings())}
    assert set(export.RECORDS) == names - STATE_TOPICS
    assert {file.stem for file in (DOCS / "schemas").iterdir()} == set(export.RECORDS)
    text = (DOCS / "topics.md").read_text("utf-8")
    assert [name for name in names if f"`{name}`" not in text] == []


def test_the_schema_of_the_raw_message_takes_what_is_a_message() -> None:
    schema = json.loads(export.schema_text(topics.METRICS_RAW))
    jsonschema.validate(GUIDE_MESSAGE, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"metrics": {}}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**GUIDE_MESSAGE, "metrics": {"temp_gpu": [65]}}, schema)
