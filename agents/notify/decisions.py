"""Role notify's decisions: who is woken, for what, and why not. No broker, no receiver, no clock of its own.

Alerts are collected as they are read and decided by :meth:`NotifyLogic.advance`, once all is read: an alert's
age cannot be told while an older record of the backlog is the newest thing known.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Final

import msgspec

from agents.notify.clocks import Clocks
from agents.notify.faults import Faults
from agents.notify.hosts import Hosts
from agents.notify.incidents import Gravity, Incident, Member, Why, gravity
from agents.notify.missing import MissingGpus
from agents.notify.pipeline import Pipeline
from agents.notify.places import Places
from agents.notify.publisher import Decided, Publisher, Receiver
from agents.notify.withholding import LOOK_AGAIN_SECONDS, Withholding, is_old
from agents.ports import Output
from models.alerts.grouping import HostCause
from models.alerts.operator_actions import strength
from models.alerts.pipeline import OF_NOTIFY
from models.alerts.transitions import GROWN
from schemas.alert import AlertEvent
from schemas.operator_action import OperatorAction
from schemas.raw import HOST_PREFIX
from schemas.status import GpuStatus
from schemas.times import format_time, parse_time
from schemas.topics import ALERTS

REPEAT_SECONDS: Final = 4 * 3600.0
# The clock moves about twice a second: a jump means that nothing was read in between.
_GAP_SECONDS: Final = 30.0
_INCIDENT, _HOST, _ACTION = b"i\x00", b"h\x00", b"a\x00"
_FLEET: Final = b"fleet"
_encode: Final = msgspec.json.Encoder().encode


class NotifyLogic:
    """Keeps open incidents and decides on them.

    Parameters
    ----------
    receivers
        Who may be notified; their order has no meaning.
    status_records_per_second
        What gpu-status is thinned to.
    """

    def __init__(self, receivers: Sequence[Receiver] = (), *, status_records_per_second: float = 300.0) -> None:
        self._publisher = Publisher(receivers)
        self._hosts = Hosts(status_records_per_second)
        self._pipeline = Pipeline()
        self._incidents: dict[str, Incident] = {}
        self._faults = Faults(self._incidents)
        self._withholding = Withholding()
        self._missing = MissingGpus()
        self._places = Places()
        self._clocks = Clocks()
        self._causes: dict[str, HostCause] = {}
        self._arrived: list[AlertEvent | str] = []
        self._looks: dict[str, float] = {}
        self._dirty: dict[bytes, None] = {}
        self._fresh = False
        self.clock = -inf

    # -- what is read --------------------------------------------------------------------------------------

    def restore(self, key: bytes, value: bytes) -> None:
        """Take one live record of the state topic; one that is not of this logic is left alone."""
        kind, name = key[:2], key[2:].decode()
        if kind == _INCIDENT:
            incident = msgspec.json.decode(value, type=Incident)
            self._incidents[name] = incident
            self._looks[name] = -inf
            for member in incident.members.values():
                self._faults.note(member.event)
                self._missing.note(member.event, member.noted_at)
                self._publish_all(self._places.missing(member.event))
        elif kind == _HOST:
            self._hosts.restore(value)
        elif kind == Clocks.KEY:
            self._clocks.restore(name, value)
        elif kind == Pipeline.KEY:
            self._pipeline.restore(value)
        elif kind == _ACTION:
            self._withholding.actions[name] = msgspec.json.decode(value, type=OperatorAction)

    def restored(self, *, fresh: bool) -> None:
        """All records were given; ``fresh``: nothing was ever decided, so what is old by now is history."""
        self._fresh = fresh

    def alert(self, event: AlertEvent) -> None:
        """Take an alert's change of state; what notify itself published is known already."""
        if event.rule not in OF_NOTIFY:
            self._arrived.append(event)

    def lag(self, seconds: float) -> None:
        """Take the age of the oldest message that role score has not read."""
        self._pipeline.measured(seconds)

    def status(self, status: GpuStatus) -> None:
        """Take a GPU's or a host's latest status."""
        self._hosts.seen(status)
        self._withholding.seen(status)
        self._publish_all(self._places.seen(status))
        self._clocks.seen(status)

    def forgotten(self, gpu_id: str) -> None:
        """Take a tombstone of gpu-status: what is open of this GPU is over."""
        self._withholding.forget(gpu_id)
        self._hosts.forget(gpu_id)
        self._clocks.forget(gpu_id)
        self._arrived.append(gpu_id)

    def action(self, action: OperatorAction) -> None:
        """Take what a person said.

        Raises
        ------
        ValueError
            One of its times is none.
        """
        if not self._withholding.take(action):
            return
        self._dirty[_ACTION + action.action_id.encode()] = None
        self._looks = dict.fromkeys(self._looks, -inf)

    # -- decisions -----------------------------------------------------------------------------------------

    def advance(self, clock: float) -> None:
        """Decide on all that was read, and on what fell due by ``clock`` (epoch s)."""
        if clock - self.clock > _GAP_SECONDS:
            self._hosts.start_afresh(clock)
        self.clock = max(self.clock, clock)
        self._judge_pipeline()
        arrived, self._arrived = self._arrived, []
        fired: dict[str, list[AlertEvent]] = {}
        for one in arrived:
            if not isinstance(one, str) and one.status == "firing":
                if self._note(one):
                    fired.setdefault(one.incident_id, []).append(one)
                continue
            self._assess_together(fired)
            if isinstance(one, str):
                self._remove(one)
            else:
                self._resolve(one, Why.REPLACED if one.reason == Why.REPLACED else Why.RESOLVED)
        self._assess_together(fired)
        self._fresh = False
        if not self._pipeline.behind:
            self._judge_hosts()
            for host_id, event in self._clocks.judge(self.clock):
                self._own(event, f"{HOST_PREFIX}{host_id}".encode())
        due = [self._incidents[incident_id] for incident_id, look in self._looks.items() if look <= self.clock]
        for incident in sorted(due, key=_gravest, reverse=True):  # the gravest of a fault speaks first
            self._assess(incident, None)
        for action_id in self._withholding.expire(self.clock):
            self._dirty[_ACTION + action_id.encode()] = None

    @property
    def next_look(self) -> float:
        """Return the clock (epoch s) at which something falls due without news; inf: nothing."""
        looks = (look for look in (*self._looks.values(), self._clocks.next_look) if look > self.clock)
        return min(looks, default=inf)

    def _assess_together(self, fired: dict[str, list[AlertEvent]]) -> None:
        """Decide on what was read together: of one incident the gravest speaks, once, and the others join it."""
        for incident_id, events in fired.items():
            incident = self._incidents[incident_id]
            news = max(events, key=gravity)
            known = incident.told
            self._assess(incident, news)
            for other in events:
                why, _ = self._block(incident, incident.members[other.fingerprint])
                recorded = why is None and incident.told and not known and self._newest(incident, other)
                if other is not news and not recorded:
                    self._publisher.withhold(incident, other, why or Why.JOINED_INCIDENT, self.clock)
        fired.clear()

    @staticmethod
    def _newest(incident: Incident, event: AlertEvent) -> bool:
        return incident.members[event.fingerprint].event is event

    def _fire(self, event: AlertEvent) -> None:
        """Take an alert that fires, and decide on it."""
        if self._note(event):
            self._assess(self._incidents[event.incident_id], event)

    def _note(self, event: AlertEvent) -> bool:
        """Take an alert that fires; tell whether there is anything to decide."""
        incident = self._incidents.get(event.incident_id)
        if incident is None:
            incident = self._incidents[event.incident_id] = Incident(incident_id=event.incident_id)
        known = incident.members.get(event.fingerprint)
        if known is not None and event.reason == GROWN:  # as grave as it was: nobody is to be told again
            known.event = event
            self._touch(incident.incident_id)
            return False
        noted_at = known.noted_at if known is not None else self.clock
        if known is not None:
            self._missing.found(known.event)
        incident.members[event.fingerprint] = Member(event, noted_at, self._fresh and is_old(event, self.clock))
        self._faults.note(event)
        self._touch(incident.incident_id)
        if event.rule == "exporter_down" and event.host_id:
            self._hosts.exporter(event.host_id, up=False)
        self._missing.note(event, noted_at)
        self._publish_all(self._places.missing(event))
        return True

    def _publish_all(self, outputs: Sequence[Output]) -> None:
        for output in outputs:
            self._publisher.publish(output)

    def _resolve(self, event: AlertEvent, why: Why) -> None:
        self._places.missing(event)
        if event.gpu_id is not None and event.reason in (Why.REMOVED, Why.REPLACED):
            self._hosts.left(event.gpu_id, parse_time(event.updated_at))
        if event.rule == "exporter_down" and event.host_id:
            self._hosts.exporter(event.host_id, up=True)
        incident = self._incidents.get(event.incident_id)
        if incident is None:
            self._publisher.withhold(Incident(incident_id=event.incident_id), event, why, self.clock)
            return
        self._touch(incident.incident_id)
        known = incident.members.pop(event.fingerprint, None)
        if known is not None:
            self._missing.found(known.event)
        if incident.members:
            self._publisher.withhold(incident, event, Why.MEMBER_RESOLVED, self.clock)
            self._assess(incident, None)
            return
        self._publisher.resolve(incident, event, why, self.clock)
        del self._incidents[incident.incident_id]
        self._looks.pop(incident.incident_id, None)
        for other in self._faults.over(event):
            self._looks[other] = -inf

    def _remove(self, gpu_id: str) -> None:
        """A GPU was forgotten: its alerts resolve, since nothing will say so any more."""
        scope, id = ("host", gpu_id.removeprefix(HOST_PREFIX)) if gpu_id.startswith(HOST_PREFIX) else ("gpu", gpu_id)
        at = format_time(self.clock)
        for incident in list(self._incidents.values()):
            for member in list(incident.members.values()):
                event = member.event
                if event.scope == scope and id == (event.gpu_id or event.host_id) and event.rule not in OF_NOTIFY:
                    over = msgspec.structs.replace(
                        event, status="resolved", reason=Why.REMOVED, updated_at=at, ends_at=at
                    )
                    self._resolve(over, Why.REMOVED)

    def _assess(self, incident: Incident, news: AlertEvent | None) -> None:
        """Notify people of ``incident`` or do not; ``news`` is the alert of it that just arrived, if any."""
        look = inf
        blocked: dict[str, Why] = {}
        free: list[AlertEvent] = []
        for fingerprint, member in incident.members.items():
            why, again = self._block(incident, member)
            look = min(look, again)
            if why is None:
                free.append(member.event)
            else:
                blocked[fingerprint] = why
        if not free:
            subject = news or max((member.event for member in incident.members.values()), key=gravity)
            why = blocked[subject.fingerprint]
            if news is not None or why != incident.last_reason:
                self._publisher.withhold(incident, subject, why, self.clock)
                self._touch(incident.incident_id)
        else:
            event = max(free, key=gravity)
            news_of = self._news(incident, event)
            voice = self._faults.voice(incident, event) if news_of is Why.FIRST_FIRING else None
            held_until = self._faults.held_until(incident, event) if news_of is Why.FIRST_FIRING else -inf
            if voice is not None and gravity(event) <= voice:
                if news is not None or incident.last_reason != Why.JOINED_FAULT:
                    self._publisher.withhold(incident, news or event, Why.JOINED_FAULT, self.clock)
                    self._touch(incident.incident_id)
            elif self.clock < held_until:
                look = min(look, held_until)
            elif news_of is not None:
                self._publisher.notify(incident, event, news_of, self.clock)
                if news_of is Why.FIRST_FIRING:
                    for other in free:
                        if other is not event:
                            self._publisher.withhold(incident, other, Why.JOINED_INCIDENT, self.clock)
                self._touch(incident.incident_id)
            elif news is not None:
                why = blocked.get(news.fingerprint, Why.JOINED_INCIDENT)
                self._publisher.withhold(incident, news, why, self.clock)
            if event.page and incident.told:
                look = min(look, max(incident.told_at + REPEAT_SECONDS, self.clock + LOOK_AGAIN_SECONDS))
        self._looks[incident.incident_id] = look

    def _news(self, incident: Incident, event: AlertEvent) -> Why | None:
        """Return why people are told of ``incident``, ``event`` its gravest, now; None: they know."""
        page, rank, acts = gravity(event)
        if not incident.told:
            return Why.FIRST_FIRING
        if rank > incident.told_rank or (page and not incident.told_page):
            return Why.SEVERITY_RAISED
        if incident.told_action is not None and acts > strength(incident.told_action):
            return Why.ACTION_CHANGED
        if page and self.clock >= incident.told_at + REPEAT_SECONDS and not self._withholding.contradicts(event):
            return Why.REPEAT_INTERVAL
        return None

    def _block(self, incident: Incident, member: Member) -> tuple[Why | None, float]:
        cause = self._causes.get(member.event.host_id or "", HostCause.NONE)
        return self._withholding.why(incident, member, cause, self.clock, behind=self._pipeline.behind)

    # -- the pipeline, and hosts --------------------------------------------------------------------------

    def _judge_pipeline(self) -> None:
        """Look at whether role score keeps up; once it does again, silence counts afresh."""
        before = self._pipeline.behind
        event = self._pipeline.judge(self.clock)
        if before and not self._pipeline.behind:
            self._hosts.start_afresh(self.clock)
        if before is not self._pipeline.behind:
            self._looks = dict.fromkeys(self._looks, -inf)
        if event is not None:
            self._own(event, _FLEET)

    def _own(self, event: AlertEvent, key: bytes) -> None:
        """Publish an alert of this role's own, and decide on it."""
        if event.status == "firing":
            self._fire(event)
        else:
            self._resolve(event, Why.RESOLVED)
        self._publisher.publish(Output(ALERTS, key, _encode(event)))

    # -- hosts ---------------------------------------------------------------------------------------------

    def _judge_hosts(self) -> None:
        """Look at every host of which something is missing, or was."""
        for host_id in {*self._missing.hosts(), *self._hosts.lost()}:
            missing = self._missing.of(host_id)
            cause, event = self._hosts.judge(host_id, missing, self.clock)
            before = self._causes.get(host_id, HostCause.NONE)
            if cause is not before:
                self._causes[host_id] = cause
                for one in list(missing.values()):
                    self._looks[one.incident_id] = -inf
                    if before.explains and not cause.explains:
                        # The host is back without this GPU: the others are back together, give or take.
                        member = self._incidents[one.incident_id].members[one.fingerprint]
                        member.noted_at = self.clock
                        self._touch(one.incident_id)
                        self._missing.note(member.event, self.clock)
            if event is not None:
                self._own(event, f"{HOST_PREFIX}{host_id}".encode())
            if not missing:
                self._missing.forget(host_id)
                self._causes.pop(host_id, None)

    # -- checkpoint ----------------------------------------------------------------------------------------

    def _touch(self, incident_id: str) -> None:
        self._dirty[_INCIDENT + incident_id.encode()] = None

    @property
    def pending(self) -> bool:
        """Whether something was read that is not decided: positions must not be committed then."""
        return bool(self._arrived)

    @property
    def urgent(self) -> bool:
        """Whether something was decided that is not committed."""
        return self._publisher.waits

    @property
    def dirty(self) -> bool:
        """Whether anything waits for a checkpoint."""
        return self.urgent or bool(self._dirty) or self._hosts.dirty or self._pipeline.dirty or self._clocks.dirty

    def drain(self) -> Decided:
        """Return and forget what waits for a checkpoint."""
        decided = self._publisher.drain()
        states = decided.checkpoint.states
        for key in self._dirty:
            name = key[2:].decode()
            kept = self._incidents.get(name) if key.startswith(_INCIDENT) else self._withholding.actions.get(name)
            states.append((key, None if kept is None else _encode(kept)))
        for host_id, value in self._hosts.drain():
            states.append((_HOST + host_id.encode(), value))
        states.extend(self._clocks.drain())
        if self._pipeline.dirty:
            states.append((Pipeline.KEY, self._pipeline.drain()))
        self._dirty = {}
        return decided


def _gravest(incident: Incident) -> Gravity:
    return max(gravity(member.event) for member in incident.members.values())
