"""The id and the number of partitions of topics: how a recreated topic is told from the one it replaced.

aiokafka speaks the Metadata API up to version 5; the topic's id came with version 10 (KIP-516). The two
messages below are version 12 as Kafka's protocol guide lists it.

References
----------
https://kafka.apache.org/protocol#The_Messages_Metadata
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from uuid import UUID

from aiokafka.errors import IncompatibleBrokerVersion, for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

_NO_ID = UUID(int=0)


@dataclass(frozen=True, slots=True)
class TopicIdentity:
    """``topic_id`` is empty where the broker (before Kafka 3.1) does not tell it."""

    topic_id: str
    partitions: int


class _Uuid:
    """Sixteen bytes on the wire."""

    @classmethod
    def encode(cls, value: UUID) -> bytes:
        return value.bytes

    @classmethod
    def decode(cls, data: BytesIO) -> UUID:
        return UUID(bytes=data.read(16))

    @classmethod
    def repr(cls, value: UUID) -> str:
        return str(value)


class _MetadataResponse(Response):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 12
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString("utf-8")),
                ("port", Int32),
                ("rack", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", CompactString("utf-8")),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition_index", Int32),
                        ("leader_id", Int32),
                        ("leader_epoch", Int32),
                        ("replica_nodes", CompactArray(Int32)),
                        ("isr_nodes", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("topic_authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _MetadataRequestV12(RequestStruct):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 12
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(("topic_id", _Uuid), ("name", CompactString("utf-8")), ("tags", TaggedFields)),
        ),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _MetadataRequest(Request[_MetadataRequestV12]):  # type: ignore[misc]
    API_KEY = 3

    def __init__(self, topics: Iterable[str]) -> None:
        self._topics: list[tuple[UUID, str, dict[int, bytes]]] = [(_NO_ID, topic, {}) for topic in topics]

    def build(self, request_struct_class: type[_MetadataRequestV12]) -> _MetadataRequestV12:
        return request_struct_class(self._topics, False, False, {})


async def topic_identities(client: Any, topics: Iterable[str]) -> dict[str, TopicIdentity]:
    """Return the identity of each of ``topics`` (the broker's names).

    Parameters
    ----------
    client
        A started ``aiokafka`` consumer; its connection is used.

    Raises
    ------
    aiokafka.errors.KafkaError
        A topic does not exist, or the broker is away.
    """
    names = sorted(set(topics))
    kafka = client._client
    try:
        response = await kafka.send(kafka.get_random_node(), _MetadataRequest(names))
    except (IncompatibleBrokerVersion, NotImplementedError):
        return {name: TopicIdentity("", await _partitions(client, name)) for name in names}
    found: dict[str, TopicIdentity] = {}
    for code, name, topic_id, _internal, partitions, *_ in response.topics:
        if code:
            raise for_code(code)(f"topic {name}")
        found[name] = TopicIdentity("" if topic_id == _NO_ID else str(topic_id), len(partitions))
    return found


async def _partitions(client: Any, topic: str) -> int:
    await client._client._wait_on_metadata(topic)
    return len(client.partitions_for_topic(topic) or ())
