"""The GPUs that are missing, by host: what role notify judges a host by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from schemas.alert import AlertEvent
from schemas.times import parse_time


@dataclass(frozen=True, slots=True)
class Missing:
    """A GPU's open gpu_missing: since when by its own time, and since when notify knows (epoch s).

    ``explained``: the GPU is known to be lost, so its silence says nothing of its host.
    """

    incident_id: str
    fingerprint: str
    starts_at: float
    noted_at: float
    explained: bool


class MissingGpus:
    """Follows the gpu_missing alerts that are open."""

    def __init__(self) -> None:
        self._by_host: dict[str, dict[str, Missing]] = {}

    def note(self, event: AlertEvent, noted_at: float) -> None:
        """Take an alert that fires, which notify knows since ``noted_at`` (epoch s)."""
        if event.rule == "gpu_missing" and event.gpu_id is not None and event.host_id:
            explained = event.suppressed_by is not None
            one = Missing(event.incident_id, event.fingerprint, parse_time(event.starts_at), noted_at, explained)
            self._by_host.setdefault(event.host_id, {})[event.gpu_id] = one

    def found(self, event: AlertEvent) -> None:
        """Forget a missing GPU where ``event`` is what made it missing: another alert of it says nothing of that."""
        missing = self._by_host.get(event.host_id or "")
        if missing is None or event.gpu_id is None:
            return
        one = missing.get(event.gpu_id)
        if one is not None and (one.incident_id, one.fingerprint) == (event.incident_id, event.fingerprint):
            del missing[event.gpu_id]

    def hosts(self) -> Iterable[str]:
        """Return the hosts of which something is missing, or was when they were judged last."""
        return self._by_host.keys()

    def of(self, host_id: str) -> Mapping[str, Missing]:
        """Return the missing GPUs of a host, by gpu_id."""
        return self._by_host.get(host_id, {})

    def forget(self, host_id: str) -> None:
        """Forget a host of which nothing is missing."""
        self._by_host.pop(host_id, None)
