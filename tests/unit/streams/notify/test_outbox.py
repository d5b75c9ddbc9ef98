"""The outbox by timestamps: order, back-off, refusals, restart."""

from __future__ import annotations

from math import inf
from random import Random

import msgspec

from agents.notify.publisher import Delivery
from schemas.dead_letter import DeadLetter, Reason
from schemas.topics import DEAD_LETTER
from streams.notify.body import BODY_LIMIT_BYTES, body_of
from streams.notify.entry import Entry
from streams.notify.outbox import EXPIRES_SECONDS, LONGEST_DELAY_SECONDS, MOST_ENTRIES, Outbox
from streams.notify.receivers.port import Attempt, Outcome
from tests.unit.agents.notify.notifying import T0, Desk, alert, resolved

OK = Attempt(Outcome.DELIVERED, "HTTP 200")
AWAY = Attempt(Outcome.LATER, "HTTP 503")
BAD = Attempt(Outcome.REFUSED, "HTTP 400 nonsense")
GONE = Attempt(Outcome.GONE, "HTTP 410")
URLS = {"pager": "https://pager.example/", "desk": "https://desk.example/"}


def deliveries(*gpus: str, page: bool = True, over: bool = False) -> list[Delivery]:
    """Return what is to be sent of alerts of ``gpus`` (and of their ends)."""
    desk = Desk()
    found: list[Delivery] = []
    for gpu in gpus:
        fired = alert(gpu=gpu, page=page, severity="critical" if page else "error")
        desk.logic.alert(fired)
        if over:
            desk.logic.alert(resolved(fired, 1))
    desk.logic.advance(T0 + 2)
    found += desk.logic.drain().deliveries
    return found


class Box:
    """An outbox, and the topic that it writes its states to."""

    def __init__(self) -> None:
        self.states: dict[bytes, bytes] = {}
        self.letters: list[DeadLetter] = []
        self.outbox = self.make(URLS)

    @staticmethod
    def make(urls: dict[str, str]) -> Outbox:
        return Outbox(urls, "https://fleet.example/", Random(1))

    def write(self, now: float = 0.0) -> None:
        """Commit a checkpoint."""
        outputs, states = self.outbox.drain()
        for key, value in states:
            if value is None:
                self.states.pop(key, None)
            else:
                self.states[key] = value
        assert {output.topic for output in outputs} <= {DEAD_LETTER}
        self.letters += [msgspec.json.decode(output.value or b"", type=DeadLetter) for output in outputs]
        self.outbox.committed(now)

    def add(self, found: list[Delivery], now: float = 0.0) -> None:
        """Add and commit."""
        self.outbox.add(found, now)
        self.write(now)

    def restart(self, urls: dict[str, str] = URLS, now: float = 0.0) -> None:
        """Go on from what was committed."""
        self.outbox = self.make(urls)
        for key, value in self.states.items():
            self.outbox.restore(key, value)
        self.outbox.restored(now)

    def sent(self, receiver: str = "pager", now: float = 0.0, attempt: Attempt = OK) -> Entry:
        """Send the next entry, with that result."""
        entry = self.outbox.next(receiver, now)
        assert entry is not None
        self.outbox.settle(entry, attempt, now)
        return entry


def test_nothing_leaves_before_it_is_committed() -> None:
    box = Box()
    box.outbox.add(deliveries("GPU-1"), 0.0)
    assert box.outbox.next("pager", 0.0) is None
    box.write()
    assert box.outbox.next("pager", 0.0) is not None


def test_what_is_sent_is_gone_and_stays_gone() -> None:
    box = Box()
    box.add(deliveries("GPU-1"))
    box.sent("pager")
    box.sent("desk")
    box.write()
    assert box.states == {}
    assert box.outbox.due("pager") == inf


def test_a_crash_before_the_next_checkpoint_sends_the_same_again() -> None:
    box = Box()
    box.add(deliveries("GPU-1"))
    first = box.sent("pager")
    box.restart()
    again = box.sent("pager")
    assert (again.notification_id, again.body) == (first.notification_id, first.body)


def test_the_events_of_an_incident_leave_in_order() -> None:
    box = Box()
    box.add(deliveries("GPU-1", over=True))
    box.sent(attempt=AWAY)
    box.write()
    box.restart()
    assert box.outbox.next("pager", 1.0) is None
    now = box.outbox.due("pager")
    assert '"firing"' in box.sent(now=now).body
    assert '"resolved"' in box.sent(now=now).body
    assert box.outbox.next("pager", now) is None


def test_a_page_passes_tickets() -> None:
    box = Box()
    box.add(deliveries("GPU-1", "GPU-2", page=False))
    box.add(deliveries("GPU-3"))
    assert [box.sent().page for _ in range(3)] == [True, False, False]


