"""What becomes of a message that cannot be used."""

from __future__ import annotations

from enum import StrEnum

import msgspec

PAYLOAD_LIMIT_BYTES = 64 * 1024
KEY_LIMIT_BYTES = 1024


class Reason(StrEnum):
    """Why a message was refused."""

    EMPTY = "empty"
    NOT_JSON = "not_json"
    NOT_AN_OBJECT = "not_an_object"
    TOO_LARGE = "too_large"
    NO_GPU_ID = "no_gpu_id"
    BAD_GPU_ID = "bad_gpu_id"
    NO_TIME = "no_time"
    BAD_TIME = "bad_time"
    NO_METRICS = "no_metrics"
    CLOCK_AHEAD = "clock_ahead"
    WRONG_PARTITION = "wrong_partition"
    TOO_MANY_GPUS = "too_many_gpus"
    SUPPRESSED = "suppressed"
    REFUSED_BY_RECEIVER = "refused_by_receiver"


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A refused message, or (reason ``suppressed``, offset -1) how many a minute's limit held back.

    ``payload`` is base64, cut at 64 KiB of the original.
    """

    event_id: str
    reason: Reason
    detail: str
    topic: str
    partition: int
    offset: int
    key: str | None
    payload: str
    payload_bytes: int
    at: str
    schema_version: int = 1
