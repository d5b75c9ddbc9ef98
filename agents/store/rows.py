"""Event records to rows: what role store writes, without a database and without a broker."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final, Literal, NamedTuple

import msgspec

from schemas import topics
from schemas.alert import AlertEvent
from schemas.dead_letter import DeadLetter
from schemas.errors import UNREADABLE
from schemas.failure_event import FailureEvent
from schemas.gpu_event import GpuEvent
from schemas.gpu_hour import GpuHour
from schemas.health_score import HealthScore
from schemas.notification import Notification
from schemas.operator_action import OperatorAction
from schemas.recommendation import Recommendation
from schemas.risk_score import RiskScore

ColumnType = Literal["text", "timestamptz", "bigint", "double precision", "boolean", "jsonb"]

_TIMES: Final = frozenset(
    ["at", "calculated_at", "decided_at", "starts_at", "updated_at", "ends_at", "failed_at", "hour"]
)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of an event table: the field of that name."""

    name: str
    type: ColumnType
    nullable: bool


@dataclass(frozen=True, slots=True)
class EventTable:
    """Where the records of one topic go.

    Parameters
    ----------
    topic
        Name without the prefix of the settings.
    name
        Table; its columns are the fields of ``record``.
    key
        The record's id, unique in the table.
    time
        Column that says when it happened: what retention and queries go by.
    by_gpu
        Whether look-ups go by ``gpu_id`` and ``time``.
    """

    topic: str
    name: str
    record: type[msgspec.Struct]
    key: str
    time: str
    by_gpu: bool
    columns: tuple[Column, ...]


class Row(NamedTuple):
    """One row; ``values`` in the order of the columns of ``table``."""

    table: str
    values: tuple[Any, ...]


class UnreadableRecord(Exception):
    """A record of another system or of a newer schema: it is not stored."""


def _column(name: str, hint: Any) -> Column:
    choices = typing.get_args(hint) if typing.get_origin(hint) in (types.UnionType, typing.Union) else (hint,)
    nullable = type(None) in choices
    (kind,) = [choice for choice in choices if choice is not type(None)]
    if typing.get_origin(kind) is Literal or (isinstance(kind, type) and issubclass(kind, Enum)):
        kind = str
    by_kind: Mapping[Any, ColumnType] = {
        str: "timestamptz" if name in _TIMES else "text",
        bool: "boolean",
        int: "bigint",
        float: "double precision",
    }
    return Column(name, by_kind.get(kind, "jsonb"), nullable)


def _table(
    topic: str, name: str, record: type[msgspec.Struct], time: str, key: str = "event_id", by_gpu: bool = True
) -> EventTable:
    # A field that may be unset is an old name that is read and never written.
    fields = (field for field in msgspec.structs.fields(record) if field.default is not msgspec.UNSET)
    columns = tuple(_column(field.name, field.type) for field in fields)
    return EventTable(topic, name, record, key, time, by_gpu, columns)


EVENT_TABLES: Final = (
    _table(topics.HEALTH_SCORES, "gpu_health_scores", HealthScore, "calculated_at"),
    _table(topics.RISK_SCORES, "gpu_risk_scores", RiskScore, "calculated_at"),
    _table(topics.HOURS, "gpu_hours", GpuHour, "hour"),
    _table(topics.EVENTS, "gpu_events", GpuEvent, "at"),
    _table(topics.ALERTS, "gpu_alerts", AlertEvent, "updated_at"),
    _table(topics.RECOMMENDATIONS, "gpu_recommendations", Recommendation, "decided_at"),
    _table(topics.NOTIFICATIONS, "gpu_notifications", Notification, "at", "notification_id", by_gpu=False),
    _table(topics.OPERATOR_ACTIONS, "gpu_operator_actions", OperatorAction, "at", "action_id", by_gpu=False),
    _table(topics.FAILURE_EVENTS, "gpu_failure_events", FailureEvent, "failed_at"),
    _table(topics.DEAD_LETTER, "gpu_dead_letters", DeadLetter, "at", by_gpu=False),
)


def moment(text: str) -> datetime:
    """Return the time of an RFC 3339 text; a naive one is UTC.

    >>> moment("2026-02-09T12:00:00Z").isoformat()
    '2026-02-09T12:00:00+00:00'
    """
    parsed = datetime.fromisoformat(text)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def storable_text(text: str) -> str:
    """Return ``text`` without what PostgreSQL's text cannot hold: NUL and lone surrogates.

    >>> storable_text("line" + chr(0)) == "line" + chr(0xFFFD)
    True
    """
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def storable_json(value: object) -> bytes:
    """Return JSON that jsonb takes: NUL characters replaced."""
    encoded = msgspec.json.encode(value)
    if b"\\u0000" in encoded:
        encoded = msgspec.json.encode(_without_nul(msgspec.json.decode(encoded)))
    return encoded


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, list):
        return [_without_nul(item) for item in value]
    if isinstance(value, dict):
        return {storable_text(name): _without_nul(item) for name, item in value.items()}
    return value


_CONVERT: Final[Mapping[ColumnType, Callable[[Any], Any] | None]] = {
    "text": lambda value: storable_text(str(value)),
    "timestamptz": moment,
    "jsonb": storable_json,
    "bigint": None,
    "double precision": None,
    "boolean": None,
}


class RowMaker:
    """Turns the records of one topic into rows of its table."""

    def __init__(self, table: EventTable) -> None:
        self.table = table
        self._decode = msgspec.json.Decoder(table.record).decode
        self._converters = tuple((column.name, _CONVERT[column.type]) for column in table.columns)

    def row(self, value: bytes) -> Row:
        """Return the row of a record's JSON.

        Raises
        ------
        UnreadableRecord
            Not a record of this topic.
        """
        try:
            record = self._decode(value)
            return Row(self.table.name, tuple(self._values(record)))
        except UNREADABLE as error:
            raise UnreadableRecord(f"{self.table.topic}: {error}") from error

    def _values(self, record: msgspec.Struct) -> typing.Iterator[Any]:
        for name, convert in self._converters:
            value = getattr(record, name)
            yield value if value is None or convert is None else convert(value)
