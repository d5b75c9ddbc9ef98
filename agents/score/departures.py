"""Which GPUs have left, as the side inputs tell: the owner's list, and role notify, which sees a host whole."""

from __future__ import annotations

from math import inf

from agents.ports import Inputs
from agents.score.side_inputs import ASSET, REPLACED
from models.gpu.departure import Departure
from schemas.side_input import Asset, Replaced
from schemas.times import parse_time


def departure_of(inputs: Inputs, gpu_id: str, clock: float) -> Departure | None:
    """Return why ``gpu_id`` is expected no more at ``clock`` (append time, epoch s); None: it is expected."""
    found = inputs.newest(REPLACED.name, gpu_id, clock)
    if found is not None:
        replaced: Replaced = found[1]
        at = parse_time(replaced.at)
        return Departure("replaced", at, last_append_time=at) if at <= clock else None
    found = inputs.newest(ASSET.name, gpu_id, clock)
    if found is None:
        return None
    asset: Asset = found[1]
    try:
        at = parse_time(asset.removed_at) if asset.removed_at else inf
    except ValueError:
        return None
    return Departure("removed", at) if at <= clock else None
