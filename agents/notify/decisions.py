"""Role notify's decisions: who is woken, for what, and why not. No broker, no receiver, no clock of its own.

Alerts are collected as they are read and decided by :meth:`NotifyLogic.advance`, once all is read: an alert's
age cannot be told while an older record of the backlog is the newest thing known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import inf
from typing import Final

import msgspec

from agents.notify.hosts import Hosts, Missing
from agents.notify.incidents import Incident, Member, Why, gravity
from agents.notify.telling import Receiver, Said, Telling
from agents.ports import Output
from models.alerts.grouping import GPU_HOLD_SECONDS, HOST_MISSING, HostCause
from models.alerts.silences import ends, in_effect
from schemas.alert import AlertEvent
from schemas.operator_action import OperatorAction
from schemas.raw import HOST_PREFIX
from schemas.status import GpuStatus
from schemas.times import format_time, parse_time
from schemas.topics import ALERTS, STATUS

MAX_AGE_SECONDS: Final = 3600.0
REPEAT_SECONDS: Final = 4 * 3600.0
# A condition counts as still there when the GPU's own samples said so within this time.
_LIVE_SECONDS: Final = 600.0
_LOOK_AGAIN_SECONDS: Final = 60.0
# The clock moves about twice a second: a jump means that nothing was read in between.
_GAP_SECONDS: Final = 30.0
_INCIDENT, _HOST, _ACTION = b"i\x00", b"h\x00", b"a\x00"
_BY_KIND: Final = {
    "silence": Why.SILENCED,
    "maintenance": Why.MAINTENANCE,
    "acknowledgement": Why.ACKNOWLEDGED,
}
_encode: Final = msgspec.json.Encoder().encode
_ALERT: Final = msgspec.json.Decoder(AlertEvent)
_STATUS: Final = msgspec.json.Decoder(GpuStatus)


class NotifyLogic:
    """Keeps open incidents and decides on them.

    Parameters
    ----------
    receivers
        Who may be told; their order has no meaning.
    status_records_per_second
        What gpu-status is thinned to.
    """

    def __init__(self, receivers: Sequence[Receiver] = (), *, status_records_per_second: float = 300.0) -> None:
        self._telling = Telling(receivers)
        self._hosts = Hosts(status_records_per_second)
        self._incidents: dict[str, Incident] = {}
        self._actions: dict[str, OperatorAction] = {}
        self._statuses: dict[str, tuple[float, frozenset[str]]] = {}
        self._missing: dict[str, dict[str, Missing]] = {}
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
                self._note_missing(member.event, member.noted_at)
        elif kind == _HOST:
            self._hosts.restore(value)
        elif kind == _ACTION:
            self._actions[name] = msgspec.json.decode(value, type=OperatorAction)

    def restored(self, *, fresh: bool) -> None:
        """All records were given; ``fresh``: nothing was ever decided, so what is old by now is history."""
        self._fresh = fresh

    def alert(self, event: AlertEvent) -> None:
        """Take an alert's change of state; what notify itself said is known already."""
        if event.rule != HOST_MISSING:
            self._arrived.append(event)

    def status(self, status: GpuStatus) -> None:
        """Take a GPU's or a host's latest status."""
        self._hosts.seen(status)
        seen = parse_time(status.last_seen) if status.last_seen else -inf
        self._statuses[status.gpu_id] = (seen, frozenset(alert.incident_id for alert in status.alerts))

    def forgotten(self, gpu_id: str) -> None:
        """Take a tombstone of gpu-status: what is open of this GPU is over."""
        self._statuses.pop(gpu_id, None)
        self._hosts.forget(gpu_id)
        self._arrived.append(gpu_id)

    def action(self, action: OperatorAction) -> None:
        """Take what a person said.

        Raises
        ------
        ValueError
            One of its times is none.
        """
        if action.kind not in _BY_KIND:
            return
        ends(action), parse_time(action.at), parse_time(action.starts_at or action.at)
        self._actions[action.action_id] = action
        self._dirty[_ACTION + action.action_id.encode()] = None
        self._looks = dict.fromkeys(self._looks, -inf)

    # -- decisions -----------------------------------------------------------------------------------------

    def advance(self, clock: float) -> None:
        """Decide on all that was read, and on what fell due by ``clock`` (epoch s)."""
        if clock - self.clock > _GAP_SECONDS:
            self._hosts.start_afresh(clock)
        self.clock = max(self.clock, clock)
        arrived, self._arrived = self._arrived, []
        for one in arrived:
            if isinstance(one, str):
                self._remove(one)
            elif one.status == "resolved":
                self._resolve(one, Why.RESOLVED)
            else:
                self._fire(one)
        self._fresh = False
        self._judge_hosts()
        for incident_id in [id for id, look in self._looks.items() if look <= self.clock]:
            self._assess(self._incidents[incident_id], None)
        over = [id for id, action in self._actions.items() if ends(action) <= self.clock]
        for action_id in over:
            del self._actions[action_id]
            self._dirty[_ACTION + action_id.encode()] = None

    def _fire(self, event: AlertEvent) -> None:
        incident = self._incidents.get(event.incident_id)
        if incident is None:
            incident = self._incidents[event.incident_id] = Incident(incident_id=event.incident_id)
        known = incident.members.get(event.fingerprint)
        noted_at = known.noted_at if known is not None else self.clock
        if known is not None:
            self._found(known.event)
        incident.members[event.fingerprint] = Member(event, noted_at, self._fresh and self._is_old(event))
        self._touch(incident.incident_id)
        if event.rule == "exporter_down" and event.host_id:
            self._hosts.exporter(event.host_id, up=False)
        self._note_missing(event, noted_at)
        self._assess(incident, event)

    def _resolve(self, event: AlertEvent, why: Why) -> None:
        if event.rule == "exporter_down" and event.host_id:
            self._hosts.exporter(event.host_id, up=True)
        incident = self._incidents.get(event.incident_id)
        if incident is None:
            self._telling.quiet(Incident(incident_id=event.incident_id), event, why, self.clock)
            return
        self._touch(incident.incident_id)
        known = incident.members.pop(event.fingerprint, None)
        if known is not None:
            self._found(known.event)
        if incident.members:
            self._telling.quiet(incident, event, Why.MEMBER_RESOLVED, self.clock)
            self._assess(incident, None)
            return
        self._telling.over(incident, event, why, self.clock)
        del self._incidents[incident.incident_id]
        self._looks.pop(incident.incident_id, None)

    def _remove(self, gpu_id: str) -> None:
        """A GPU was forgotten: its alerts resolve, since nothing will say so any more."""
        scope, id = ("host", gpu_id.removeprefix(HOST_PREFIX)) if gpu_id.startswith(HOST_PREFIX) else ("gpu", gpu_id)
        at = format_time(self.clock)
        for incident in list(self._incidents.values()):
            for member in list(incident.members.values()):
                event = member.event
                if event.scope == scope and id == (event.gpu_id or event.host_id) and event.rule != HOST_MISSING:
                    over = msgspec.structs.replace(
                        event, status="resolved", reason=Why.REMOVED, updated_at=at, ends_at=at
                    )
                    self._resolve(over, Why.REMOVED)

    def _assess(self, incident: Incident, news: AlertEvent | None) -> None:
        """Tell people of ``incident`` or do not; ``news`` is what was just said of it, if anything."""
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
            gravest = max((member.event for member in incident.members.values()), key=gravity)
            subject = news or gravest
            why = blocked[subject.fingerprint]
            if news is not None or why != incident.last_reason:
                self._telling.quiet(incident, subject, why, self.clock)
                self._touch(incident.incident_id)
        else:
            event = max(free, key=gravity)
            tell = self._news(incident, event)
            if tell is not None:
                self._telling.tell(incident, event, tell, self.clock)
                self._touch(incident.incident_id)
            elif news is not None:
                why = blocked.get(news.fingerprint, Why.JOINED_INCIDENT)
                self._telling.quiet(incident, news, why, self.clock)
            if event.page:
                look = min(look, max(incident.told_at + REPEAT_SECONDS, self.clock + _LOOK_AGAIN_SECONDS))
        self._looks[incident.incident_id] = look

    def _news(self, incident: Incident, event: AlertEvent) -> Why | None:
        """Return why people are told of ``incident``, ``event`` its gravest, now; None: they know."""
        page, rank = gravity(event)
        if not incident.told:
            return Why.FIRST_FIRING
        if rank > incident.told_rank or (page and not incident.told_page):
            return Why.SEVERITY_RAISED
        if page and self.clock >= incident.told_at + REPEAT_SECONDS and not self._contradicted(event):
            return Why.REPEAT_INTERVAL
        return None

    def _block(self, incident: Incident, member: Member) -> tuple[Why | None, float]:
        """Return why this alert is not for people now (None: it is), and when to look again."""
        event = member.event
        if event.suppressed_by is not None:
            return Why.SUPPRESSED, inf
        if event.trial:
            return Why.TRIAL, inf
        if member.history or (event.history and event.reason != "first_sight"):
            return Why.HISTORY, inf
        action = in_effect(self._actions.values(), event, self.clock)
        if action is not None:
            return _BY_KIND[action.kind], ends(action)
        if event.rule == "gpu_missing":
            cause = self._causes.get(event.host_id or "", HostCause.NONE)
            if cause is HostCause.EXPORTER_DOWN:
                return Why.EXPORTER_DOWN, inf
            if self.clock < member.noted_at + GPU_HOLD_SECONDS:
                return Why.HELD_FOR_HOST, member.noted_at + GPU_HOLD_SECONDS
            if cause is HostCause.UNCONFIRMED:
                return Why.HELD_FOR_HOST, inf
            if cause.lost:
                return Why.GROUPED_IN_HOST, inf
        elif not incident.told and self._is_old(event) and not self._holds(event):
            return Why.TOO_OLD, self.clock + _LOOK_AGAIN_SECONDS
        return None, inf

    def _is_old(self, event: AlertEvent) -> bool:
        return self.clock - parse_time(event.updated_at) > MAX_AGE_SECONDS

    def _holds(self, event: AlertEvent) -> bool:
        """Whether the GPU's own recent samples still say so."""
        seen, incidents = self._status_of(event)
        return seen >= self.clock - _LIVE_SECONDS and event.incident_id in incidents

    def _contradicted(self, event: AlertEvent) -> bool:
        """Whether the GPU was heard after ``event``, without it: its end was lost with role score's state."""
        seen, incidents = self._status_of(event)
        return (
            event.rule != HOST_MISSING and seen > parse_time(event.updated_at) and event.incident_id not in incidents
        )

    def _status_of(self, event: AlertEvent) -> tuple[float, frozenset[str]]:
        subject = event.gpu_id if event.gpu_id is not None else f"{HOST_PREFIX}{event.host_id}"
        return self._statuses.get(subject, (-inf, frozenset()))

    # -- hosts ---------------------------------------------------------------------------------------------

    def _note_missing(self, event: AlertEvent, noted_at: float) -> None:
        if event.rule == "gpu_missing" and event.gpu_id is not None and event.host_id:
            explained = event.suppressed_by is not None
            one = Missing(event.incident_id, event.fingerprint, parse_time(event.starts_at), noted_at, explained)
            self._missing.setdefault(event.host_id, {})[event.gpu_id] = one

    def _found(self, event: AlertEvent) -> None:
        """Forget a missing GPU where ``event`` is what made it missing: another alert of it says nothing of that."""
        missing = self._missing.get(event.host_id or "")
        if missing is None or event.gpu_id is None:
            return
        one = missing.get(event.gpu_id)
        if one is not None and (one.incident_id, one.fingerprint) == (event.incident_id, event.fingerprint):
            del missing[event.gpu_id]

    def _judge_hosts(self) -> None:
        """Look at every host of which something is missing, or was."""
        for host_id in {*self._missing, *self._hosts.lost()}:
            missing = self._missing.get(host_id, {})
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
                        self._note_missing(member.event, self.clock)
            if event is not None and event.status == "firing":
                self._fire(event)
            elif event is not None:
                self._resolve(event, Why.RESOLVED)
            if event is not None:
                self._telling.say(Output(ALERTS, f"{HOST_PREFIX}{host_id}".encode(), _encode(event)))
            if not missing:
                self._missing.pop(host_id, None)
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
        return self._telling.waits

    @property
    def dirty(self) -> bool:
        """Whether anything waits for a checkpoint."""
        return self.urgent or bool(self._dirty) or self._hosts.dirty

    def drain(self) -> Said:
        """Return and forget what waits for a checkpoint."""
        said = self._telling.drain()
        states = said.checkpoint.states
        for key in self._dirty:
            name = key[2:].decode()
            kept = self._incidents.get(name) if key.startswith(_INCIDENT) else self._actions.get(name)
            states.append((key, None if kept is None else _encode(kept)))
        for host_id, value in self._hosts.drain():
            states.append((_HOST + host_id.encode(), value))
        self._dirty = {}
        return said


class OfflineNotify:
    """Decides on role score's outputs in event time, as a live system would have; nothing is sent."""

    def __init__(self) -> None:
        self._logic = NotifyLogic()

    def feed(self, outputs: Iterable[Output]) -> Iterator[Output]:
        """Take outputs in order, gpu-status included; yield notifications and the alerts of hosts."""
        for output in outputs:
            if output.topic == ALERTS and output.value is not None:
                event = _ALERT.decode(output.value)
                self._logic.advance(parse_time(event.updated_at))
                self._logic.alert(event)
            elif output.topic == STATUS and output.value is not None:
                status = _STATUS.decode(output.value)
                if status.appended_at:
                    self._logic.advance(parse_time(status.appended_at))
                self._logic.status(status)
            else:
                continue
            self._logic.advance(self._logic.clock)
            yield from self._logic.drain().checkpoint.outputs
