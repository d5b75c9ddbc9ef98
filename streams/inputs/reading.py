"""Versioned side inputs: read from gpu-inputs before any sample is processed, and followed after."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any, Final

import msgspec
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.structs import ConsumerRecord, TopicPartition

from schemas.errors import UNREADABLE
from schemas.side_input import InputKey, SideInput
from schemas.times import parse_time
from schemas.topics import INPUTS
from streams.background import watched
from streams.kafka.clients import client_options
from streams.settings import Settings

log = logging.getLogger(__name__)

Decode = Callable[[bytes], Any]

_POLL_MS: Final = 1000
_FETCH_WAIT_MS: Final = 500
_AWAY_SECONDS: Final = 1.0
_KEY = msgspec.json.Decoder(InputKey)
_VALUE = msgspec.json.Decoder(SideInput)


@dataclass(frozen=True, slots=True)
class Version:
    """``raw`` is the payload as published, ``payload`` what the kind's decoder made of it."""

    version: int
    effective_from: float
    raw: bytes
    payload: Any


@dataclass(slots=True)
class InputsTable:
    """The versions of every input, in memory (see agents.ports.Inputs).

    Kinds that ``decoders`` does not have, as a later version of the program publishes them, are kept as they are on
    the topic and here, and used by nobody.
    """

    decoders: Mapping[str, Decode]
    _versions: dict[tuple[str, str], dict[int, Version]] = field(default_factory=dict)
    _generation: int = 0

    def newest(self, kind: str, id: str, event_time: float) -> tuple[int, Any] | None:
        """Return (version, payload) of the newest version effective at ``event_time`` (epoch s)."""
        found = [one for one in self._versions.get((kind, id), {}).values() if one.effective_from <= event_time]
        if not found:
            return None
        newest = max(found, key=lambda one: one.version)
        return newest.version, newest.payload

    def generation(self) -> int:
        """Return a number that grows with each change."""
        return self._generation

    def next_change(self, event_time: float) -> float:
        """Return the earliest ``effective_from`` later than ``event_time``; inf: none is known."""
        return min(
            (
                one.effective_from
                for versions in self._versions.values()
                for one in versions.values()
                if one.effective_from > event_time
            ),
            default=inf,
        )

    def latest(self, kind: str, id: str) -> Version | None:
        """Return the version with the highest number, effective or not."""
        versions = self._versions.get((kind, id))
        return versions[max(versions)] if versions else None

    @property
    def unknown(self) -> Counter[str]:
        """How many versions of each kind there are that ``decoders`` does not have."""
        found: Counter[str] = Counter()
        for (kind, _), versions in self._versions.items():
            if kind not in self.decoders and versions:
                found[kind] += len(versions)
        return found

    def take(self, key: bytes | None, value: bytes | None) -> None:
        """Take a record of the topic; one that cannot be read is logged and left out."""
        try:
            named = _KEY.decode(key or b"")
            versions = self._versions.setdefault((named.kind, named.id), {})
            if value is None:
                versions.pop(named.version, None)
            else:
                versions[named.version] = self._version(_VALUE.decode(value))
            self._generation += 1
        except UNREADABLE as error:
            log.warning("A record of %s cannot be read and is left out: %r: %s", INPUTS, key, error)

    def _version(self, record: SideInput) -> Version:
        raw = bytes(record.payload)
        effective = -inf if record.effective_from is None else parse_time(record.effective_from)
        decode = self.decoders.get(record.kind)
        if decode is None:
            return Version(record.version, effective, raw, raw)
        return Version(record.version, effective, raw, decode(raw))


class InputsReader:
    """Keeps an :class:`InputsTable` equal to gpu-inputs.

    Parameters
    ----------
    decoders
        By kind, what makes a typed payload of JSON bytes. Another kind is told once in the log.
    fail
        Called with what ended the following of the topic: inputs that stand still would be used for ever.
    """

    def __init__(
        self, settings: Settings, decoders: Mapping[str, Decode], *, fail: Callable[[BaseException], None]
    ) -> None:
        self._settings = settings
        self._fail = fail
        self._stopping = False
        self._tp = TopicPartition(settings.topic(INPUTS), 0)
        self._reader: AIOKafkaConsumer | None = None
        self._following: asyncio.Task[None] | None = None
        self._told: set[str] = set()
        self.table = InputsTable(decoders)

    async def start(self) -> None:
        """Read the topic to its end, then follow it.

        Raises
        ------
        aiokafka.errors.KafkaError
            The broker is away.
        """
        self._reader = AIOKafkaConsumer(
            isolation_level="read_committed",
            enable_auto_commit=False,
            group_id=None,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=_FETCH_WAIT_MS,
            **client_options(self._settings),
        )
        await self._reader.start()
        await read_to_end(self._reader, self._tp, self._take)
        self._following = watched(self._follow(), f"follow {INPUTS}", fail=self._fail, closing=lambda: self._stopping)

    async def stop(self) -> None:
        """Stop following."""
        self._stopping = True
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait([self._following])
        if self._reader is not None:
            await self._reader.stop()

    def _take(self, record: ConsumerRecord) -> None:
        self.table.take(record.key, record.value)
        for kind in self.table.unknown.keys() - self._told:
            self._told.add(kind)
            log.warning(
                "%s has side inputs of kind %r, which this version does not know: they are kept, not used",
                INPUTS,
                kind,
            )

    async def _follow(self) -> None:
        assert self._reader is not None
        while True:
            try:
                for records in (await self._reader.getmany(timeout_ms=_POLL_MS)).values():
                    for record in records:
                        self._take(record)
            except KafkaError as error:
                log.warning("%s cannot be read now: %r", INPUTS, error)
                await asyncio.sleep(_AWAY_SECONDS)


async def read_to_end(reader: AIOKafkaConsumer, tp: TopicPartition, take: Callable[[ConsumerRecord], None]) -> None:
    """Assign ``tp`` to ``reader`` and give ``take`` every committed record up to the end as it is now."""
    reader.assign([tp])
    end = (await reader.end_offsets([tp]))[tp]
    await reader.seek_to_beginning(tp)
    while await reader.position(tp) < end:
        for record in (await reader.getmany(timeout_ms=_POLL_MS)).get(tp, ()):
            take(record)
