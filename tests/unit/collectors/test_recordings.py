"""Recorded files of every format become raw messages; damage is counted, never raised."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from collectors.damage import Damage
from collectors.recordings import UnknownRecording, read_recording, sniff
from collectors.trace_csv import synthetic_uuid
from schemas.raw import RawMessage, decode
from schemas.sample import to_sample
from tests.recorded import rows, scrapes, traces, xid_lines

AT = 1770638400.0
TRACE = "timestamp,phase,gpu,gpu_model,power_w,temp_c,sm_active,throttle_reasons,energy_mj\n"


def read(tmp_path: Path, text: str) -> tuple[list[RawMessage], Damage]:
    path = tmp_path / "recording.txt"
    path.write_text(text, encoding="utf-8")
    damage = Damage()
    found = [decode(value) for value in read_recording(path, host_id="n1", at=AT, damage=damage)]
    return found, damage


def test_exporter_text(tmp_path: Path) -> None:
    text = 'DCGM_FI_DEV_GPU_TEMP{gpu="0",UUID="GPU-1"} 65\nDCGM_FI_DEV_FAN_SPEED 0\nA{UUID="cut\n'
    (message,), damage = read(tmp_path, text)
    assert (message.gpu_id, message.host_id, message.timestamp) == ("GPU-1", "n1", "2026-02-09T12:00:00.000Z")
    assert damage.counts == {"labels without an end": 1, "row without a GPU: no_labels": 1}


def test_a_scrape_without_a_host_takes_the_exporters(tmp_path: Path) -> None:
    path = tmp_path / "scrape.txt"
    path.write_text('A{UUID="GPU-1",Hostname="n9"} 1\nA{UUID="GPU-2"} 1\n')
    assert [decode(value).host_id for value in read_recording(path, at=AT)] == ["n9", "scrape"]


def test_json_lines_go_through_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"gpu_id": "GPU-1"}\n\n{broken\n')
    assert list(read_recording(path)) == [b'{"gpu_id": "GPU-1"}', b"{broken"]


def test_a_kernel_log_joins_a_uuid_that_comes_later(tmp_path: Path) -> None:
    text = (
        "[Sun Feb 23 16:24:18 2025] NVRM: Xid (PCI:0000:9b:00): 119, x\n"
        "[Sun Feb 23 16:24:19 2025] NVRM: GPU at PCI:0000:9b:00: GPU-509665ad-b600\n"
        "[Sun Feb 23 16:24:20 2025] NVRM: Xid (PCI:0000:aa:00): 31, y\n"
    )
    found, _ = read(tmp_path, text)
    assert [message.gpu_id for message in found] == ["GPU-509665ad-b600", "host:n1"]
    assert found[0].timestamp == "2025-02-23T16:24:18.000Z"
    assert found[0].events is not None
    assert found[0].events[0].code == 119


def test_a_trace_row_becomes_a_message(tmp_path: Path) -> None:
    (message,), damage = read(
        tmp_path, TRACE + "1775016266.006,init,6,NVIDIA H100 80GB HBM3,71.4,34,,4,238749445947\n"
    )
    assert damage.total == 0
    assert message.gpu_id == synthetic_uuid("recording", "6")
    assert message.timestamp == "2026-04-01T04:04:26.006Z"
    sample = to_sample(message, AT)
    assert message.metrics == {
        "DCGM_FI_DEV_POWER_USAGE": 71.4,
        "DCGM_FI_DEV_GPU_TEMP": 34.0,
        "DCGM_FI_PROF_SM_ACTIVE": "",
        "DCGM_FI_DEV_CLOCKS_EVENT_REASONS": 4.0,
        "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION": 238749445947.0,
    }
    assert len(sample.blanks) == 1
    assert message.interval_seconds == 0.1


def test_damaged_trace_rows_are_counted(tmp_path: Path) -> None:
    good = "1775016266.006,init,0,H100,71.4,34,0,4,1\n"
    text = TRACE + good + "1775016266.0,init\n" + "x" + good + good.replace(",0,H100", ",-,H100") + good
    found, damage = read(tmp_path, text)
    assert len(found) == 2
    assert damage.counts == {"wrong number of columns": 1, "no time": 1, "no GPU index": 1}
    assert damage.examples[0].startswith("line 3: wrong number of columns")


def test_other_files_are_refused_with_the_list_of_formats(tmp_path: Path) -> None:
    path = tmp_path / "x.md"
    path.write_text("Some prose about nothing.\nAnother line of it.\n")
    with pytest.raises(UnknownRecording, match="exporter text, JSON lines"):
        list(read_recording(path))


def test_an_empty_file_has_no_messages(tmp_path: Path) -> None:
    assert read(tmp_path, "\n\n")[0] == []
    assert sniff("") == "empty"


# Of each scrape how many GPUs it has, and how many signals the one with the most.
SCRAPES = {
    "h100_x8_pods.txt": (8, 4),
    "l40s_complete.txt": (1, 23),
    "l4_complete.txt": (1, 23),
    "nvidia_docs_a100_mig_1g5gb.txt": (1, 17),
    "nvidia_docs_blank_int64.txt": (1, 3),
    "old_headers_first.txt": (1, 18),
    "t4_busy_without_headers.txt": (1, 20),
    "t4_rows_without_labels.txt": (1, 12),
    "t4_x2_empty_pods.txt": (2, 3),
    "v100_x2_pods.txt": (2, 2),
    # In ../shared/data.
    "aicr_h100_x8_k8s_workload.txt": (8, 4),
    "datadog_t4_partly_dummy.txt": (3, 16),
    "ericsson_t4_driver590.48.01_busy.txt": (1, 20),
    "exporter2.1.4-2.2.0_headers_first.txt": (1, 18),
    "kops_l4_driver580.105.08.txt": (1, 23),
    "t4_gke_dcgm3.3.0_prof_empty_pod_labels.txt": (2, 3),
    "upcloud_l40s_driver595.58.03.txt": (1, 23),
    "v100_sxm2_32gb_k8s_pods.txt": (2, 2),
}


@pytest.mark.parametrize("path", scrapes(), ids=lambda path: path.name)
def test_recorded_scrapes_are_read_whole(path: Path) -> None:
    damage = Damage()
    found = [decode(value) for value in read_recording(path, host_id="n1", at=AT, damage=damage)]
    gpus, signals = SCRAPES[path.name]
    assert len({message.gpu_id for message in found}) == len(found) == gpus
    assert max(len(message.metrics) for message in found) == signals
    assert set(damage.counts) <= {"row without a GPU: no_labels"}
    for message in found:
        assert not to_sample(message, AT).dropped


@pytest.mark.parametrize("path", xid_lines(), ids=lambda path: path.parents[1].name)
def test_recorded_kernel_lines_all_match(path: Path) -> None:
    expected = Counter(int(row[0]) for row in rows(path))
    events = [decode(value).events for value in read_recording(path, host_id="n1", at=AT)]
    assert Counter(event.code for found in events for event in found or ()) == expected
    assert expected.total() > 50
    assert len(expected) > 20


@pytest.mark.parametrize("path", traces(), ids=lambda path: path.stem)
def test_a_recorded_trace_gives_every_row(path: Path) -> None:
    damage = Damage()
    found = Counter(decode(value).gpu_id for value in read_recording(path, damage=damage))
    assert damage.total == 0
    assert sorted(found) == sorted(synthetic_uuid(path.stem, str(gpu)) for gpu in range(8))
    lines = len(path.read_text("utf-8").splitlines()) - 1
    assert set(found.values()) == {lines // 8}
