"""The counting logic as a subject: every sample is one more in a count."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from typing import Final

from schemas.topics import ALERTS, METRICS_RAW, STATE
from streams.hot_state.position import POSITION_KEY
from streams.settings import Settings
from tests.chaos.counting import ALERT_EVERY, alert, unpack
from tests.chaos.subject import Keyed, Subject
from tests.chaos.truth import Outcome, read_topic

_PAD: Final = b"x" * 80


def samples(seed: int, keys: int) -> Iterator[Keyed]:
    """Yield numbers under the keys, in no order."""
    chance = random.Random(seed)
    while True:
        yield b"gpu-%04d" % chance.randrange(keys), b"%d " % chance.randrange(1000) + _PAD


async def truth(settings: Settings) -> Outcome:
    """Compute the outcome from the raw topic alone."""
    states: dict[bytes, tuple[int, int, int]] = {}
    alerts: Counter[bytes] = Counter()
    async for record in read_topic(settings, METRICS_RAW):
        if record.key is None:
            continue
        count, total, _ = states.get(record.key, (0, 0, -1))
        count, total = count + 1, total + int(record.value.split(b" ", 1)[0])
        states[record.key] = (count, total, record.offset)
        if count % ALERT_EVERY == 0:
            alerts[alert(record.key, count, total, record.offset)] += 1
    return Outcome(dict(states), alerts, sum(count for count, _, _ in states.values()))


async def said(settings: Settings) -> Outcome:
    """Read the outcome from the topics of states and alerts."""
    states: dict[bytes, tuple[int, int, int]] = {}
    async for record in read_topic(settings, STATE):
        if record.key != POSITION_KEY:
            states[record.key] = unpack(record.value)
    alerts = Counter([record.value async for record in read_topic(settings, ALERTS)])
    return Outcome(dict(states), alerts, sum(count for count, _, _ in states.values()))


COUNTING: Final = Subject(("-m", "tests.chaos.worker"), samples, truth, said)
