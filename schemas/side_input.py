"""A versioned side input on gpu-inputs."""

from __future__ import annotations

import msgspec


class InputKey(msgspec.Struct, frozen=True, kw_only=True):
    """Key of the record; with ``version`` so that compaction keeps every version."""

    kind: str
    id: str
    version: int


class SideInput(msgspec.Struct, frozen=True, kw_only=True):
    """``effective_from`` is event time; None: from the beginning of time (a first version)."""

    kind: str
    id: str
    version: int
    effective_from: str | None
    payload: msgspec.Raw
    published_at: str = ""
    schema_version: int = 1


class Replaced(msgspec.Struct, frozen=True, kw_only=True):
    """Another GPU reports from the address of a GPU that fell silent; ``at``: append time of its status."""

    gpu_id: str
    by_gpu_id: str
    host_id: str
    pci_bus_id: str
    at: str


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    """What the owner knows of a GPU; the key is its UUID where known."""

    gpu_id: str
    asset_tag: str | None = None
    serial: str | None = None
    model: str | None = None
    host_id: str | None = None
    pci_bus_id: str | None = None
    slot: str | None = None
    rack_id: str | None = None
    datacenter: str | None = None
    deployed_date: str | None = None
    purchase_date: str | None = None
    purchase_price_usd: float | None = None
    warranty_expiry: str | None = None
    known_issues: str | None = None
    removed_at: str | None = None
    notes: str | None = None
