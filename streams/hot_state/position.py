"""The record ``__pos__`` of a state topic: how far its inputs were processed, and which inputs they were."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from schemas.errors import ShutdownError
from streams.transport.identity import TopicIdentity

POSITION_KEY: Final = b"__pos__"


class InputPosition(msgspec.Struct, frozen=True):
    """One input topic: what it was, and the next offset to process of each partition that is followed."""

    topic_id: str
    partitions: int
    offsets: dict[int, int]


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """Value of the record; ``inputs`` by the topic's name without the prefix of the settings."""

    inputs: dict[str, InputPosition]
    extra: dict[str, Any] = {}
    schema_version: int = 1


_DECODER = msgspec.json.Decoder(Position)


def decode(value: bytes) -> Position:
    """Read a record.

    Raises
    ------
    ShutdownError
        Not a position, or one that a later version wrote.
    """
    try:
        position = _DECODER.decode(value)
    except msgspec.DecodeError as error:
        raise ShutdownError(f"the record __pos__ of the state topic cannot be read: {error}") from error
    if position.schema_version != 1:
        raise ShutdownError(
            f"the state topic was written by a later version (position {position.schema_version}, this one "
            "reads 1); run that version, or delete the state topic and the group's offsets to start anew"
        )
    return position


def encode(
    positions: Mapping[tuple[str, int], int],
    identities: Mapping[str, TopicIdentity],
    extra: Mapping[str, Any],
) -> bytes:
    """Write a record; ``positions`` are the next offsets by (topic, partition)."""
    offsets: dict[str, dict[int, int]] = {}
    for (topic, partition), offset in positions.items():
        offsets.setdefault(topic, {})[partition] = offset
    inputs = {
        topic: InputPosition(identities[topic].topic_id, identities[topic].partitions, by_partition)
        for topic, by_partition in offsets.items()
    }
    return msgspec.json.encode(Position(inputs=inputs, extra=dict(extra)))


def verify(topic: str, recorded: InputPosition, now: TopicIdentity, ends: Mapping[int, int], repair: str) -> None:
    """Stop where the input is no longer the one that the state was made from.

    Parameters
    ----------
    ends
        End offset of each recorded partition.
    repair
        What a person does to start anew; ends the message.

    Raises
    ------
    ShutdownError
        Another number of partitions, another topic of the same name, or a position beyond the end.
    """
    if recorded.partitions != now.partitions:
        raise ShutdownError(
            f"{topic} has {now.partitions} partitions, but the state was made with {recorded.partitions}: keys "
            f"lie elsewhere now. Give {topic} its {recorded.partitions} partitions back, or {repair}"
        )
    if recorded.topic_id and now.topic_id and recorded.topic_id != now.topic_id:
        raise ShutdownError(
            f"{topic} was deleted and created again (id {now.topic_id}, the state was made from "
            f"{recorded.topic_id}). To start from the new topic, {repair}"
        )
    for partition, offset in recorded.offsets.items():
        if offset > ends.get(partition, offset):
            raise ShutdownError(
                f"{topic} partition {partition} ends at {ends[partition]}, but it was processed up to {offset}: "
                f"the topic was recreated or lost records. To start from what is there, {repair}"
            )
