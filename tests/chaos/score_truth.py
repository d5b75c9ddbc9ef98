"""Role score as it is as a subject: what it says and keeps equals an offline replay of the raw topic."""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b
from typing import Any, Final

import msgspec

from agents.score.bundles import NoInputs
from agents.score.state_records import split_key, unpack
from models.gpu import packing
from models.gpu.state import GpuState
from schemas.errors import InvalidMessage
from schemas.ids import digest
from schemas.raw import decode
from schemas.topics import (
    ALERTS,
    DEAD_LETTER,
    EVENTS,
    HEALTH_SCORES,
    HOURS,
    METRICS_RAW,
    RECOMMENDATIONS,
    RISK_SCORES,
    STATE,
)
from streams.hot_state.position import POSITION_KEY
from streams.offline.replay import OfflineReplay
from streams.settings import Settings
from tests.chaos.gpus import samples
from tests.chaos.subject import Subject
from tests.chaos.truth import Outcome, read_topic

_SAID: Final = (ALERTS, EVENTS, HEALTH_SCORES, HOURS, RECOMMENDATIONS, RISK_SCORES)


class _Identified(msgspec.Struct):
    event_id: str


_ID: Final = msgspec.json.Decoder(_Identified)


async def truth(settings: Settings) -> Outcome:
    """Replay the raw topic offline, each GPU by itself in the order of its offsets."""
    inputs = NoInputs()
    replays: dict[str, OfflineReplay] = {}
    said: Counter[bytes] = Counter()
    alerts: dict[bytes, bytes] = {}
    async for record in read_topic(settings, METRICS_RAW):
        try:
            gpu_id = decode(record.value).gpu_id
        except InvalidMessage:
            said[_letter(record.topic, record.partition, record.offset, record.value)] += 1
            continue
        replay = replays.get(gpu_id)
        if replay is None:
            replay = replays[gpu_id] = OfflineReplay(inputs)
        for output in replay.feed((record.value,)):
            # Under another key are the words of role notify, which sees one GPU of a host here.
            if output.topic in _SAID and output.key.decode() == gpu_id:
                told = _told(output.topic, output.value or b"")
                said[told] += 1
                if output.topic == ALERTS:
                    alerts[told] = output.value or b""
    states = {gpu_id: replay.partition.states[gpu_id] for gpu_id, replay in replays.items()}
    return _outcome(states, said, alerts)


async def said(settings: Settings) -> Outcome:
    """Read the states as a restart would, and all that was said."""
    states = await restored(settings)
    found: Counter[bytes] = Counter()
    alerts: dict[bytes, bytes] = {}
    for topic in _SAID:
        async for record in read_topic(settings, topic):
            told = _told(topic, record.value)
            found[told] += 1
            if topic == ALERTS:
                alerts[told] = record.value
    async for record in read_topic(settings, DEAD_LETTER):
        found[_refused(_ID.decode(record.value).event_id)] += 1
    return _outcome(states, found, alerts)


async def restored(settings: Settings) -> dict[str, GpuState]:
    """Return the state of each GPU as a restart finds it."""
    records: dict[str, dict[bytes, bytes]] = {}
    async for record in read_topic(settings, STATE):
        if record.key != POSITION_KEY and record.value is not None:
            gpu_id, kind = split_key(record.key)
            records.setdefault(gpu_id, {})[kind] = record.value
    return {gpu_id: unpack(gpu_id, kinds) for gpu_id, kinds in records.items()}


def _told(topic: str, value: bytes) -> bytes:
    """Return what tells a record from any other: its id, and its content to the last byte."""
    content = blake2b(value, digest_size=8).hexdigest()
    return f"{topic} {_ID.decode(value).event_id} {content}".encode()


def _letter(topic: str, partition: int, offset: int, value: bytes) -> bytes:
    return _refused(digest("dead", topic, partition, offset, blake2b(value).hexdigest()))


def _refused(event_id: str) -> bytes:
    return f"{DEAD_LETTER} {event_id}".encode()


def _outcome(states: dict[str, GpuState], said: Counter[bytes], alerts: dict[bytes, bytes]) -> Outcome:
    samples = sum(state.samples for state in states.values())
    return Outcome({gpu_id.encode(): _kept(state) for gpu_id, state in states.items()}, said, samples, alerts)


def _kept(state: GpuState) -> dict[str, Any]:
    """Return what is kept of a GPU, but for append times, which an offline replay does not have."""
    evidence = msgspec.msgpack.decode(packing.pack_evidence(state))
    for alert in evidence["alerts"]:
        del alert["wait_clock"]
    # Rows that wait for the window's record are in the windows already.
    del evidence["pending_rows"]
    evidence.pop("heard", None)
    windows = (
        state.windows.hour,
        state.windows.day,
        state.windows.hours.rows().tobytes(),
        state.windows.days.rows().tobytes(),
    )
    times = state.first_append_time, state.append_time
    state.first_append_time = state.append_time = 0.0
    hot = packing.pack_hot(state)
    state.first_append_time, state.append_time = times
    return {
        "samples": state.samples,
        "late": state.late_samples,
        "time": state.time,
        "hot": _short(hot),
        "windows": _short(*(part if isinstance(part, bytes) else b"%d" % part for part in windows)),
        "evidence": evidence,
    }


def _short(*parts: bytes) -> str:
    return blake2b(b"".join(parts), digest_size=8).hexdigest()


SCORE: Final = Subject(("-m", "streams", "worker", "--role", "score"), samples, truth, said)
