"""What a sender can do wrong, through a real broker and role score: refused with a reason, and nothing else hurt."""

from __future__ import annotations

import asyncio
import base64
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from time import monotonic, time
from typing import Final, cast

from aiokafka import AIOKafkaProducer

from agents.score.partition import ScorePartition
from models.gpu.state import GpuState
from schemas.dead_letter import PAYLOAD_LIMIT_BYTES
from schemas.raw import MAX_MESSAGE_BYTES
from schemas.topics import DEAD_LETTER, METRICS_RAW, STATUS
from streams.hot_state.owned_partitions import OwnedPartitions
from streams.kafka.clients import client_options
from streams.kafka.topics import MAX_RECORD_BYTES
from streams.roles.score import assemble
from streams.settings import Settings
from streams.telemetry.registry import Telemetry
from tests.integration.bad_messages import accepted, large, message, noise, refused
from tests.integration.test_score_role import records

GPUS: Final = [f"GPU-{number}" for number in range(8)]
NOISE: Final = 100_000
ROUNDS: Final = 20


class Worker:
    """Role score in this process."""

    def __init__(self, owned: OwnedPartitions, telemetry: Telemetry) -> None:
        self._owned = owned
        self._telemetry = telemetry

    def samples(self) -> dict[str, int]:
        """Return how many samples of each GPU were scored."""
        return {gpu_id: state.samples for gpu_id, state in self.states().items()}

    def states(self) -> dict[str, GpuState]:
        """Return the state of every GPU."""
        logics = [cast(ScorePartition, runner.logic) for runner in self._owned.runners.values()]
        return {gpu_id: state for logic in logics for gpu_id, state in logic.states.items()}

    def dead(self) -> dict[str, int]:
        """Return how many messages were refused, by reason."""
        found = {
            sample.labels["reason"]: int(sample.value)
            for metric in self._telemetry.dead_letters.collect()
            for sample in metric.samples
            if sample.name.endswith("_total")
        }
        return {reason: count for reason, count in found.items() if count}

    async def until(self, samples: int, dead: int) -> None:
        """Wait until so many samples are scored and refusals counted, and nothing waits any more."""
        deadline = monotonic() + 90.0
        while (
            sum(self.samples().values()) < samples
            or sum(self.dead().values()) < dead
            or any(lag for _, lag in self._owned.lags())
        ):
            assert monotonic() < deadline, f"{self.samples()}, {self.dead()}, lags {self._owned.lags()}"
            await asyncio.sleep(0.1)


@asynccontextmanager
async def scoring(settings: Settings) -> AsyncIterator[Worker]:
    """Run the role; it must not have failed at the end."""
    telemetry = Telemetry("score", 0)
    app, owned = assemble(settings, telemetry=telemetry)
    await app.start()
    try:
        yield Worker(owned, telemetry)
    finally:
        await app.stop()
    assert not app.failed, repr(app.failure)


async def send(settings: Settings, messages: Iterable[tuple[str | None, bytes | None]]) -> None:
    """Send (key, value)."""
    producer = AIOKafkaProducer(**client_options(settings), max_request_size=MAX_RECORD_BYTES, linger_ms=5)
    await producer.start()
    try:
        topic = settings.topic(METRICS_RAW)
        for key, value in messages:
            await producer.send(topic, key=key.encode() if key is not None else None, value=value)
        await producer.flush()
    finally:
        await producer.stop()


async def test_every_kind_of_bad_message_has_its_reason(topics: Settings) -> None:
    """Each is a dead letter; the messages beside them, and those with bad parts, are all scored."""
    now = time() - 600.0
    bad = refused(now)
    mixed: list[tuple[str | None, bytes | None]] = []
    for number, (value, _) in enumerate(bad):
        mixed.append(("GPU-0", value))
        mixed.append(("GPU-1", message("GPU-1", now + number)))
    hostile = accepted("GPU-2", now)
    mixed += [("GPU-2", value) for value in hostile]
    async with scoring(topics) as worker:
        await send(topics, mixed)
        await worker.until(len(bad) + len(hostile), len(bad))
        assert worker.dead() == Counter(reason.value for _, reason in bad)
        assert worker.samples() == {"GPU-1": len(bad), "GPU-2": len(hostile)}
    letters = await records(topics, DEAD_LETTER)
    assert Counter(one["reason"] for one in letters) == Counter(reason.value for _, reason in bad)
    assert {one["key"] for one in letters} == {"GPU-0"}
    assert max(len(base64.b64decode(one["payload"])) for one in letters) == PAYLOAD_LIMIT_BYTES
    statuses = {one["gpu_id"]: one for one in await records(topics, STATUS)}
    assert set(statuses) == {"GPU-1", "GPU-2"}


async def test_large_messages_pass_and_larger_ones_are_refused(topics: Settings) -> None:
    """2 MB is scored, also where it has to be sent on under its key; beyond the limit it is a dead letter whose
    key and payload are cut. A restart restores what they left behind."""
    now = time() - 600.0
    heavy = [large(gpu_id, now, 2_000_000) for gpu_id in GPUS]
    over = large("GPU-0", now, MAX_MESSAGE_BYTES + 10_000)
    async with scoring(topics) as worker:
        await send(topics, [("another key", value) for value in heavy])
        await send(topics, [("k" * 50_000, over), ("GPU-9", message("GPU-9", now))])
        await worker.until(9, 1)  # what was sent on comes back after a checkpoint
        assert worker.samples() == dict.fromkeys([*GPUS, "GPU-9"], 1)
        assert worker.dead() == {"too_large": 1}
        assert all(len(worker.states()[gpu_id].labels["note"]) <= 1024 for gpu_id in GPUS)
    (letter,) = await records(topics, DEAD_LETTER)
    assert letter["payload_bytes"] == len(over)
    assert len(base64.b64decode(letter["payload"])) == PAYLOAD_LIMIT_BYTES
    assert len(letter["key"]) <= 1024
    async with scoring(topics) as worker:
        await send(topics, [("GPU-9", message("GPU-9", now + 10.0))])
        await worker.until(10, 0)
        assert worker.samples() == {**dict.fromkeys(GPUS, 1), "GPU-9": 2}


async def test_a_flood_of_noise_costs_nothing_valid(topics: Settings) -> None:
    """100,000 random byte strings between the samples of eight GPUs: all are counted, as many as a minute may
    have are dead letters, and every sample is scored."""
    now = time() - 600.0
    step = NOISE // ROUNDS
    mixed: list[tuple[str | None, bytes | None]] = []
    for number, value in enumerate(noise(NOISE, seed=9)):
        mixed.append((None, value))
        if number % step == 0:
            mixed += [(gpu_id, message(gpu_id, now + number // step * 10.0)) for gpu_id in GPUS]
    async with scoring(topics) as worker:
        await send(topics, mixed)
        await worker.until(ROUNDS * len(GPUS), NOISE)
        assert sum(worker.dead().values()) == NOISE
        assert worker.samples() == dict.fromkeys(GPUS, ROUNDS)
    letters = [one for one in await records(topics, DEAD_LETTER) if one["reason"] != "suppressed"]
    assert topics.dead_letters_per_minute <= len(letters) <= 3 * topics.dead_letters_per_minute
    assert len({(one["partition"], one["offset"]) for one in letters}) == len(letters)
