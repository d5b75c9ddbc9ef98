"""The hosts as role notify knows them from gpu-status: their GPUs, their heartbeat, and whether they are lost."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Final

import msgspec

from agents.notify.missing import Missing
from agents.status_pace import longest_wait_seconds
from models.alerts.grouping import (
    HOST_HOLD_SECONDS,
    KNOWN_SECONDS,
    HostCause,
    HostFacts,
    host_cause,
    host_event,
)
from models.alerts.rules_file import load_rules
from schemas.alert import AlertEvent
from schemas.raw import HOST_PREFIX
from schemas.status import GpuStatus
from schemas.times import parse_time

# Last-seen times move with every status; written this often they serve to tell who was seen in the last day.
_SAVE_SECONDS: Final = 3600.0


class Host(msgspec.Struct, kw_only=True):
    """One host.

    ``left`` has the GPUs that left it and when (epoch s), ``lost_since`` is the clock at which its loss was noticed,
    ``event`` the alert that fires.
    """

    host_id: str
    gpus: dict[str, float] = {}
    left: dict[str, float] = {}
    heartbeat_at: float | None = None
    heartbeat_interval_seconds: float = 10.0
    exporter_up: bool | None = None
    rack_id: str | None = None
    lost_since: float | None = None
    lost_starts_at: float = 0.0
    event: AlertEvent | None = None
    saved_at: float = 0.0


class Hosts:
    """All hosts.

    Parameters
    ----------
    status_records_per_second
        What gpu-status is thinned to: a heartbeat may be told that much later than it came.
    """

    def __init__(self, status_records_per_second: float) -> None:
        self._rate = status_records_per_second
        # Silence is as long for a host as for a GPU; the packaged rules, since notify follows no side inputs.
        self._rules = load_rules()
        self._hosts: dict[str, Host] = {}
        self._host_of: dict[str, str] = {}
        self._dirty: dict[str, None] = {}
        self._silence_from = -inf

    def restore(self, value: bytes) -> None:
        """Take one host's record."""
        host = msgspec.msgpack.decode(value, type=Host)
        self._hosts[host.host_id] = host
        self._host_of.update(dict.fromkeys(host.gpus, host.host_id))

    def drain(self) -> list[tuple[str, bytes | None]]:
        """Return and forget what changed, by host_id; None: the host is forgotten."""
        dirty, self._dirty = self._dirty, {}
        return [(id, msgspec.msgpack.encode(self._hosts[id]) if id in self._hosts else None) for id in dirty]

    @property
    def dirty(self) -> bool:
        """Whether :meth:`drain` has something."""
        return bool(self._dirty)

    def start_afresh(self, clock: float) -> None:
        """Nothing was read for a while: heartbeats count as heard at ``clock``."""
        self._silence_from = clock

    def seen(self, status: GpuStatus) -> None:
        """Take a GPU's or a host's latest status."""
        appended = parse_time(status.appended_at) if status.appended_at else -inf
        if status.gpu_id.startswith(HOST_PREFIX):
            host = self._host(status.gpu_id.removeprefix(HOST_PREFIX))
            if host.heartbeat_at is None:
                self._dirty[host.host_id] = None
            host.heartbeat_at = max(host.heartbeat_at or 0.0, appended)
            host.heartbeat_interval_seconds = status.interval_seconds
            up = status.values.get("exporter_up")
            host.exporter_up = None if up is None else up > 0.0
            return
        before = self._host_of.get(status.gpu_id)
        if before is not None and before != status.host_id:
            self.forget(status.gpu_id)
        if not status.host_id:
            return
        host = self._host(status.host_id)
        if (left := host.left.get(status.gpu_id)) is not None:
            if appended <= left:
                return  # how it was before it left
            del host.left[status.gpu_id]
        if status.gpu_id not in host.gpus or appended - host.saved_at > _SAVE_SECONDS:
            host.saved_at = appended
            self._dirty[host.host_id] = None
        host.gpus[status.gpu_id] = appended
        host.rack_id = status.rack_id or host.rack_id
        self._host_of[status.gpu_id] = host.host_id

    def exporter(self, host_id: str, up: bool) -> None:
        """Take what an alert says of a host's exporter."""
        self._host(host_id).exporter_up = up

    def forget(self, gpu_id: str) -> None:
        """Take a GPU, or a host's heartbeat, away."""
        if gpu_id.startswith(HOST_PREFIX):
            host = self._hosts.get(gpu_id.removeprefix(HOST_PREFIX))
            if host is not None:
                host.heartbeat_at = host.exporter_up = None
                self._dirty[host.host_id] = None
            return
        host_id = self._host_of.pop(gpu_id, None)
        host = self._hosts.get(host_id) if host_id is not None else None
        if host is None:
            return
        host.gpus.pop(gpu_id, None)
        if not host.gpus and host.event is None:
            del self._hosts[host.host_id]
        self._dirty[host.host_id] = None

    def left(self, gpu_id: str, at: float) -> None:
        """A GPU has left its host, whose silence it tells nothing of; older than ``at`` is what it was before."""
        host = self._hosts.get(self._host_of.pop(gpu_id, ""))
        if host is not None:
            host.gpus.pop(gpu_id, None)
            host.left[gpu_id] = at
            self._dirty[host.host_id] = None

    def lost(self) -> list[str]:
        """Return the hosts that are taken to be lost."""
        return [host.host_id for host in self._hosts.values() if host.lost_since is not None]

    def judge(
        self, host_id: str, missing: Mapping[str, Missing], clock: float
    ) -> tuple[HostCause, AlertEvent | None]:
        """Return what explains the missing GPUs of a host, and the alert of the host itself that is due now."""
        host = self._host(host_id)
        unexplained = {gpu_id: one for gpu_id, one in missing.items() if not one.explained}
        heartbeat_limit = max(
            self._rules.silence_least_seconds, self._rules.silence_intervals * host.heartbeat_interval_seconds
        )
        heartbeat_limit += host.heartbeat_interval_seconds
        heartbeat_limit += longest_wait_seconds(len(self._host_of), self._rate, host.heartbeat_interval_seconds)
        known = host.heartbeat_at is not None
        facts = HostFacts(
            gpus=host.gpus,
            missing={gpu_id: one.noted_at for gpu_id, one in unexplained.items()},
            explained=missing.keys() - unexplained.keys(),
            heartbeat_at=max(host.heartbeat_at or 0.0, self._silence_from) if known else -inf,
            heartbeat_limit_seconds=heartbeat_limit,
            exporter_up=host.exporter_up,
        )
        cause = host_cause(facts, clock)
        return cause, self._proceed(host, cause, facts, unexplained, clock)

    def _proceed(
        self, host: Host, cause: HostCause, facts: HostFacts, missing: Mapping[str, Missing], clock: float
    ) -> AlertEvent | None:
        """Move the host's own alert: noticed, held, published, over."""
        if cause.lost:
            if host.lost_since is None:
                # Some of its GPUs may have been missing for long, or explained until now: the hold begins here.
                host.lost_since = clock
                host.lost_starts_at = max(one.starts_at for one in missing.values())
                self._dirty[host.host_id] = None
            if host.event is not None or clock < host.lost_since + HOST_HOLD_SECONDS:
                return None
            alive = facts.heartbeat_at > -inf and clock <= facts.heartbeat_at + facts.heartbeat_limit_seconds
            host.event = host_event(
                host.host_id,
                "firing",
                "first_firing",
                members=[gpu_id for gpu_id in missing if host.gpus.get(gpu_id, clock) >= clock - KNOWN_SECONDS],
                starts_at=host.lost_starts_at,
                at=clock,
                heartbeat=alive,
                rack_id=host.rack_id,
            )
            self._dirty[host.host_id] = None
            return host.event
        if host.lost_since is None:
            return None
        ended, host.event, host.lost_since = host.event, None, None
        self._dirty[host.host_id] = None
        if ended is None:
            return None
        return host_event(
            host.host_id,
            "resolved",
            "exporter_down" if cause is HostCause.EXPORTER_DOWN else "data_again",
            members=ended.members,
            starts_at=parse_time(ended.starts_at),
            at=clock,
            heartbeat=True,
            rack_id=host.rack_id,
        )

    def _host(self, host_id: str) -> Host:
        host = self._hosts.get(host_id)
        if host is None:
            host = self._hosts[host_id] = Host(host_id=host_id)
        return host
