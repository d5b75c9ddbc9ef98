"""Kernel logs as people hand them in, through `replay --offline`: the right GPU, the right page, nothing forged."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from schemas.topics import NOTIFICATIONS
from streams.cli.replay import command

GPU = "GPU-0e000000-0000-4000-8000-000000000016"
NAME = f"NVRM: GPU at PCI:0000:17:00: {GPU}"


def pages(*arguments: str | Path) -> list[tuple[list[str], str]]:
    """Return members and summary of each page."""
    done = CliRunner().invoke(command, ["--offline", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    found: list[dict[str, Any]] = [orjson.loads(line) for line in done.stdout.splitlines() if line[:1] == "{"]
    told = [one["value"] for one in found if one["topic"] == NOTIFICATIONS and one["value"]["page"]]
    return [(one["members"], one["summary"]) for one in told]


def at(minute: int, text: str) -> str:
    return f"2026-09-20T10:{minute:02d}:00,000001+00:00 {text}\n"


def test_a_loss_of_three_lines_in_one_record_pages(tmp_path: Path) -> None:
    path = tmp_path / "one.log"
    lost = "NVRM: The NVIDIA GPU 0000:17:00.0\\x0aNVRM: (PCI ID: 10de:2330) installed in this system has\\x0a"
    path.write_text(at(0, NAME) + at(5, lost + "NVRM: fallen off the bus and is not responding to commands.\\x0a"))
    ((members, summary),) = pages(path)
    assert (members, summary) == ([GPU], "XID 79: GPU has fallen off the bus")


def test_the_end_of_the_input_releases_what_waits_and_tells_of_no_silence(tmp_path: Path) -> None:
    path = tmp_path / "one.log"
    dbe = "NVRM: Xid (PCI:0000:17:00): 48, pid='<unknown>', name=<unknown>, DBE (double bit error) ECC Error"
    path.write_text(at(0, NAME) + at(5, dbe))
    ((members, summary),) = pages(path)
    assert (members, summary) == ([GPU], "XID 48: Double Bit ECC Error")


@pytest.mark.parametrize("order", [("one.prom", "one.log"), ("one.log", "one.prom")])
def test_log_and_scrape_of_one_host_are_joined(order: tuple[str, str], tmp_path: Path) -> None:
    labels = f'gpu="0",UUID="{GPU}",pci_bus_id="00000000:17:00.0",Hostname="node-p"'
    (tmp_path / "one.prom").write_text(f"DCGM_FI_DEV_GPU_TEMP{{{labels}}} 61\n")
    (tmp_path / "one.log").write_text(at(5, "NVRM: Xid (PCI:0000:17:00): 79, GPU has fallen off the bus."))
    paths = [tmp_path / name for name in order]
    ((members, _),) = pages("--host", "node-p", "--at", "2026-09-20T10:00:00Z", *paths)
    assert members == [GPU]


def test_a_compressed_log_and_one_of_utf_16_are_read(tmp_path: Path) -> None:
    text = at(0, NAME) + at(5, "NVRM: Xid (PCI:0000:17:00): 79, GPU has fallen off the bus.")
    (tmp_path / "kern.log.2.gz").write_bytes(gzip.compress(text.encode()))
    (tmp_path / "kern.log").write_bytes(text.encode("utf-16"))
    assert (
        pages(tmp_path / "kern.log.2.gz")
        == pages(tmp_path / "kern.log")
        == [([GPU], "XID 79: GPU has fallen off the bus")]
    )


def test_a_line_that_a_user_wrote_pages_nobody(tmp_path: Path) -> None:
    path = tmp_path / "journal.json"
    record = {"__REALTIME_TIMESTAMP": "1789898402000000", "_TRANSPORT": "syslog", "SYSLOG_IDENTIFIER": "root"}
    record["MESSAGE"] = "NVRM: Xid (PCI:0000:42:00): 79, GPU has fallen off the bus."
    path.write_bytes(orjson.dumps(record))
    assert pages(path) == []
    path.write_bytes(orjson.dumps(record | {"_TRANSPORT": "kernel"}))
    assert len(pages(path)) == 1
