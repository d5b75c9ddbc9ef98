"""A GPU that was exchanged in its slot is replaced, not missing; one beside it proves nothing."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from agents.ports import Output
from schemas.side_input import Replaced, SideInput
from schemas.status import GpuStatus
from schemas.topics import INPUTS
from tests.unit.agents.notify.notifying import T0, Desk, alert, heartbeat, pages, resolved, status

OLD, NEW = "GPU-old", "GPU-new"
GONE = 56.0
PLACE = "00000000:1B:00.0"


def missing(gpu: str = OLD, at: float = GONE) -> Any:
    return alert("gpu_missing", gpu=gpu, at=at - 1, pci_bus_id=PLACE, limit=55.0)


def here(gpu: str, *, at: float, samples: int = 1, **fields: Any) -> GpuStatus:
    return status(gpu, at=at, pci_bus_id="0000:1b:00", samples=samples, **fields)


def replaced(desk: Desk) -> list[Replaced]:
    found: list[Output] = [output for output in desk.outputs if output.topic == INPUTS]
    records = [msgspec.json.decode(output.value or b"", type=SideInput) for output in found]
    return [msgspec.json.decode(record.payload, type=Replaced) for record in records]


@pytest.mark.parametrize("first", ["silence", "exchange"])
def test_another_gpu_at_its_address_replaces_it(first: str) -> None:
    desk = Desk()
    desk.say(here(OLD, at=0, samples=900), status("GPU-other", at=0), heartbeat(0.0), at=0)
    if first == "silence":
        desk.say(missing(), at=GONE)
        desk.say(here(NEW, at=GONE + 4), at=GONE + 4)
    else:
        desk.say(here(NEW, at=GONE - 9), at=GONE - 9)
        desk.say(missing(), at=GONE)
    (one,) = replaced(desk)
    assert (one.gpu_id, one.by_gpu_id, one.host_id, one.pci_bus_id) == (OLD, NEW, "node-1", "0000:1b:00")
    over = msgspec.structs.replace(resolved(missing(), GONE + 6), reason="replaced")
    desk.say(over, at=GONE + 6)
    desk.say(here(NEW, at=GONE + 60), status("GPU-other", at=GONE + 60), heartbeat(GONE + 60), at=GONE + 300)
    assert pages(desk.all) == []
    assert len(replaced(desk)) == 1


@pytest.mark.parametrize(
    "other",
    [
        here(NEW, at=GONE, samples=900),  # it reported beside the old one: the exporter names one address for both
        here(NEW, at=-10.0),
        here(NEW, at=GONE, host="node-2"),
        status(NEW, at=GONE, pci_bus_id="0000:1c:00"),
        status(NEW, at=GONE, pci_bus_id="unknown"),
        status(NEW, at=GONE),
    ],
    ids=["beside", "before", "elsewhere", "another slot", "no address", "none"],
)
def test_what_is_no_exchange_pages(other: GpuStatus) -> None:
    desk = Desk()
    desk.say(here(OLD, at=0, samples=900), status("GPU-other", at=0), heartbeat(0.0), at=0)
    desk.say(other, missing(), at=GONE)
    desk.say(status("GPU-other", at=GONE + 4), heartbeat(GONE + 4), at=GONE + 5)
    desk.say(at=GONE + 11)
    assert replaced(desk) == []
    assert pages(desk.all) == [("gpu", "gpu_missing")]


def test_a_gpu_that_is_moved_takes_the_place() -> None:
    desk = Desk()
    desk.say(here(OLD, at=0, samples=900), status(NEW, at=0, pci_bus_id="0000:1c:00", samples=900), at=0)
    desk.say(missing(), here(NEW, at=GONE + 1, samples=901), at=GONE + 1)
    assert [one.by_gpu_id for one in replaced(desk)] == [NEW]


def test_a_host_is_lost_without_those_that_left_it() -> None:
    desk = Desk()
    gpus = ["GPU-1", "GPU-2", OLD]
    desk.say(*[status(gpu) for gpu in gpus], at=0)
    left = msgspec.structs.replace(resolved(alert("gpu_missing", gpu=OLD, at=GONE), GONE + 1), reason="removed")
    desk.say(left, at=GONE + 1)
    desk.say(status(OLD), at=GONE + 2)  # its last status is read again
    silent = [alert("gpu_missing", gpu=gpu, at=100.0) for gpu in gpus[:2]]
    desk.say(*silent, at=101)
    desk.say(at=102 + 300)
    assert pages(desk.all) == [("host", "host_missing")]


def test_the_exchange_is_of_the_brokers_time() -> None:
    desk = Desk()
    desk.say(here(OLD, at=0), missing(), here(NEW, at=70.5), at=71)
    (output,) = [output for output in desk.outputs if output.topic == INPUTS]
    assert msgspec.json.decode(output.key)["version"] == int(T0 + 70.5)
