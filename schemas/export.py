"""JSON Schemas of the records on the topics: ``python -m schemas.export`` writes them to docs/schemas."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from schemas import topics
from schemas.alert import AlertEvent
from schemas.dead_letter import DeadLetter
from schemas.failure_event import FailureEvent
from schemas.gpu_event import GpuEvent
from schemas.gpu_hour import GpuHour
from schemas.health_score import HealthScore
from schemas.notification import Notification
from schemas.operator_action import OperatorAction
from schemas.raw import RawMessage
from schemas.recommendation import Recommendation
from schemas.risk_score import RiskScore
from schemas.side_input import SideInput
from schemas.status import GpuStatus

FOLDER: Final = Path(__file__).resolve().parents[1] / "docs" / "schemas"
# The topics of packed state are not here: their values are nobody else's business.
RECORDS: Final[Mapping[str, type[msgspec.Struct]]] = {
    topics.METRICS_RAW: RawMessage,
    topics.DEAD_LETTER: DeadLetter,
    topics.STATUS: GpuStatus,
    topics.HEALTH_SCORES: HealthScore,
    topics.RISK_SCORES: RiskScore,
    topics.HOURS: GpuHour,
    topics.EVENTS: GpuEvent,
    topics.RECOMMENDATIONS: Recommendation,
    topics.ALERTS: AlertEvent,
    topics.NOTIFICATIONS: Notification,
    topics.OPERATOR_ACTIONS: OperatorAction,
    topics.FAILURE_EVENTS: FailureEvent,
    topics.INPUTS: SideInput,
}


def schema_text(topic: str) -> str:
    """Return the JSON Schema of the records on ``topic``.

    >>> '"$ref": "#/$defs/AlertEvent"' in schema_text("gpu-alerts")
    True
    """
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(RECORDS[topic])}
    if topic == topics.METRICS_RAW:
        # Decoding is tolerant so that each lack has its own reason; a sender is told what must be there.
        message = schema["$defs"][RawMessage.__name__]
        del message["properties"]["refused"]
        message["required"] = ["timestamp", "gpu_id"]
    if topic == topics.ALERTS:
        del schema["$defs"][AlertEvent.__name__]["properties"]["action"]  # version 1's name, read only
    return msgspec.json.format(msgspec.json.encode(schema), indent=2).decode() + "\n"


def write(folder: Path = FOLDER) -> None:
    """Write the schema of every topic's records."""
    folder.mkdir(parents=True, exist_ok=True)
    for topic in RECORDS:
        (folder / f"{topic}.json").write_text(schema_text(topic), encoding="utf-8")


if __name__ == "__main__":
    write()
