"""The owner's assets: joined with the GPUs that report, stored in both databases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from schemas.side_input import Asset
from streams.db.asset_csv import AssetRecord
from streams.db.files import queries
from streams.db.pool import Connection, assets_dsn, connect, metrics_dsn
from streams.settings import Settings

JoinedBy = Literal["gpu_id", "serial", "host_and_pci"]


@dataclass(frozen=True, slots=True)
class KnownGpu:
    """A GPU that has reported, and what it said of itself."""

    gpu_id: str
    host_id: str
    serial: str | None
    pci_bus_id: str | None


@dataclass(frozen=True, slots=True)
class JoinedAsset:
    """An asset and the GPU that it is; ``gpu_id`` is None until such a GPU has reported."""

    record: AssetRecord
    gpu_id: str | None
    joined_by: JoinedBy | None


class JoinConflict(Exception):
    """Two assets are the same GPU; ``line`` is the second one's."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line


def join(records: Iterable[AssetRecord], known: Iterable[KnownGpu]) -> tuple[list[JoinedAsset], list[JoinConflict]]:
    """Join each asset with its GPU: by UUID, else by serial, else by host and PCI address.

    A listed UUID is believed even before the GPU has reported. The owner's id counts as UUID where a GPU
    reports under it. What two GPUs share (a serial of a two-GPU board) joins neither.
    """
    gpus = list(known)
    ids = {gpu.gpu_id for gpu in gpus}
    by_serial = _unique((gpu.serial, gpu.gpu_id) for gpu in gpus if gpu.serial)
    by_place = _unique((f"{gpu.host_id}/{gpu.pci_bus_id}", gpu.gpu_id) for gpu in gpus if gpu.pci_bus_id)
    joined: list[JoinedAsset] = []
    conflicts: list[JoinConflict] = []
    taken: dict[str, int] = {}
    for record in records:
        gpu_id, how = _find(record, ids, by_serial, by_place)
        if gpu_id is not None and gpu_id in taken:
            conflicts.append(JoinConflict(record.line, f"{gpu_id} is the asset of line {taken[gpu_id]} already"))
            continue
        if gpu_id is not None:
            taken[gpu_id] = record.line
        joined.append(JoinedAsset(record, gpu_id, how))
    return joined, conflicts


def _unique(pairs: Iterable[tuple[str | None, str]]) -> dict[str, str]:
    found: dict[str, set[str]] = {}
    for name, gpu_id in pairs:
        if name is not None:
            found.setdefault(name, set()).add(gpu_id)
    return {name: next(iter(gpu_ids)) for name, gpu_ids in found.items() if len(gpu_ids) == 1}


def _find(
    record: AssetRecord, ids: set[str], by_serial: Mapping[str, str], by_place: Mapping[str, str]
) -> tuple[str | None, JoinedBy | None]:
    if record.gpu_id is not None:
        return record.gpu_id, "gpu_id"
    if record.asset_tag in ids:
        return record.asset_tag, "gpu_id"
    if record.serial is not None and record.serial in by_serial:
        return by_serial[record.serial], "serial"
    place = f"{record.host_id}/{record.pci_bus_id}"
    if place in by_place:
        return by_place[place], "host_and_pci"
    return None, None


async def known_gpus(settings: Settings) -> list[KnownGpu]:
    """Return the GPUs that have rows in the metrics database."""
    connection = await connect(metrics_dsn(settings))
    try:
        return [
            KnownGpu(row["gpu_id"], row["host_id"], row["labels"].get("serial"), row["labels"].get("pci_bus_id"))
            async for row in queries("assets").known_gpus(connection)
        ]
    finally:
        await connection.close()


async def store_assets(settings: Settings, assets: Sequence[JoinedAsset]) -> None:
    """Write the assets to the asset database and to the copy beside the metrics, each in one transaction."""
    for dsn in dict.fromkeys((assets_dsn(settings), metrics_dsn(settings))):
        connection = await connect(dsn, writable=True)
        try:
            await _write(connection, assets)
        finally:
            await connection.close()


async def _write(connection: Connection, assets: Sequence[JoinedAsset]) -> None:
    sql = queries("assets")
    async with connection.transaction():
        await sql.release_gpus(
            connection,
            asset_ids=[asset.record.asset_id for asset in assets],
            gpu_ids=[asset.gpu_id for asset in assets if asset.gpu_id],
        )
        for asset in assets:
            values = msgspec.structs.asdict(asset.record)
            del values["line"]
            values |= {"gpu_id": asset.gpu_id, "joined_by": asset.joined_by}
            await sql.upsert(connection, **values)


async def list_assets(settings: Settings) -> list[dict[str, Any]]:
    """Return all assets with their age in days, by host and slot."""
    connection = await connect(assets_dsn(settings))
    try:
        return [dict(row) async for row in queries("assets").all_assets(connection)]
    finally:
        await connection.close()


def side_input(asset: JoinedAsset) -> Asset:
    """Return what is published to gpu-inputs of an asset whose GPU is known."""
    if asset.gpu_id is None:
        raise ValueError(f"{asset.record.asset_id}: no GPU has reported as this asset")
    values = msgspec.structs.asdict(asset.record) | {"gpu_id": asset.gpu_id}
    del values["line"], values["asset_id"]
    return msgspec.convert(msgspec.to_builtins(values), Asset)
