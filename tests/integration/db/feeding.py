"""Records for a writer, as a broker would give them."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from typing import Any

import msgspec

from schemas.topics import METRICS_RAW
from streams.db.writer import Record

_OFFSETS = count()


def raw(at: datetime, gpu_id: str = "GPU-1", *, metrics: dict[str, Any] | None = None, **fields: Any) -> Record:
    """Return a raw message of ``at``, appended a second later."""
    message = {
        "timestamp": at.isoformat(),
        "gpu_id": gpu_id,
        "host_id": "node-1",
        "metrics": {"DCGM_FI_DEV_GPU_TEMP": 60.0} if metrics is None else metrics,
        "interval_seconds": 10,
        **fields,
    }
    return value(METRICS_RAW, msgspec.json.encode(message), at.timestamp() + 1)


def event(topic: str, record: msgspec.Struct) -> Record:
    """Return a record of another topic."""
    return value(topic, msgspec.json.encode(record), datetime.now(UTC).timestamp())


def value(topic: str, content: bytes | None, appended: float) -> Record:
    """Return any value, appended at ``appended`` (epoch s)."""
    return Record(topic, 0, next(_OFFSETS), int(appended * 1000), None, content)
