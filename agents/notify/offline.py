"""Role notify's decisions in an offline replay: on role score's outputs, in event time, and nothing is sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from agents.notify.decisions import NotifyLogic
from agents.notify.faults import TOGETHER_SECONDS
from agents.ports import Output
from schemas.alert import AlertEvent
from schemas.status import GpuStatus
from schemas.times import parse_time
from schemas.topics import ALERTS, STATUS

_ALERT: Final = msgspec.json.Decoder(AlertEvent)
_STATUS: Final = msgspec.json.Decoder(GpuStatus)


class OfflineNotify:
    """Decides on role score's outputs in event time, as a live system would have; nothing is sent."""

    def __init__(self) -> None:
        self._logic = NotifyLogic()

    def feed(self, outputs: Iterable[Output]) -> Iterator[Output]:
        """Take outputs in order, gpu-status included; yield notifications and the alerts of hosts."""
        for output in outputs:
            if output.topic == ALERTS and output.value is not None:
                event = _ALERT.decode(output.value)
                self._reach(parse_time(event.updated_at))
                self._logic.alert(event)
            elif output.topic == STATUS and output.value is not None:
                status = _STATUS.decode(output.value)
                if status.appended_at:
                    self._reach(parse_time(status.appended_at))
                self._logic.status(status)
            else:
                continue
            self._logic.advance(self._logic.clock)
            yield from self._logic.drain().checkpoint.outputs

    def finish(self) -> Iterator[Output]:
        """Decide what waits for the rest of its fault: no more of it comes. Yield as :meth:`feed` does."""
        self._reach(self._logic.clock + TOGETHER_SECONDS)
        yield from self._logic.drain().checkpoint.outputs

    def _reach(self, clock: float) -> None:
        """Move the clock on, by way of each time at which something falls due."""
        while (due := self._logic.next_look) < clock:
            self._logic.advance(due)
        self._logic.advance(clock)
