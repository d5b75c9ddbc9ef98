"""Who reports from which address of a host: a GPU that is silent where another reports now was exchanged."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor
from typing import Final

import msgspec

from agents.ports import Output
from schemas.alert import AlertEvent
from schemas.pci import normalise_pci
from schemas.side_input import InputKey, Replaced, SideInput
from schemas.status import GpuStatus
from schemas.times import format_time, parse_time
from schemas.topics import INPUTS

# How much longer than its samples tell a GPU may have lived beside the one that is silent now: an exporter that
# gives all GPUs one address must not make the missing ones replaced.
_BESIDE_SECONDS: Final = 300.0
Place = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Occupant:
    """``since``, ``appended_at``: when it was heard from this place first and last (append time, epoch s)."""

    gpu_id: str
    since: float
    appended_at: float


class Places:
    """Follows gpu-status and the open gpu_missing alerts, and finds those whose place another has taken."""

    def __init__(self) -> None:
        self._occupants: dict[Place, _Occupant] = {}
        self._place_of: dict[str, Place] = {}
        self._silent: dict[Place, dict[str, float]] = {}

    def seen(self, status: GpuStatus) -> list[Output]:
        """Take the latest status of a GPU; return what tells role score that it replaced another."""
        place = _place(status.host_id, status.pci_bus_id)
        if place is None or not status.appended_at:
            return []
        appended_at = parse_time(status.appended_at)
        before = self._occupants.get(place)
        if before is not None and before.gpu_id != status.gpu_id and before.appended_at > appended_at:
            return []  # an old status of one that was here
        if before is not None and before.gpu_id == status.gpu_id:
            since = before.since
        elif self._place_of.get(status.gpu_id, place) != place:
            since = appended_at  # it was moved here
        else:
            since = appended_at - status.samples * status.interval_seconds
        occupant = self._occupants[place] = _Occupant(status.gpu_id, since, appended_at)
        self._place_of[status.gpu_id] = place
        return self._exchanged(place, occupant)

    def missing(self, event: AlertEvent) -> list[Output]:
        """Take a gpu_missing that fires or is over; return what :meth:`seen` returns."""
        place = _place(event.host_id or "", event.pci_bus_id)
        if place is None or event.gpu_id is None or event.rule != "gpu_missing":
            return []
        if event.status == "resolved":
            self._silent.get(place, {}).pop(event.gpu_id, None)
            return []
        self._silent.setdefault(place, {})[event.gpu_id] = parse_time(event.starts_at) - (event.limit or 0.0)
        occupant = self._occupants.get(place)
        return [] if occupant is None else self._exchanged(place, occupant)

    def _exchanged(self, place: Place, occupant: _Occupant) -> list[Output]:
        outputs = []
        for gpu_id, last_seen in list(self._silent.get(place, {}).items()):
            later = occupant.appended_at > last_seen and occupant.since > last_seen - _BESIDE_SECONDS
            if gpu_id != occupant.gpu_id and later:
                del self._silent[place][gpu_id]
                outputs.append(_replaced(gpu_id, occupant, place))
        return outputs


def _place(host_id: str, pci_bus_id: str | None) -> Place | None:
    address = normalise_pci(pci_bus_id) if pci_bus_id else None
    return (host_id, address) if host_id and address else None


def _replaced(gpu_id: str, occupant: _Occupant, place: Place) -> Output:
    """Return the side input; its version is the second, so that a later exchange is a later version."""
    version = floor(occupant.appended_at)
    payload = Replaced(
        gpu_id=gpu_id,
        by_gpu_id=occupant.gpu_id,
        host_id=place[0],
        pci_bus_id=place[1],
        at=format_time(occupant.appended_at),
    )
    record = SideInput(
        kind="replaced",
        id=gpu_id,
        version=version,
        effective_from=None,
        payload=msgspec.Raw(msgspec.json.encode(payload)),
        published_at=format_time(occupant.appended_at),
    )
    key = InputKey(kind="replaced", id=gpu_id, version=version)
    return Output(INPUTS, msgspec.json.encode(key), msgspec.json.encode(record))
