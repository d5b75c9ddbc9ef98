"""An owner's list into both databases and onto gpu-inputs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from schemas.errors import ShutdownError
from streams.db.asset_csv import LineError, read_assets
from streams.db.assets import JoinedAsset, join, known_gpus, side_input, store_assets
from streams.settings import Settings


class Unpublished(ShutdownError):
    """The databases have the assets, the topic has not."""


@dataclass(slots=True)
class ImportReport:
    """What became of a file; ``unseen`` are the assets whose GPU has not reported, ``published`` is a sentence."""

    imported: int = 0
    joined: Counter[str] = field(default_factory=Counter)
    unseen: list[str] = field(default_factory=list)
    errors: list[LineError] = field(default_factory=list)
    ignored: tuple[str, ...] = ()
    published: str = "nothing was published"


async def import_assets(settings: Settings, text: str, *, partial: bool = False) -> ImportReport:
    """Import the CSV ``text``; with an error in any line nothing, unless ``partial``.

    Raises
    ------
    Unpublished
        The broker took nothing.
    """
    file = read_assets(text)
    joined, conflicts = join(file.records, await known_gpus(settings))
    report = ImportReport(ignored=file.ignored)
    report.errors = sorted(
        [*file.errors, *(LineError(conflict.line, str(conflict)) for conflict in conflicts)],
        key=lambda error: error.line,
    )
    if not joined or (report.errors and not partial):
        return report
    await store_assets(settings, joined)
    report.imported = len(joined)
    report.joined.update(asset.joined_by for asset in joined if asset.joined_by)
    report.unseen = [asset.record.asset_id for asset in joined if asset.gpu_id is None]
    report.published = await _publish(settings, [asset for asset in joined if asset.gpu_id])
    return report


async def _publish(settings: Settings, assets: list[JoinedAsset]) -> str:
    if not settings.broker:
        return "no broker is configured: nothing was published to gpu-inputs (set GPU_HEALTH_BROKER, import again)"
    from aiokafka.errors import KafkaError

    from streams.inputs.publishing import Publication, publish_all

    payloads = [side_input(asset) for asset in assets]
    try:
        await publish_all(settings, [Publication("asset", payload.gpu_id, payload) for payload in payloads])
    except KafkaError as error:
        raise Unpublished(f"stored, but not published to gpu-inputs (import again): {error!r}") from error
    return f"{len(assets)} published to gpu-inputs"
