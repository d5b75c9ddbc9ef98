"""RawMessage: what travels on gpu-metrics-raw, and its decoding, which never raises but for InvalidMessage."""

from __future__ import annotations

import json
import math
from itertools import islice
from typing import Annotated, Any, Final

import msgspec

from schemas.dead_letter import Reason
from schemas.errors import InvalidMessage

MAX_MESSAGE_BYTES: Final = 4 * 1024 * 1024
MAX_ID_LENGTH: Final = 200
HOST_PREFIX: Final = "host:"
# What a sender may make others keep: texts go into every record of the GPU and into its state, whose topics
# take about 1 MB a record. Longer ones are cut, the rest of longer lists is left out; both are told.
MAX_TEXT_LENGTH: Final = 1024
MAX_LINE_LENGTH: Final = 4096
MAX_LABELS: Final = 64
MAX_EVENTS: Final = 1000
MAX_METRICS: Final = 2000
MAX_CODE: Final = 2**31 - 1

MetricValue = float | str | None
_Text = Annotated[str, msgspec.Meta(max_length=MAX_TEXT_LENGTH)]
_Line = Annotated[str, msgspec.Meta(max_length=MAX_LINE_LENGTH)]
_Code = Annotated[int, msgspec.Meta(ge=-MAX_CODE, le=MAX_CODE)]


class RawEvent(msgspec.Struct, kw_only=True, gc=False):
    """One event inside a message; for ``xid`` the code and the log line."""

    type: _Text
    code: _Code | None = None
    pci_bus_id: _Text | None = None
    line: _Line | None = None
    timestamp: str | float | None = None


class RawMessage(msgspec.Struct, kw_only=True, gc=False):
    """One collection tick of one GPU, or of a host (``gpu_id`` is ``host:<host_id>``).

    ``metrics`` holds values in the raw unit of the name that they have; ``refused`` the names whose value
    had an impossible type, with the reason.
    """

    timestamp: str | float | None = None
    gpu_id: str = ""
    host_id: _Text = ""
    metrics: Annotated[dict[str, MetricValue], msgspec.Meta(max_length=MAX_METRICS)] = {}
    labels: Annotated[dict[_Text, _Text], msgspec.Meta(max_length=MAX_LABELS)] | None = None
    events: Annotated[list[RawEvent], msgspec.Meta(max_length=MAX_EVENTS)] | None = None
    interval_seconds: float | None = None
    source: _Text | None = None
    schema_version: int | None = None
    refused: dict[str, str] | None = None


_decode_strict: Final = msgspec.json.Decoder(RawMessage).decode


def decode(value: bytes | None) -> RawMessage:
    """Return the message of a record's value.

    A value of a wrong type costs that value only: it is put into ``refused``.

    Raises
    ------
    InvalidMessage
        No JSON object, too large, without a usable gpu_id, or without a time.

    >>> decode(b'{"gpu_id": "GPU-1", "timestamp": 1770638400, "metrics": {"temp_gpu": 65}}').metrics
    {'temp_gpu': 65.0}
    """
    if not value:
        raise InvalidMessage(Reason.EMPTY, "the record has no value")
    if len(value) > MAX_MESSAGE_BYTES:
        raise InvalidMessage(Reason.TOO_LARGE, f"{len(value)} bytes, the limit is {MAX_MESSAGE_BYTES}")
    try:
        message = _decode_strict(value)
        message.refused = None  # ours to say
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        message = _decode_tolerant(value)
    return checked(message)


def checked(message: RawMessage) -> RawMessage:
    """Return ``message``, which says of whom and of when it is.

    Raises
    ------
    InvalidMessage
        It has no usable gpu_id, or no time.
    """
    gpu_id = message.gpu_id
    if not gpu_id:
        raise InvalidMessage(Reason.NO_GPU_ID, "gpu_id is missing or empty")
    if len(gpu_id) > MAX_ID_LENGTH or not gpu_id.isprintable() or gpu_id != gpu_id.strip():
        raise InvalidMessage(Reason.BAD_GPU_ID, f"gpu_id {gpu_id[:60]!r} is not an id")
    if message.timestamp is None or message.timestamp == "":
        raise InvalidMessage(Reason.NO_TIME, "timestamp is missing")
    return message


