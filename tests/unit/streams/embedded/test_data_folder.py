"""A data folder is for one kind of telemetry, and outlives an upgrade of the servers in it."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from schemas.errors import ShutdownError
from streams.embedded.data_dir_lock import DataDirLock
from streams.embedded.data_folder import Kind, claim, kafka_folder, note_version, refuse_newer, refuse_other_postgres
from streams.embedded.kafka import EmbeddedKafka
from streams.embedded.stack import Stack
from streams.kafka.clients import TRANSACTION_TIMEOUT_MS
from streams.settings import Settings


@pytest.mark.parametrize(("first", "then"), [("simulated", "real"), ("real", "simulated")])
def test_a_folder_is_for_simulated_or_for_real_gpus(tmp_path: Path, first: Kind, then: Kind) -> None:
    folder = tmp_path / "data"
    claim(folder, first)
    claim(folder, first)
    with pytest.raises(ShutdownError, match="GPU_HEALTH_DATA_DIR to another folder"):
        claim(folder, then)
    claim(folder, first)


@pytest.mark.parametrize(
    ("log", "held", "other"), [("simulate", "simulated", "real"), ("score", "real", "simulated")]
)
def test_what_0_1_0_left_without_a_marker_is_known_by_its_logs(
    tmp_path: Path, log: str, held: Kind, other: Kind
) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / f"{log}.log").touch()
    with pytest.raises(ShutdownError, match="holds the telemetry of"):
        claim(tmp_path, other)
    claim(tmp_path, held)


@pytest.mark.parametrize(("held", "simulated"), [("real", True), ("simulated", False)])
async def test_nothing_is_started_on_a_folder_of_the_other_kind(tmp_path: Path, held: Kind, simulated: bool) -> None:
    claim(tmp_path, held)
    with pytest.raises(ShutdownError, match="holds the telemetry of"):
        async with Stack(Settings(data_dir=tmp_path, broker=""), simulated=simulated, report=lambda line: None):
            pytest.fail("it started")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lock", "telemetry"]
    with DataDirLock(tmp_path):
        pass


def test_a_transaction_outlives_the_longest_start_of_its_broker() -> None:
    longest = inspect.signature(EmbeddedKafka.start).parameters["timeout_seconds"].default
    assert longest * 1000 <= TRANSACTION_TIMEOUT_MS


def test_a_damaged_marker_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "telemetry").write_bytes(b"\xff\x00")
    with pytest.raises(ShutdownError, match="not simulated or real"):
        claim(tmp_path, "real")


def test_the_brokers_data_is_found_whatever_version_wrote_it(tmp_path: Path) -> None:
    assert kafka_folder(tmp_path / "absent") == tmp_path / "absent" / "kafka"
    for version in ("4.3.1", "4.10.0", "4.9.2"):
        (tmp_path / f"kafka-{version}" / "log").mkdir(parents=True)
        (tmp_path / f"kafka-{version}" / "log" / "meta.properties").write_text(version)
    (tmp_path / "kafka-notes").mkdir()
    folder = kafka_folder(tmp_path)
    assert (folder / "log" / "meta.properties").read_text() == "4.10.0"
    assert not (tmp_path / "kafka-4.10.0").exists()
    assert kafka_folder(tmp_path) == folder
    assert (tmp_path / "kafka-4.9.2").exists()


def test_data_of_a_later_broker_is_not_touched(tmp_path: Path) -> None:
    refuse_newer(tmp_path, "4.3.1")
    note_version(tmp_path, "4.3.1")
    refuse_newer(tmp_path, "4.3.1")
    refuse_newer(tmp_path, "4.10.0")
    note_version(tmp_path, "4.10.0")
    with pytest.raises(ShutdownError, match=r"written by Kafka 4\.10\.0, and this release runs 4\.3\.1"):
        refuse_newer(tmp_path, "4.3.1")


def test_data_of_another_postgres_is_one_sentence(tmp_path: Path) -> None:
    refuse_other_postgres(tmp_path, 18)
    (tmp_path / "PG_VERSION").write_text("18\n")
    refuse_other_postgres(tmp_path, 18)
    with pytest.raises(ShutdownError, match="made by PostgreSQL 18, and this release runs 19"):
        refuse_other_postgres(tmp_path, 19)
