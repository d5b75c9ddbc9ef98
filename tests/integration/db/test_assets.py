"""An owner's list into both databases and onto gpu-inputs."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from pydantic import SecretStr

from schemas.topics import INPUTS
from streams.db.assets import list_assets
from streams.db.migrate import migrate
from streams.db.pool import Connection, connect
from streams.db.writer import Writer
from streams.inputs.asset_import import import_assets
from streams.kafka.clients import client_options
from streams.settings import Settings
from tests.integration.db.conftest import Databases
from tests.integration.db.feeding import raw

NOW = datetime.now(UTC)
UUIDS = [f"GPU-5a1b2c3d-0000-1111-2222-33334444555{n}" for n in range(4)]
LIST = (
    "gpu_id,model,serial_number,host,pci_address,deployed_date,purchase_price,known_issues\n"
    f"{UUIDS[0]},A100,,,,2026-01-01,9000,\n"
    "GPU-A100-002,A100,S1,,,2026-01-01,9000,ECC errors\n"
    "GPU-A100-003,A100,,node-1,00000000:3B:00.0,2026-01-01,9000,\n"
    "GPU-A100-004,A100,S9,,,2026-01-01,9000,\n"
)


async def report_as_gpus(writer: Writer) -> None:
    writer.add(raw(NOW - timedelta(hours=1), UUIDS[1], labels={"serial": "old", "pci_bus_id": "0000:01:00"}))
    writer.add(raw(NOW, UUIDS[1], labels={"serial": "S1", "pci_bus_id": "0000:01:00"}))
    writer.add(raw(NOW, UUIDS[2], labels={"pci_bus_id": "0000:3b:00"}))
    await writer.flush()


async def test_each_line_finds_its_gpu(writer: Writer, migrated: Settings) -> None:
    await report_as_gpus(writer)
    report = await import_assets(migrated, LIST)
    assert report.imported == 4
    assert report.joined == {"gpu_id": 1, "serial": 1, "host_and_pci": 1}
    assert report.unseen == ["GPU-A100-004"]
    assert "no broker" in report.published
    found = {row["asset_id"]: row for row in await list_assets(migrated)}
    assert {name: row["gpu_id"] for name, row in found.items()} == {
        UUIDS[0]: UUIDS[0],
        "GPU-A100-002": UUIDS[1],
        "GPU-A100-003": UUIDS[2],
        "GPU-A100-004": None,
    }
    asset = found["GPU-A100-002"]
    assert (asset["asset_tag"], asset["known_issues"]) == ("GPU-A100-002", "ECC errors")
    assert asset["age_days"] == (date.today() - date(2026, 1, 1)).days  # noqa: DTZ011


async def test_a_second_import_changes_the_assets_it_names(writer: Writer, migrated: Settings) -> None:
    await report_as_gpus(writer)
    await import_assets(migrated, LIST)
    swapped = f"gpu_id,uuid,known_issues\nGPU-A100-002,{UUIDS[2]},\nGPU-A100-003,{UUIDS[1]},Fan\n"
    report = await import_assets(migrated, swapped)
    assert report.errors == []
    found = {row["asset_id"]: row for row in await list_assets(migrated)}
    assert len(found) == 4
    assert found["GPU-A100-002"]["gpu_id"] == UUIDS[2]
    assert found["GPU-A100-002"]["known_issues"] is None
    assert found["GPU-A100-003"]["gpu_id"] == UUIDS[1]


async def test_a_wrong_line_imports_nothing_unless_partial(migrated: Settings, database: Connection) -> None:
    wrong = LIST + "GPU-A100-005,A100,,,,soon,9000,\n"
    report = await import_assets(migrated, wrong)
    assert (report.imported, [error.line for error in report.errors]) == (0, [6])
    assert await database.fetchval("SELECT count(*) FROM gpu_assets") == 0
    report = await import_assets(migrated, wrong, partial=True)
    assert (report.imported, [error.line for error in report.errors]) == (4, [6])
    assert await database.fetchval("SELECT count(*) FROM gpu_assets") == 4


async def test_both_databases_have_the_assets(migrated: Settings, database: Connection, postgres_dsn: str) -> None:
    settings = migrated.model_copy(update={"assets_dsn": SecretStr(postgres_dsn)})
    await migrate(settings)
    other = await connect(postgres_dsn)
    try:
        await import_assets(settings, LIST)
        for connection in (database, other):
            assert await connection.fetchval("SELECT count(*) FROM gpu_assets") == 4
    finally:
        await other.execute("DROP TABLE gpu_assets CASCADE; DROP TABLE gpu_health_migrations")
        await other.close()


@pytest.mark.usefixtures("topics")
async def test_known_gpus_are_published_once(settings: Settings) -> None:
    await migrate(settings)
    for _ in range(2):
        report = await import_assets(settings, LIST)
        assert report.published == "1 published to gpu-inputs"
    consumer = AIOKafkaConsumer(
        **client_options(settings), isolation_level="read_committed", auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        partition = TopicPartition(settings.topic(INPUTS), 0)
        consumer.assign([partition])
        end = (await consumer.end_offsets([partition]))[partition]
        records = []
        while await consumer.position(partition) < end:
            batch = await consumer.getmany(partition, timeout_ms=1000)
            records += [record for found in batch.values() for record in found]
    finally:
        await consumer.stop()
    (record,) = records
    assert json.loads(record.key) == {"kind": "asset", "id": UUIDS[0], "version": 1}
    payload = json.loads(record.value)["payload"]
    assert (payload["gpu_id"], payload["purchase_price_usd"], payload["deployed_date"]) == (
        UUIDS[0],
        9000.0,
        "2026-01-01",
    )


async def gpu_health(settings: Settings, *arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "streams", *arguments),
        env=dict(os.environ)
        | {
            "GPU_HEALTH_METRICS_DSN": settings.metrics_dsn.get_secret_value(),
            "GPU_HEALTH_DATA_DIR": str(settings.data_dir / "nothing"),
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, output.decode(), errors.decode()


async def test_commands(database_settings: Settings, databases: Databases, tmp_path: Path) -> None:
    settings = database_settings.model_copy(update={"data_dir": tmp_path})
    code, output, _ = await gpu_health(settings, "db", "migrate")
    assert code == 0
    assert f"applied metrics/001_gpu_health_metrics.{databases.kind}.sql" in output
    file = tmp_path / "fleet.csv"
    file.write_text(LIST.replace("2026-01-01,9000,ECC", "2026-01-01,cheap,ECC"), encoding="utf-8")
    code, output, errors = await gpu_health(settings, "assets", "import", str(file))
    assert code == 1
    assert f"{file}:3: purchase_price_usd" in errors
    assert output.startswith("0 imported")
    file.write_text(LIST, encoding="utf-8")
    code, output, errors = await gpu_health(settings, "assets", "import", str(file))
    assert (code, errors) == (0, "")
    assert output.startswith("4 imported (1 by gpu_id), 3 not seen")
    code, output, _ = await gpu_health(settings, "assets", "list", "--format", "json")
    assert code == 0
    assert len(json.loads(output)) == 4
    code, output, _ = await gpu_health(settings, "db", "status", "--format", "json")
    assert code == 0
    metrics, assets = json.loads(output)
    assert (metrics["flavour"], metrics["migrations_missing"]) == (databases.kind, [])
    assert (metrics["timescale_version"] is None) == (databases.kind == "plain")
    tables = {table["name"]: table for table in metrics["tables"]}
    plain, timescale = settings.plain_raw_retention_days, settings.raw_retention_days
    assert tables["gpu_health_metrics"]["retention_days"] == (plain if databases.kind == "plain" else timescale)
    assert assets["tables"][0]["rows"] == 4
    code, _, errors = await gpu_health(settings, "db", "grant", "nobody-here", "--as", "reader")
    assert code == 1
    assert "CREATE ROLE" in errors
    code, output, _ = await gpu_health(settings, "db", "grant", "postgres", "--as", "reader", "--as", "writer")
    assert (code, output[:30]) == (0, "postgres is writer, reader in ")


async def test_a_database_that_is_away_is_one_line(database_settings: Settings, tmp_path: Path) -> None:
    dsn = database_settings.metrics_dsn.get_secret_value()
    name = dsn.rpartition("/")[2].partition("?")[0]
    settings = database_settings.model_copy(
        update={"metrics_dsn": SecretStr(dsn.replace(name, "no_such_database")), "data_dir": tmp_path}
    )
    code, _, errors = await gpu_health(settings, "db", "status")
    assert code == 1
    assert errors.strip().splitlines() == ['Error: database "no_such_database" does not exist']
