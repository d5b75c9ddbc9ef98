"""Owners' lists: names, values, errors by line."""

from __future__ import annotations

from datetime import date

import pytest

from streams.db.asset_csv import AssetRecord, read_assets
from streams.db.assets import KnownGpu, join

UUID = "GPU-5a1b2c3d-0000-1111-2222-333344445555"


def test_the_guides_columns() -> None:
    file = read_assets(
        "\ufeffgpu_id,model,serial_number,host,PCI Address,deployed_date,datacenter,rack,purchase price,"
        "warranty_expiry,known_issues,colour\n"
        'GPU-A100-001,A100,165001,node-1,00000000:3B:00.0,2025-01-02,dc1,r7,"$9,000.50",2028-01-02,Thermal,red\n'
    )
    assert file.errors == ()
    assert file.ignored == ("colour",)
    assert file.records == (
        AssetRecord(
            line=2,
            asset_id="GPU-A100-001",
            asset_tag="GPU-A100-001",
            serial="165001",
            model="A100",
            host_id="node-1",
            pci_bus_id="0000:3b:00",
            rack_id="r7",
            datacenter="dc1",
            deployed_date=date(2025, 1, 2),
            purchase_price_usd=9000.5,
            warranty_expiry=date(2028, 1, 2),
            known_issues="Thermal",
        ),
    )


def test_a_uuid_as_gpu_id_is_the_gpu_and_another_id_is_a_tag() -> None:
    records = read_assets(f"gpu_id,uuid\n{UUID},\nTAG-1,{UUID[4:].upper()}\n").records
    assert (records[0].gpu_id, records[0].asset_tag) == (UUID, None)
    assert records[1].asset_tag == "TAG-1"
    assert records[1].gpu_id is not None


@pytest.mark.parametrize("nothing", ["", "none", "N/A", "-"])
def test_no_known_issue_is_none(nothing: str) -> None:
    assert read_assets(f"gpu_id,known_issues\nA,{nothing}\n").records[0].known_issues is None


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("", 1, "empty"),
        ("gpu_id,serial,serial_number\nA,1,2\n", 1, "serial"),
        ("gpu_id,model\nA,B,C\n", 2, "3 values"),
        ("gpu_id,deployed_date\nA,2025-01-01\nB,2025-13-01\n", 3, "deployed_date"),
        ("gpu_id,price\nA,cheap\n", 2, "purchase_price_usd"),
        ("gpu_id,price\nA,-1\n", 2, "no price"),
        ("gpu_id,pci\nA,somewhere\n", 2, "PCI"),
        ("gpu_id\nA\n\nA\n", 4, "line 2"),
        (f"gpu_id,uuid\nA,{UUID}\nB,{UUID}\n", 3, "line 2"),
        ("model\nA100\n", 2, "which GPU"),
    ],
)
def test_errors_name_their_line(text: str, line: int, told: str) -> None:
    (error,) = read_assets(text).errors
    assert error.line == line
    assert told in error.text


def test_good_lines_beside_a_wrong_one_are_read() -> None:
    file = read_assets("gpu_id,price\nA,1\nB,x\nC,3\n")
    assert [record.asset_id for record in file.records] == ["A", "C"]
    assert [error.line for error in file.errors] == [3]


def records(text: str) -> tuple[AssetRecord, ...]:
    file = read_assets(text)
    assert file.errors == ()
    return file.records


GPUS = [
    KnownGpu("GPU-a", "node-1", "s1", "0000:1b:00"),
    KnownGpu("GPU-b", "node-1", None, "0000:3b:00"),
    KnownGpu("GPU-c", "node-2", "shared", "0000:1b:00"),
    KnownGpu("GPU-d", "node-2", "shared", "0000:3b:00"),
]


def test_joined_by_uuid_else_serial_else_host_and_address() -> None:
    listed = records(
        "gpu_id,serial,host,pci\n"
        f"{UUID},s1,,\n"  # a listed UUID is believed, whatever the serial says
        "GPU-b,,,\n"
        "TAG-1,s1,node-9,0000:1b:00\n"
        "TAG-2,,node-2,0000:3B:00.0\n"
        "TAG-3,shared,,\n"
        "TAG-4,,node-7,0000:1b:00\n"
    )
    joined, conflicts = join(listed, GPUS)
    assert conflicts == []
    assert [(asset.gpu_id, asset.joined_by) for asset in joined] == [
        (UUID, "gpu_id"),
        ("GPU-b", "gpu_id"),
        ("GPU-a", "serial"),
        ("GPU-d", "host_and_pci"),
        (None, None),
        (None, None),
    ]


def test_two_lines_for_one_gpu_are_a_conflict_of_the_second() -> None:
    joined, (conflict,) = join(records("gpu_id,serial,host,pci\nA,s1,,\nB,,node-1,0000:1b:00\n"), GPUS)
    assert [asset.record.asset_id for asset in joined] == ["A"]
    assert conflict.line == 3
    assert "line 2" in str(conflict)
