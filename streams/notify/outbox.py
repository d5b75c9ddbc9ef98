"""What is still to be sent, kept in gpu-notify-state: a crash between commit and delivery loses nothing.

Entries become sendable when the transaction that they were written in is committed. A delivery removes its
entry with the next checkpoint; a crash before that sends it again under the same id. The entries of one
incident leave in order, a page before tickets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from math import inf
from random import Random
from typing import Final

import msgspec

from agents.notify.publisher import Delivery
from agents.ports import Output
from streams.notify.body import body_of
from streams.notify.entry import DISABLED, ENTRY, Disabled, Entry, undelivered
from streams.notify.receivers.port import Attempt, Outcome

FIRST_DELAY_SECONDS: Final = 5.0
LONGEST_DELAY_SECONDS: Final = 300.0
_JITTER: Final = 0.2
# Standard Webhooks retries over days; a page of three days ago helps nobody.
EXPIRES_SECONDS: Final = 3 * 86_400.0
# Beyond this many waiting for one receiver, the oldest tickets are given up for pages and resolves.
MOST_ENTRIES: Final = 10_000
_TRIES_OF_REFUSED: Final = 2


class Outbox:
    """The entries of every receiver.

    Parameters
    ----------
    urls
        Address of each configured receiver, by name.
    web_url
        For links in what is sent.
    random
        Spreads retries.
    """

    def __init__(self, urls: Mapping[str, str], web_url: str, random: Random) -> None:
        self._urls = urls
        self._web_url = web_url
        self._random = random
        self._entries: dict[str, dict[str, list[Entry]]] = {name: {} for name in urls}
        self._counts: dict[str, int] = dict.fromkeys(urls, 0)
        self._staged: list[Entry] = []
        self._disabled: dict[str, Disabled] = {}
        self._paused_until: dict[str, float] = dict.fromkeys(urls, 0.0)
        self._failures: dict[str, int] = dict.fromkeys(urls, 0)
        self._sequence = 0
        self._states: dict[bytes, bytes | None] = {}
        self._outputs: list[Output] = []
        self._orphans: list[Entry] = []
        self._changed: dict[str, asyncio.Event] = {name: asyncio.Event() for name in urls}

    # -- state ---------------------------------------------------------------------------------------------

    def restore(self, key: bytes, value: bytes) -> None:
        """Take one live record of the state topic; one that is not of the outbox is left alone."""
        if key.startswith(ENTRY):
            entry = msgspec.json.decode(value, type=Entry)
            self._sequence = max(self._sequence, entry.sequence)
            if entry.receiver in self._urls:
                self._put(entry)
            else:
                self._orphans.append(entry)
        elif key.startswith(DISABLED):
            one = msgspec.json.decode(value, type=Disabled)
            if self._urls.get(one.receiver) == one.url:
                self._disabled[one.receiver] = one
            else:
                self._states[key] = None

    def restored(self, now: float) -> None:
        """All records were given: entries in order; what has no receiver any more is a dead letter."""
        for by_incident in self._entries.values():
            for entries in by_incident.values():
                entries.sort(key=lambda entry: entry.sequence)
        for entry in self._orphans:
            self._give_up(entry, "the receiver is not configured any more", now)
        self._orphans = []

    @property
    def dirty(self) -> bool:
        """Whether anything waits for a checkpoint."""
        return bool(self._states or self._outputs)

    @property
    def waiting(self) -> int:
        """Return how many entries are to be sent."""
        return sum(self._counts.values())

    def add(self, deliveries: Iterable[Delivery], now: float) -> None:
        """Write down what is to be sent once the next checkpoint is committed."""
        for delivery in deliveries:
            body = body_of(delivery, self._web_url).decode()
            for receiver in delivery.notification.receivers:
                self._sequence += 1
                entry = Entry(
                    sequence=self._sequence,
                    receiver=receiver,
                    notification_id=delivery.notification.notification_id,
                    incident_id=delivery.notification.incident_id,
                    page=delivery.notification.page,
                    body=body,
                    created_at=now,
                )
                if receiver in self._disabled:
                    self._dead_letter(entry, "the receiver is disabled: it answered 410", now)
                    continue
                self._states[entry.key()] = msgspec.json.encode(entry)
                self._staged.append(entry)

    def drain(self) -> tuple[list[Output], list[tuple[bytes, bytes | None]]]:
        """Return and forget what the next checkpoint has to commit."""
        outputs, states = self._outputs, list(self._states.items())
        self._outputs, self._states = [], {}
        return outputs, states

    def committed(self, now: float) -> None:
        """The checkpoint is committed: what was added before it may leave."""
        staged, self._staged = self._staged, []
        for entry in staged:
            self._put(entry)
            self._changed[entry.receiver].set()
        for receiver in {entry.receiver for entry in staged}:
            self._shed(receiver, now)

    # -- sending -------------------------------------------------------------------------------------------

    def next(self, receiver: str, now: float) -> Entry | None:
        """Return what to send to ``receiver`` now: of each incident its oldest, a page first."""
        if now < self._paused_until[receiver]:
            return None
        heads = (entries[0] for entries in self._entries[receiver].values())
        return min(
            (entry for entry in heads if entry.not_before <= now),
            key=lambda entry: (not entry.page, entry.sequence),
            default=None,
        )

    def due(self, receiver: str) -> float:
        """Return when :meth:`next` has something (epoch s); inf: when something is added."""
        earliest = min((entries[0].not_before for entries in self._entries[receiver].values()), default=inf)
        return max(earliest, self._paused_until[receiver])

    async def changed(self, receiver: str) -> None:
        """Wait until something is added for ``receiver``."""
        await self._changed[receiver].wait()
        self._changed[receiver].clear()

    def settle(self, entry: Entry, attempt: Attempt, now: float) -> None:
        """Take what an attempt came to."""
        if entry not in self._entries[entry.receiver].get(entry.incident_id, []):
            return  # given up while it was under way
        entry.attempts += 1
        if attempt.outcome is Outcome.DELIVERED:
            self._failures[entry.receiver] = 0
            self._take_out(entry)
        elif attempt.outcome is Outcome.GONE:
            self._disable(entry.receiver, now)
        elif attempt.outcome is Outcome.REFUSED:
            self._failures[entry.receiver] = 0
            entry.refusals += 1
            if entry.refusals >= _TRIES_OF_REFUSED:
                self._give_up(entry, attempt.detail, now)
            else:
                self._postpone(entry, now + self._spread(FIRST_DELAY_SECONDS))
        elif now - entry.created_at >= EXPIRES_SECONDS:
            self._give_up(entry, f"not delivered within {EXPIRES_SECONDS / 3600:g} h: {attempt.detail}", now)
        else:
            self._failures[entry.receiver] += 1
            self._postpone(entry, now + self._delay(entry.attempts))
            pause = attempt.retry_after_seconds
            if pause is None:
                pause = self._delay(self._failures[entry.receiver])
            self._paused_until[entry.receiver] = now + pause

    def _delay(self, failures: int) -> float:
        # The exponent is bounded: 2.0 ** 1024 overflows.
        delay = FIRST_DELAY_SECONDS * 2.0 ** min(failures - 1, 10)
        return self._spread(min(delay, LONGEST_DELAY_SECONDS))

    def _spread(self, seconds: float) -> float:
        return seconds * (1.0 + self._random.uniform(-_JITTER, _JITTER))

    def _postpone(self, entry: Entry, until: float) -> None:
        entry.not_before = until
        self._states[entry.key()] = msgspec.json.encode(entry)

    # -- entries -------------------------------------------------------------------------------------------

    def _put(self, entry: Entry) -> None:
        self._entries[entry.receiver].setdefault(entry.incident_id, []).append(entry)
        self._counts[entry.receiver] += 1

    def _take_out(self, entry: Entry) -> None:
        by_incident = self._entries.get(entry.receiver, {})
        entries = by_incident.get(entry.incident_id, [])
        if entry in entries:
            entries.remove(entry)
            self._counts[entry.receiver] -= 1
            if not entries:
                del by_incident[entry.incident_id]
        self._states[entry.key()] = None

    def _give_up(self, entry: Entry, why: str, now: float) -> None:
        self._take_out(entry)
        self._dead_letter(entry, why, now)

    def _disable(self, receiver: str, now: float) -> None:
        disabled = Disabled(receiver, self._urls[receiver], now)
        self._disabled[receiver] = disabled
        self._states[disabled.key()] = msgspec.json.encode(disabled)
        for entries in list(self._entries[receiver].values()):
            for entry in list(entries):
                self._give_up(entry, "the receiver answered 410: it wants nothing more", now)

    def _shed(self, receiver: str, now: float) -> None:
        """Give up the oldest tickets beyond the limit: a receiver that is away for days must not fill the disk."""
        surplus = self._counts[receiver] - MOST_ENTRIES
        if surplus <= 0:
            return
        tickets = [entry for entries in self._entries[receiver].values() for entry in entries if not entry.page]
        for entry in sorted(tickets, key=lambda entry: entry.sequence)[:surplus]:
            self._give_up(entry, f"more than {MOST_ENTRIES} wait for the receiver", now)

    def _dead_letter(self, entry: Entry, why: str, now: float) -> None:
        self._outputs.append(undelivered(entry, why, now))
