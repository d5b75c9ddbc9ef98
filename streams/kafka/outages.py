"""One outage is one report: limits what aiokafka logs while a broker is away.

Two workers were measured to log 8,274 lines of 'Unable connect' in 18 s of outage.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Final

_QUIET_SECONDS: Final = 30.0
_LOGGERS: Final = (
    "aiokafka",
    "aiokafka.client",
    "aiokafka.cluster",
    "aiokafka.conn",
    "aiokafka.consumer.consumer",
    "aiokafka.consumer.fetcher",
    "aiokafka.consumer.group_coordinator",
    "aiokafka.producer.message_accumulator",
    "aiokafka.producer.sender",
    "aiokafka.producer.transaction_manager",
)


@dataclass(slots=True)
class _Repeated:
    since: float
    count: int = 0


class RepeatFilter(logging.Filter):
    """Lets one record of a message template through in ``quiet_seconds``, and says how many it held back.

    >>> record = logging.LogRecord("aiokafka", logging.ERROR, "", 0, "Unable connect to %s", ("n1",), None)
    >>> repeats = RepeatFilter(quiet_seconds=30.0, clock=lambda: 0.0)
    >>> repeats.filter(record), repeats.filter(record)
    (True, False)
    """

    def __init__(self, quiet_seconds: float = _QUIET_SECONDS, clock: Callable[[], float] = monotonic) -> None:
        super().__init__()
        self._quiet = quiet_seconds
        self._clock = clock
        self._seen: dict[tuple[str, str], _Repeated] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether ``record`` is worth a line."""
        if record.levelno < logging.WARNING:
            return True
        now = self._clock()
        template = (record.name, str(record.msg))
        seen = self._seen.get(template)
        if seen is not None and now - seen.since < self._quiet:
            seen.count += 1
            return False
        if seen is not None and seen.count:
            record.msg = f"{record.getMessage()} ({seen.count} more like it in {now - seen.since:.0f} s)"
            record.args = ()
        self._seen[template] = _Repeated(now)
        return True


def limit_repeats(repeats: RepeatFilter | None = None) -> None:
    """Attach one filter to aiokafka's loggers (a filter of a parent does not see its children's records)."""
    repeats = repeats or RepeatFilter()
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(repeats)