def _decode_tolerant(value: bytes) -> RawMessage:
    """Decode with Python's parser, which takes NaN, huge numbers and damaged UTF-8, and keep what is usable.

    What the strict decoder refuses for its length alone comes here too, to be cut.
    """
    try:
        parsed = json.loads(value.decode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        raise InvalidMessage(Reason.NOT_JSON, str(error)[:200]) from error
    if not isinstance(parsed, dict):
        raise InvalidMessage(Reason.NOT_AN_OBJECT, f"the value is a JSON {type(parsed).__name__}")
    refused: dict[str, str] = {}
    metrics: dict[str, MetricValue] = {}
    raw_metrics = parsed.get("metrics")
    if raw_metrics is not None and not isinstance(raw_metrics, dict):
        raise InvalidMessage(Reason.NO_METRICS, f"metrics is a JSON {type(raw_metrics).__name__}")
    if raw_metrics is not None and len(raw_metrics) > MAX_METRICS:
        refused["metrics"] = "too_many"
    for written, raw in islice((raw_metrics or {}).items(), MAX_METRICS):
        name = _clean(written)
        number = _number(raw)
        if raw is None or isinstance(raw, str):
            metrics[name] = raw
        elif number is None:
            refused[name] = "not_finite" if type(raw) in (int, float) else "wrong_type"
        else:
            metrics[name] = number
    timestamp = parsed.get("timestamp")
    gpu_id = parsed.get("gpu_id")
    host_id = parsed.get("host_id")
    return RawMessage(
        timestamp=timestamp if isinstance(timestamp, str) else _number(timestamp),
        gpu_id=_clean(gpu_id) if isinstance(gpu_id, str) else "",
        host_id=_text(host_id) or "",
        metrics=metrics,
        labels=_labels(parsed.get("labels"), refused),
        events=_events(parsed.get("events"), refused),
        interval_seconds=_number(parsed.get("interval_seconds")),
        source=_text(parsed.get("source")),
        refused=refused,
    )


def _clean(text: str) -> str:
    """Lone surrogates cannot be encoded again: replace them."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _text(value: Any, limit: int = MAX_TEXT_LENGTH) -> str | None:
    return _clean(value[:limit]) if isinstance(value, str) else None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _labels(value: Any, refused: dict[str, str]) -> dict[str, str] | None:
    if not isinstance(value, dict):
        return None
    labels: dict[str, str] = {}
    for name, text in islice(value.items(), MAX_LABELS):
        if text is None:
            continue
        written = str(text)
        labels[_clean(name[:MAX_TEXT_LENGTH])] = _clean(written[:MAX_TEXT_LENGTH])
        if max(len(name), len(written)) > MAX_TEXT_LENGTH:
            refused["labels"] = "too_long"
    if len(value) > MAX_LABELS:
        refused["labels"] = "too_many"
    return labels


def _events(value: Any, refused: dict[str, str]) -> list[RawEvent] | None:
    if value is None:
        return None
    if not isinstance(value, list):
        refused["events"] = "wrong_type"
        return None
    events: list[RawEvent] = []
    if len(value) > MAX_EVENTS:
        refused["events"] = "too_many"
    for index, item in enumerate(value[:MAX_EVENTS]):
        kind = item.get("type") if isinstance(item, dict) else None
        if not isinstance(kind, str):
            refused[f"events[{index}]"] = "wrong_type"
            continue
        code = _number(item.get("code")) if not isinstance(item.get("code"), str) else _code(item["code"])
        timestamp = item.get("timestamp")
        events.append(
            RawEvent(
                type=_clean(kind[:MAX_TEXT_LENGTH]),
                code=int(code) if code is not None and abs(code) <= MAX_CODE else None,
                pci_bus_id=_text(item.get("pci_bus_id")),
                line=_text(item.get("line"), MAX_LINE_LENGTH),
                timestamp=timestamp if isinstance(timestamp, str) else _number(timestamp),
            )
        )
    return events


def _code(text: str) -> float | None:
    return float(text) if text.isdecimal() and len(text) < 10 else None
