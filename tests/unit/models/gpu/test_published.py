"""What is published and remembered keeps the form that release 0.1.0 packed."""

from __future__ import annotations

import msgspec
import pytest

from models.gpu import packing, published
from models.gpu.remembered import DecayedEvents, Inputs, XidTimes
from models.gpu.state import GpuState

AT = 1_770_638_400.0
KEPT = {
    "health": {"at": AT, "overall": 98.5, "thermal": None, "memory": 100.0, "power": 97.0, "evidence": 2},
    "risk": {"level": "high", "at": AT},
    "advice": {
        "action": "SELL",
        "at": AT,
        "band": -1,
        "level": "high",
        "replace_class": False,
        "probability": 0.02,
        "prices": 3,
        "warranty": "2027-01-01",
    },
    "status": [99, None, 100, 97, True, 51, "high", 0.01, 0.02],
    "inputs": [22653, [[8, AT]]],
    "risk_history": {"memory": [AT, 1.0, 1.5, 1.75]},
    "xid": {"79": [AT, None, [AT - 300.0, AT]], "place GPC 1": [None, None, [AT]]},
    "uncorrected_at": AT,
}


def with_kept(kept: dict[str, object]) -> tuple[GpuState, bytes]:
    """Return a state that read ``kept``, and what it packs."""
    empty = msgspec.msgpack.decode(packing.pack_evidence(GpuState("GPU-1", "")))
    state = GpuState("GPU-1", "")
    packing.unpack_evidence(state, msgspec.msgpack.encode(empty | {"said": kept}))
    return state, packing.pack_evidence(state)


def test_every_field_is_read_by_name_and_written_back() -> None:
    state, packed = with_kept(dict(KEPT))
    assert state.published.health == published.Health(
        at=AT, overall=98.5, thermal=None, memory=100.0, power=97.0, evidence=2
    )
    assert state.published.status == published.Status(99, None, 100, 97, True, 51, "high", 0.01, 0.02)
    assert state.remembered.inputs == Inputs(22653, [(8, AT)])
    assert state.remembered.risk_history == {"memory": DecayedEvents(AT, 1.0, 1.5, 1.75)}
    assert state.remembered.xid["79"] == XidTimes(AT, None, [AT - 300.0, AT])
    assert state.remembered.uncorrected_at == AT
    assert msgspec.msgpack.decode(packed)["said"] == KEPT


@pytest.mark.parametrize("absent", KEPT)
def test_what_was_never_kept_is_not_written(absent: str) -> None:
    kept = {key: value for key, value in KEPT.items() if key != absent}
    state, packed = with_kept(kept)
    assert not getattr(state.published, absent, None)
    assert not getattr(state.remembered, absent, None)
    assert msgspec.msgpack.decode(packed)["said"] == kept


def test_two_gpus_share_nothing() -> None:
    one, other = GpuState("GPU-1", ""), GpuState("GPU-2", "")
    one.remembered.xid["79"] = XidTimes(AT)
    one.remembered.xid["79"].bursts.append(AT)
    assert other.remembered.xid == {}
    assert XidTimes().bursts == []
