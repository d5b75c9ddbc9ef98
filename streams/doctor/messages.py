"""What of the messages that come is refused, late, or dated wrong: said by the topics themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from schemas.dead_letter import DeadLetter, Reason
from schemas.errors import UNREADABLE
from schemas.status import GpuStatus
from schemas.topics import DEAD_LETTER, STATUS
from streams.clock import SystemClock
from streams.doctor.finding import Finding
from streams.kafka.clients import client_options
from streams.settings import Settings

_DAY_SECONDS: Final = 86_400.0
_POLL_MS: Final = 500
_MOST_LETTERS: Final = 20_000
_NAMED: Final = 5
_LETTER: Final = msgspec.json.Decoder(DeadLetter)
_STATUS: Final = msgspec.json.Decoder(GpuStatus)


async def check_messages(settings: Settings) -> list[Finding]:
    """Return findings about dead letters of the last day, late samples by source, and wrong clocks."""
    consumer = AIOKafkaConsumer(
        isolation_level="read_committed", enable_auto_commit=False, group_id=None, **client_options(settings)
    )
    await consumer.start()
    try:
        letters, statuses = await _partitions_of(settings, DEAD_LETTER, STATUS)
        return [await _letters(consumer, letters, settings), *await _statuses(consumer, statuses)]
    finally:
        await consumer.stop()


async def _partitions_of(settings: Settings, *names: str) -> list[list[TopicPartition]]:
    admin = AIOKafkaAdminClient(**client_options(settings))
    await admin.start()
    try:
        described = await admin.describe_topics([settings.topic(name) for name in names])
    finally:
        await admin.close()
    found = {one["topic"]: [part["partition"] for part in one["partitions"]] for one in described}
    return [[TopicPartition(topic, number) for number in found[topic]] for topic in map(settings.topic, names)]


async def _letters(consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition], settings: Settings) -> Finding:
    reasons: Counter[str] = Counter()
    newest = ""

    def take(value: bytes) -> None:
        nonlocal newest
        letter = _LETTER.decode(value)
        reasons[letter.reason] += 1
        newest = f"{letter.detail or letter.reason} ({letter.at})"

    since = SystemClock().time() - _DAY_SECONDS
    await _read(consumer, partitions, take, since=since, most=_MOST_LETTERS)
    if not reasons:
        return Finding(check="messages", state="ok", what="no message was refused in 24 h")
    counted = ", ".join(f"{reason} {count}" for reason, count in reasons.most_common())
    more = " and more, counted by the minute" if Reason.SUPPRESSED in reasons else ""
    return Finding(
        check="messages",
        state="warning",
        what=f"{sum(reasons.values())} messages were refused in 24 h{more}",
        evidence=f"{counted}; the newest: {newest}"[:400],
        repair=f"read them: kcat -b {settings.broker} -t {settings.topic(DEAD_LETTER)} -o -10 -e; docs/messages.md",
    )


async def _statuses(consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition]) -> list[Finding]:
    late: dict[str, tuple[str, int]] = {}
    wrong: dict[str, float] = {}

    def take(value: bytes) -> None:
        status = _STATUS.decode(value)
        late[status.gpu_id] = (status.source or "unnamed source", status.late_samples)
        wrong.pop(status.host_id, None)
        if status.clock_ahead_seconds:
            wrong[status.host_id] = status.clock_ahead_seconds

    await _read(consumer, partitions, take)
    findings: list[Finding] = []
    by_source: Counter[str] = Counter()
    for source, count in late.values():
        by_source[source] += count
    if total := sum(by_source.values()):
        counted = ", ".join(f"{source} {count}" for source, count in by_source.most_common() if count)
        findings.append(
            Finding(
                check="messages",
                state="ok",
                what=f"{total} samples were not newer than their GPU's last, since each was first seen",
                evidence=counted,
            )
        )
    if wrong:
        worst = sorted(wrong, key=lambda host_id: -abs(wrong[host_id]))[:_NAMED]
        findings.append(
            Finding(
                check="clock",
                state="problem",
                what=f"{len(wrong)} hosts date their samples wrong",
                evidence=", ".join(f"{host_id or 'unnamed'} {wrong[host_id]:+.0f} s" for host_id in worst),
                repair="run an NTP client on them (chronyc tracking, timedatectl)",
            )
        )
    return findings


async def _read(
    consumer: AIOKafkaConsumer,
    partitions: Sequence[TopicPartition],
    take: Callable[[bytes], None],
    *,
    since: float | None = None,
    most: int | None = None,
) -> None:
    """Give ``take`` the values of ``partitions``, up to their ends as they are now.

    ``since`` (epoch s) and ``most`` (records a partition) bound what is read. What cannot be read is passed by.
    """
    ends = await consumer.end_offsets(partitions)
    begins = await consumer.beginning_offsets(partitions)
    if since is not None:
        found = await consumer.offsets_for_times({tp: int(since * 1000) for tp in partitions})
        begins = {tp: ends[tp] if found[tp] is None else found[tp].offset for tp in partitions}
    consumer.assign(partitions)
    for tp in partitions:
        consumer.seek(tp, max(begins[tp], 0 if most is None else ends[tp] - most))
    waiting = set(partitions)
    while waiting:
        for records in (await consumer.getmany(timeout_ms=_POLL_MS)).values():
            for record in records:
                if record.value is not None:
                    try:
                        take(record.value)
                    except UNREADABLE:
                        continue
        waiting = {tp for tp in waiting if await consumer.position(tp) < ends[tp]}