def test_the_pauses_grow_to_a_limit_and_end_with_a_success() -> None:
    box = Box()
    box.add(deliveries("GPU-1"))
    now, pauses = 0.0, []
    for _ in range(12):
        box.sent(now=now, attempt=AWAY)
        pauses.append(box.outbox.due("pager") - now)
        now = box.outbox.due("pager")
    assert all(4.0 <= pauses[0] <= 6.0 and pause <= LONGEST_DELAY_SECONDS * 1.2 for pause in pauses)
    assert min(pauses[-3:]) >= LONGEST_DELAY_SECONDS * 0.8
    assert len(set(pauses)) == 12
    box.sent(now=now)
    box.add(deliveries("GPU-2"))
    assert box.outbox.next("pager", now) is not None


def test_a_receiver_that_is_away_delays_no_other() -> None:
    box = Box()
    box.add(deliveries("GPU-1", "GPU-2"))
    box.sent("pager", attempt=AWAY)
    assert box.outbox.next("pager", 1.0) is None
    assert box.sent("desk", now=1.0)


def test_retry_after_is_honoured() -> None:
    box = Box()
    box.add(deliveries("GPU-1"))
    box.sent(attempt=Attempt(Outcome.LATER, "HTTP 429", 90.0))
    assert box.outbox.due("pager") == 90.0


def test_one_that_always_fails_does_not_block_the_rest() -> None:
    box = Box()
    box.add(deliveries("GPU-1", "GPU-2", "GPU-3"))
    poisoned = box.sent(attempt=AWAY).incident_id
    delivered = set()
    for _ in range(4):
        now = box.outbox.due("pager")
        entry = box.outbox.next("pager", now)
        assert entry is not None
        box.outbox.settle(entry, AWAY if entry.incident_id == poisoned else OK, now)
        delivered |= {entry.incident_id} - {poisoned}
    assert len(delivered) == 2


def test_a_refused_one_is_a_dead_letter_after_the_second_try() -> None:
    box = Box()
    box.add(deliveries("GPU-1"))
    box.sent(attempt=BAD)
    box.write()
    assert box.letters == []
    box.restart()
    entry = box.sent(now=10.0, attempt=BAD)
    box.write()
    (letter,) = box.letters
    assert (letter.reason, letter.key) == (Reason.REFUSED_BY_RECEIVER, entry.incident_id)
    assert "HTTP 400 nonsense" in letter.detail
    assert letter.payload_bytes == len(entry.body)
    assert [key for key in box.states if key.endswith(b":pager")] == []


def test_410_disables_the_receiver_until_its_address_changes() -> None:
    box = Box()
    box.add(deliveries("GPU-1", "GPU-2"))
    box.sent(attempt=GONE)
    box.write()
    assert len(box.letters) == 2
    box.restart()
    box.add(deliveries("GPU-3"))
    box.write()
    assert box.outbox.next("pager", 0.0) is None
    assert len(box.letters) == 3
    assert box.sent("desk")
    box.restart({**URLS, "pager": "https://new.example/"})
    box.add(deliveries("GPU-4"))
    assert box.sent("pager")
    assert b"r\x00pager" not in box.states


def test_what_cannot_be_delivered_for_days_is_a_dead_letter() -> None:
    box = Box()
    box.add(deliveries("GPU-1"))
    box.sent(now=EXPIRES_SECONDS - 1, attempt=AWAY)
    box.sent(now=EXPIRES_SECONDS + 600, attempt=AWAY)
    box.write()
    assert "not delivered within 72 h" in box.letters[0].detail


def test_a_receiver_that_is_configured_no_more_leaves_dead_letters() -> None:
    box = Box()
    box.add(deliveries("GPU-1"))
    box.restart({"desk": URLS["desk"]})
    box.write()
    assert [letter.detail for letter in box.letters] == ["receiver pager: the receiver is not configured any more"]
    assert [key[-4:] for key in box.states] == [b"desk"]


def test_beyond_the_limit_the_oldest_tickets_are_given_up() -> None:
    box = Box()
    (page,) = deliveries("GPU-1")
    (ticket,) = deliveries("GPU-2", page=False)
    box.add([page] + [ticket] * MOST_ENTRIES)
    box.write()
    assert box.outbox.waiting == 2 * MOST_ENTRIES
    assert len(box.letters) == 2
    assert box.sent().page


def test_a_body_holds_the_alert_and_the_link_and_stays_small() -> None:
    (delivery,) = deliveries("GPU 1/x")
    body = msgspec.json.decode(body_of(delivery, "https://fleet.example/"))
    assert body["type"] == "gpu_health.alert.firing"
    assert body["data"]["link"] == "https://fleet.example/gpus/GPU%201%2Fx/"
    assert body["data"]["alert"]["action_text"] == "look"
    assert body["data"]["notification"]["reason"] == "first_firing"
    assert msgspec.json.decode(body_of(delivery, ""))["data"]["link"] is None
    large = msgspec.structs.replace(delivery.alert, evidence=[{"line": "x" * 400}] * 100)
    short = body_of(Delivery(delivery.notification, large), "")
    assert len(short) < BODY_LIMIT_BYTES
    assert b"left_out" in short
