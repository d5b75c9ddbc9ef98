"""Rows become one message a GPU: merged, named, labelled; other rows are told apart."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from collectors.dcgm import messages, parse_exposition, row_kinds
from schemas.pci import normalise_pci
from schemas.raw import decode
from schemas.sample import to_sample
from schemas.signals import link_alias

TIME = 1770638400.0


def told(text: str) -> list[dict[str, Any]]:
    return messages(parse_exposition(text), host_id="node1", time=TIME, interval_seconds=10.0, source="dcgm")


def test_the_message_is_what_the_raw_topic_takes() -> None:
    (message,) = told('DCGM_FI_DEV_GPU_TEMP{gpu="0",UUID="GPU-1"} 65\nNEW_NAME{gpu="0",UUID="GPU-1"} 1\n')
    assert message == {
        "timestamp": "2026-02-09T12:00:00.000Z",
        "gpu_id": "GPU-1",
        "host_id": "node1",
        "metrics": {"DCGM_FI_DEV_GPU_TEMP": 65.0, "NEW_NAME": 1.0},
        "labels": {"gpu": "0"},
        "interval_seconds": 10.0,
        "source": "dcgm",
        "schema_version": 1,
    }
    sample = to_sample(decode(orjson.dumps(message)), TIME)
    assert (sample.gpu_id, sample.time, sample.unknown) == ("GPU-1", TIME, 1)


def test_labels_of_every_exporter_get_one_spelling() -> None:
    (message,) = told(
        'DCGM_FI_DEV_GPU_TEMP{gpu="3",UUID="GPU-1",pci_bus_id="00000000:A8:00.0",device="nvidia3",'
        'modelName="NVIDIA H100 80GB HBM3",Hostname="n7",DCGM_FI_DRIVER_VERSION="590.48.01",'
        'DCGM_FI_DEV_SERIAL="1650",DCGM_FI_DEV_VBIOS_VERSION="96",exported_namespace="ml",exported_pod="job-1",'
        'exported_container="main"} 65'
    )
    assert message["labels"] == {
        "gpu": "3",
        "pci_bus_id": "0000:a8:00",
        "model": "NVIDIA H100 80GB HBM3",
        "exporter_hostname": "n7",
        "driver_version": "590.48.01",
        "serial": "1650",
        "vbios": "96",
        "namespace": "ml",
        "pod": "job-1",
        "container": "main",
    }


def test_names_of_exporter_1_and_their_uuid_label() -> None:
    (message,) = told('dcgm_gpu_temp{gpu="0",uuid="GPU-1",pod_name="p",pod_namespace="n",container_name="c"} 40')
    assert message["gpu_id"] == "GPU-1"
    assert message["metrics"] == {"dcgm_gpu_temp": 40.0}
    assert (message["labels"]["pod"], message["labels"]["namespace"], message["labels"]["container"]) == (
        "p",
        "n",
        "c",
    )


def test_link_rows_become_per_link_names() -> None:
    (message,) = told(
        'DCGM_FI_DEV_GPU_TEMP{gpu="0",UUID="GPU-1"} 65\n'
        'DCGM_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL{nvlink="7",gpu_uuid="GPU-1",gpu="0"} 3\n'
    )
    name = "DCGM_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_L7"
    assert message["metrics"] == {"DCGM_FI_DEV_GPU_TEMP": 65.0, name: 3.0}
    found = link_alias(name)
    assert found is not None
    assert found[1] == 7


def test_rows_without_a_gpu_are_counted_and_make_no_message() -> None:
    text = (
        'DCGM_FI_DEV_NVSWITCH_TEMP{nvswitch="nvswitch0",Hostname="n"} 40\n'
        'DCGM_FI_DEV_CPU_UTIL_TOTAL{cpu="0",Hostname="n"} 1\n'
        "DCGM_FI_DEV_FAN_SPEED 0\n"
        'DCGM_FI_DEV_COUNT{gpu="0",device="nvidia0"} 2\n'
    )
    assert told(text) == []
    assert row_kinds(parse_exposition(text)) == {"nvswitch": 1, "cpu": 1, "no_labels": 1, "no_uuid": 1}


def test_mig_instances_merge_and_the_gpus_own_row_wins() -> None:
    def row(name: str, instance: str, profile: str, value: float) -> str:
        return f'{name}{{gpu="0",UUID="GPU-1",GPU_I_PROFILE="{profile}",GPU_I_ID="{instance}"}} {value}\n'

    (message,) = told(
        'DCGM_FI_DEV_XID_ERRORS{gpu="0",UUID="GPU-1"} 0\n'
        + row("DCGM_FI_DEV_XID_ERRORS", "1", "1g.5gb", 94)
        + row("DCGM_FI_PROF_SM_ACTIVE", "1", "1g.5gb", 1.0)
        + row("DCGM_FI_PROF_SM_ACTIVE", "2", "3g.20gb", 0.2)
        + row("DCGM_FI_DEV_FB_USED", "1", "1g.5gb", 1000)
        + row("DCGM_FI_DEV_FB_USED", "2", "3g.20gb", 500)
        + row("DCGM_FI_DEV_GPU_TEMP", "1", "1g.5gb", 9223372036854775794)
        + row("DCGM_FI_DEV_GPU_TEMP", "2", "3g.20gb", 61)
    )
    assert message["metrics"] == {
        "DCGM_FI_DEV_XID_ERRORS": 0.0,
        "DCGM_FI_PROF_SM_ACTIVE": pytest.approx(0.4),
        "DCGM_FI_DEV_FB_USED": 1500.0,
        "DCGM_FI_DEV_GPU_TEMP": 61.0,
    }


def test_mig_uuid_of_old_drivers_is_the_gpus() -> None:
    (message,) = told('DCGM_FI_DEV_FB_USED{gpu="0",UUID="MIG-GPU-1/13/0",GPU_I_ID="13"} 5')
    assert message["gpu_id"] == "GPU-1"


def test_xid_counts_add_up_over_codes_and_take_the_maximum_over_instances() -> None:
    (message,) = told(
        'DCGM_EXP_XID_ERRORS_COUNT{gpu="0",UUID="GPU-1",xid="13",pod="a"} 2\n'
        'DCGM_EXP_XID_ERRORS_COUNT{gpu="0",UUID="GPU-1",xid="13",pod="b"} 2\n'
        'DCGM_EXP_XID_ERRORS_COUNT{gpu="0",UUID="GPU-1",xid="31",pod="a"} 1\n'
    )
    assert message["metrics"] == {"DCGM_EXP_XID_ERRORS_COUNT": 3.0}
    (message,) = told(
        'DCGM_EXP_XID_ERRORS_COUNT{gpu="0",UUID="GPU-1",GPU_I_ID="1",xid="13"} 2\n'
        'DCGM_EXP_XID_ERRORS_COUNT{gpu="0",UUID="GPU-1",GPU_I_ID="2",xid="13"} 5\n'
    )
    assert message["metrics"] == {"DCGM_EXP_XID_ERRORS_COUNT": 5.0}


def test_pods_that_share_a_gpu_keep_one_label_in_any_order() -> None:
    rows = [f'DCGM_FI_DEV_GPU_UTIL{{gpu="0",UUID="GPU-1",pod="{pod}",namespace="n"}} 5\n' for pod in ("b", "a")]
    assert told("".join(rows)) == told("".join(reversed(rows)))
    assert told("".join(rows))[0]["labels"]["pod"] == "a, b"


def test_the_order_of_names_does_not_follow_the_scrape() -> None:
    rows = [f'{name}{{UUID="GPU-1"}} 1\n' for name in ("B", "A")]
    assert list(told("".join(rows))[0]["metrics"]) == list(told("".join(reversed(rows)))[0]["metrics"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("00000000:38:00.0", "0000:38:00"),
        ("PCI:000F:01:00", "000f:01:00"),
        ("0001:00", "0000:01:00"),
        ("", None),
        ("GPU-1", None),
    ],
)
def test_pci_addresses_get_one_spelling(text: str, expected: str | None) -> None:
    assert normalise_pci(text) == expected


def test_all_pods_of_a_shared_gpu_are_named_and_never_the_exporters_own() -> None:
    own = 'UUID="GPU-1",pod="dcgm-exporter-zz9k1",namespace="gpu-operator",container="exporter"'
    pods = [("batch-a-0", "team-0"), ("batch-b-0", "team-1"), ("infer", "team-2"), ("", "")]
    rows = [
        f'{name}{{{own},exported_pod="{pod}",exported_namespace="{team}",'
        f'exported_container="{pod and "main"}"}} {value}\n'
        for pod, team in pods
        for name, value in (("DCGM_FI_DEV_POWER_USAGE", 69.8), ("DCGM_FI_DEV_ECC_SBE_VOL_TOTAL", 3))
    ]
    (message,) = told("".join(rows))
    assert message["metrics"] == {"DCGM_FI_DEV_ECC_SBE_VOL_TOTAL": 3.0, "DCGM_FI_DEV_POWER_USAGE": 69.8}
    assert message["labels"] == {"pod": "batch-a-0, batch-b-0, infer", "container": "main"}
    more = f'DCGM_FI_DEV_POWER_USAGE{{{own},exported_pod="x",exported_namespace="t"}} 69.8\n'
    assert told("".join([*rows, more]))[0]["labels"]["pod"] == "batch-a-0 and 3 others"


def test_the_row_without_a_pod_is_the_gpus_and_else_the_largest_share() -> None:
    shares = 'DCGM_FI_DEV_GPU_UTIL{UUID="GPU-1",pod="a",vgpu="0"} 12\nDCGM_FI_DEV_GPU_UTIL{UUID="GPU-1",pod="b"} 55\n'
    whole = 'DCGM_FI_DEV_GPU_UTIL{UUID="GPU-1"} 67\n'
    for text, value in ((shares + whole, 67.0), (whole + shares, 67.0), (shares, 55.0)):
        assert told(text)[0]["metrics"] == {"DCGM_FI_DEV_GPU_UTIL": value}


def test_framebuffer_of_mig_slices_adds_up() -> None:
    rows = [
        f'DCGM_FI_DEV_FB_{part}{{UUID="GPU-1",GPU_I_ID="{slice}"}} {value}\n'
        for slice, parts in ((1, {"FREE": 40_000, "USED": 300}), (2, {"FREE": 12_000, "USED": 28_300}))
        for part, value in parts.items()
    ]
    assert told("".join(rows))[0]["metrics"] == {"DCGM_FI_DEV_FB_FREE": 52_000.0, "DCGM_FI_DEV_FB_USED": 28_600.0}


def test_one_gpu_whatever_the_case_of_its_id_and_with_its_instances() -> None:
    uuid = "GPU-0e000000-0000-4000-8000-00000000000a"
    slice = 'UUID="MIG-0e000000-0000-4000-8000-0000000000ff",GPU_I_PROFILE="1g.10gb",GPU_I_ID="7"'
    text = (
        f'DCGM_FI_DEV_GPU_TEMP{{gpu="0",UUID="{uuid}"}} 61\n'
        f'DCGM_FI_DEV_POWER_USAGE{{gpu="0",UUID="GPU-{uuid[4:].upper()}"}} 310\n'
        f'DCGM_FI_DEV_FB_USED{{gpu="0",{slice}}} 10\n'
    )
    (message,) = told(text)
    assert message["gpu_id"] == uuid
    assert sorted(message["metrics"]) == ["DCGM_FI_DEV_FB_USED", "DCGM_FI_DEV_GPU_TEMP", "DCGM_FI_DEV_POWER_USAGE"]
    alone = f'DCGM_FI_DEV_FB_USED{{gpu="3",{slice}}} 10\n'
    assert told(alone) == []
    assert row_kinds(parse_exposition(text + alone))["instance_without_gpu"] == 1
